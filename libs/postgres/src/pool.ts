import { hash } from 'node:crypto';
import pg from 'pg';
import { DomainError } from '@sejam/event-sourcing';
import { schemaName } from './schema-name.js';

/** What a program tells about its own running; pino's logger fits. */
export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface QueryResult<Row> {
  readonly rows: Row[];
  /** Rows returned or changed. */
  readonly rowCount: number;
}

/**
 * Runs one statement. One with values is planned once for each connection, so its text should be constant. Statements of one client that
 * are not awaited one by one go out together and run in their order. `bigint` arrives as number (it throws beyond 2^53), `timestamptz` as Date, `numeric` as string, `jsonb` parsed.
 * Throws DomainError `database.unavailable` when PostgreSQL is away; whether the statement had an effect is then unknown.
 */
export interface Client {
  query<Row extends object = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<QueryResult<Row>>;
}

/** Connections whose unqualified names are those of one schema. Each service has its own. */
export interface Pool extends Client {
  readonly schema: string;
  /** For transactions; use `tx`. `broken` drops the connection in place of returning it. */
  checkout(): Promise<Client & { release(broken?: boolean): void }>;
  /** Resolves when all connections are closed. */
  end(): Promise<void>;
}

export interface PoolOptions {
  /** `postgres://user:password@host:port/database` */
  readonly url: string;
  readonly schema: string;
  /** Shown in pg_stat_activity. */
  readonly applicationName?: string;
  /** Connections at most; 10 without it. */
  readonly max?: number;
  /** The server ends a statement after this; 30 s without it, 0 = never (rebuilds). */
  readonly statementTimeoutMs?: number;
  /** A statement is planned at each run and not once for a connection: for a rebuild, where a plan made for empty tables would be kept while they grow. */
  readonly planEachTime?: boolean;
  /** Wait for a connection, new or free, at most this; 5 s without it. */
  readonly connectTimeoutMs?: number;
  readonly log?: Log;
}

const INT8 = 20;

function parseInt8(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`bigint ${text} does not fit into a number; select it as text`);
  return value;
}

const types = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === INT8 && format !== 'binary' ? parseInt8 : (pg.types.getTypeParser(oid, format) as unknown)) as typeof pg.types.getTypeParser,
};

const names = new Map<string, string>();
/** Far more than a service's own texts; beyond it a text is planned each time, as one that is put together for each request should be. */
const NAMES_MAX = 1_000;

/** Under which name a text stands prepared. Plans belong to a connection, and so to the one schema whose names it uses. */
function nameOf(text: string): string | undefined {
  const known = names.get(text);
  if (known !== undefined || names.size >= NAMES_MAX) return known;
  const name = hash('sha1', text);
  names.set(text, name);
  return name;
}

/** Connects lazily: the first statement finds out whether the server answers. Idle connections that break are replaced. */
export function createPool(options: PoolOptions): Pool {
  const schema = schemaName(options.schema);
  const statementTimeoutMs = options.statementTimeoutMs ?? 30_000;
  const pool = new pg.Pool({
    connectionString: options.url,
    application_name: options.applicationName ?? `sejam ${schema}`,
    max: options.max ?? 10,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 5_000,
    idleTimeoutMillis: 30_000,
    // A server that vanished without a goodbye is noticed by the client a little after the server would have ended the statement.
    ...(statementTimeoutMs > 0 ? { statement_timeout: statementTimeoutMs, query_timeout: statementTimeoutMs + 5_000 } : {}),
    idle_in_transaction_session_timeout: 60_000,
    keepAlive: true,
    pipeline: true,
    options: `-c search_path=${schema} -c timezone=UTC${options.planEachTime === true ? ' -c plan_cache_mode=force_custom_plan' : ''}`,
    types,
  });
  // A connection that breaks while no statement runs says so by an event, and an event nobody hears would end the process. Statements
  // in flight reject by themselves.
  pool.on('connect', (client) => client.on('error', () => {}));
  pool.on('error', (error) => options.log?.warn({ schema, error: error.message }, 'An idle PostgreSQL connection broke'));

  const run = async <Row extends object>(on: pg.Pool | pg.PoolClient, text: string, values?: readonly unknown[]): Promise<QueryResult<Row>> => {
    try {
      const name = values === undefined ? undefined : nameOf(text);
      const result = await on.query<Row>({ text, ...(values === undefined ? {} : { values: values as unknown[] }), ...(name === undefined ? {} : { name }) });
      return { rows: result.rows, rowCount: result.rowCount ?? 0 };
    } catch (error) {
      throw translate(error);
    }
  };

  return {
    schema,
    query: (text, values) => run(pool, text, values),
    async checkout() {
      const client = await pool.connect().catch((error: unknown) => {
        throw translate(error);
      });
      return { query: (text, values) => run(client, text, values), release: (broken = false) => client.release(broken) };
    },
    end: () => pool.end(),
  };
}

const DEADLOCK_OR_SERIALIZATION = new Set(['40001', '40P01']);

/**
 * Runs `work` in one transaction and returns what it returned; whatever it throws rolls back. A deadlock is repeated a few times, so
 * `work` must have no effects but those on `client`. Throws DomainError `database.unavailable` when PostgreSQL goes away; if that
 * happens during the commit, whether it was committed is unknown.
 */
export async function tx<T>(pool: Pool, work: (client: Client) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const client = await pool.checkout();
    let broken = false;
    try {
      const begun = client.query('BEGIN');
      begun.catch(() => {}); // heard below; the first statement of `work` goes out with it
      const result = await work(client);
      await begun;
      await client.query('COMMIT');
      return result;
    } catch (error) {
      await client.query('ROLLBACK').catch(() => {
        broken = true;
      });
      if (attempt < 5 && DEADLOCK_OR_SERIALIZATION.has((error as { code?: string }).code ?? '')) continue;
      throw error;
    } finally {
      client.release(broken);
    }
  }
}

/** Codes of the operating system and classes of SQLSTATE that say: not now, and not because of what was asked. */
const AWAY = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN']);
const AWAY_SQLSTATE = /^(08|53|57P0|58)|^57014$|^55P03$|^25P03$|^25006$/;
const AWAY_MESSAGE =
  /^(Connection terminated|timeout expired|timeout exceeded when trying to connect|Query read timeout|Client has encountered a connection error|Client was closed)/;

/** True for every way in which PostgreSQL can be away: refused, reset, shutting down, full, or silent. */
export function isDatabaseUnavailable(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const { code, message, errors } = error as { code?: unknown; message?: unknown; errors?: unknown };
  if (code === 'database.unavailable') return true;
  if (typeof code === 'string' && (AWAY.has(code) || AWAY_SQLSTATE.test(code))) return true;
  if (Array.isArray(errors)) return errors.some(isDatabaseUnavailable);
  return typeof message === 'string' && AWAY_MESSAGE.test(message);
}

function translate(error: unknown): unknown {
  if (!isDatabaseUnavailable(error)) return error;
  const unavailable = new DomainError('database.unavailable', 'unavailable', 'The database cannot be reached now', { retryAfterSeconds: 2 });
  unavailable.cause = error;
  return unavailable;
}
