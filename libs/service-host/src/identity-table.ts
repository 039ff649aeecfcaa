import type { Migrations } from '@sejam/postgres';
import { heartbeatToleranceMs, type IdentityDirectory, type IdentityEvent } from './identity-directory.js';

/** What this file needs of `pg`, whose pools and clients both have it. */
export interface Queryable {
  query(sql: string, values?: readonly unknown[]): Promise<{ readonly rows: readonly Record<string, unknown>[] }>;
}

/** Part of the schema of every service that folds identities from the bus. */
export const identityMigrations: Migrations = { part: 'identity', folder: new URL('../migrations/', import.meta.url) };

const NOT_FRESH_EVERY_MS = 100;

/** Keeps one message of `sejam.identity.v1`. Call inside the inbox's transaction; the same message again changes nothing. */
export async function keepIdentityEvent(client: Queryable, { stream, revision, event }: { stream: string; revision: number; event: IdentityEvent }): Promise<void> {
  // Writers take turns, so that numbers become visible in the order they were given: a reader that has seen n misses nothing below it.
  await client.query(`SELECT pg_advisory_xact_lock(hashtext('identity_event'))`);
  await client.query('INSERT INTO identity_event (stream, revision, type, data) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING', [stream, revision, event.type, JSON.stringify(event.data)]);
}

export async function keepHeartbeat(client: Queryable, sentAt: Date): Promise<void> {
  await client.query(
    `INSERT INTO identity_heartbeat (sent_at) VALUES ($1)
     ON CONFLICT (only_row) DO UPDATE SET sent_at = greatest(identity_heartbeat.sent_at, excluded.sent_at)`,
    [sentAt],
  );
}

/**
 * Keeps a directory level with the table. Of several instances only one gets each message, so every instance follows the table and not
 * the messages. While PostgreSQL is away the directory stays as it is, and loses its freshness after the tolerance.
 */
export class IdentityTable {
  #seq = '0';
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #running: Promise<void> = Promise.resolve();

  constructor(
    private readonly client: Queryable,
    private readonly directory: IdentityDirectory,
    private readonly options: { readonly everyMs?: number; readonly onError?: (error: unknown) => void } = {},
  ) {}

  /** Reads once what is new. */
  async refresh(): Promise<void> {
    // The heartbeat first: what was kept before it is then surely among the rows read after it.
    const heartbeat = await this.client.query('SELECT sent_at FROM identity_heartbeat');
    const { rows } = await this.client.query('SELECT seq, type, data FROM identity_event WHERE seq > $1 ORDER BY seq', [this.#seq]);
    for (const row of rows) {
      this.directory.apply({ type: row['type'] as string, data: row['data'] as object });
      this.#seq = String(row['seq']);
    }
    const sentAt = heartbeat.rows[0]?.['sent_at'];
    if (sentAt instanceof Date) this.directory.heartbeat(sentAt);
  }

  /** Reads what is there, then follows. Resolves after the first reading, whether or not it is fresh, or could be read at all. */
  async start(): Promise<void> {
    await this.#refreshAndFollow();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  /** For readiness. */
  assertFresh(): Promise<void> {
    if (this.directory.fresh) return Promise.resolve();
    return Promise.reject(new Error(`has heard no heartbeat of the identities for ${heartbeatToleranceMs / 60_000} minutes`));
  }

  async #refreshAndFollow(): Promise<void> {
    const { everyMs = 1_000, onError } = this.options;
    let pauseMs = everyMs;
    try {
      await this.refresh();
      // Until it is fresh nobody is let in: whoever starts looks more often.
      if (!this.directory.fresh) pauseMs = Math.min(everyMs, NOT_FRESH_EVERY_MS);
    } catch (error) {
      onError?.(error);
    }
    if (this.#stopped) return;
    this.#timer = setTimeout(() => (this.#running = this.#refreshAndFollow()), pauseMs);
  }
}
