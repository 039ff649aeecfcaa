import { chmodSync, copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { backUpRecord } from '@sejam/embedded-eventstore';
import { createPool, tx, type Client, type Pool } from '@sejam/postgres';
import { countSealed, loadMasterKey, type SealedCount } from '@sejam/privacy';
import { StartFault } from '@sejam/service-host';
import { isLogged } from '@sejam/transparency-log';
import { DataFolder } from '../data-folder.js';
import { services } from '../services.js';
import { BackupWriter, newBackupId, type BackupFacts, type BackupPart } from './backup-folder.js';
import { keptSchemas, type ServiceName } from './kept-schemas.js';
import { writeRows } from './kept-rows.js';
import { temporaryPostgres } from './temporary-postgres.js';

export interface BackUpOptions {
  /** Of an installation that runs or is stopped. Not looked at where all of the following is elsewhere. */
  readonly home: string;
  /** Empty or new. */
  readonly out: string;
  /** Empty or new; on another disk than `out`, if it can be. */
  readonly keysOut: string;
  /** Given: the store is backed up with its own tools, before this is called. */
  readonly eventStoreUrl: string | undefined;
  /** Given: that database in place of the embedded one. */
  readonly databaseUrl: string | undefined;
  readonly masterKeyFile: string;
  readonly credentialsFile: string;
  readonly say: (sentence: string) => void;
}

/**
 * Copies the record, then the kept tables, then the keys: what an event refers to was written before it, so whatever the copy of the record
 * mentions is in what was copied later. Beside a running installation, or on a stopped one. Throws StartFault, one sentence.
 */
export async function backUp(options: BackUpOptions): Promise<BackupFacts> {
  const { home, say } = options;
  if (!existsSync(options.masterKeyFile)) throw new StartFault(`There is no installation to back up: ${options.masterKeyFile} is missing`);
  const source = await openSource(options);
  const begun: BackupWriter[] = [];
  const begin = (path: string, part: BackupPart): BackupWriter => {
    const writer = BackupWriter.begin(path, part);
    begun.push(writer);
    return writer;
  };
  try {
    await describeSchemas(source.pool);
    const [main, keys] = [begin(options.out, 'record'), begin(options.keysOut, 'keys')];
    const takenAt = new Date().toISOString();

    let events: number | undefined;
    if (options.eventStoreUrl === undefined) {
      const copied = await backUpRecord(join(home, 'record'), main.file('store'));
      events = [...copied.heads].reduce((sum, [stream, head]) => sum + (isLogged({ stream }) ? head + 1 : 0), 0);
      say(`the record is copied and checked: ${events} events`);
    } else say('the record is left to the tools of its own event store; its backup must be older than this one');

    const { recordId, schemas, sealed } = await consistently(source.pool, async (client) => {
      const rows = await copyTables(client, main, 'tables');
      say(`the kept tables are copied: ${rows} rows`);
      return { ...(await describeSchemas(client)), sealed: await countSealed(client, services) };
    });
    if (existsSync(join(home, 'ports.json'))) copy(join(home, 'ports.json'), main.file('ports.json'));

    const sealedKeys = await consistently(source.pool, async (client) => {
      await copyTables(client, keys, 'keyTables');
      return countSealed(client, services);
    });
    copy(options.masterKeyFile, keys.file('master.key'));
    refuseRetiredKeys(keys.file('master.key'), [...sealed, ...sealedKeys]);
    if (existsSync(options.credentialsFile)) copy(options.credentialsFile, keys.file('credentials.json'));
    else say('there is no credentials file to copy');
    say('the keys are copied');

    const facts: BackupFacts = { recordId, takenAt, store: events === undefined ? 'elsewhere' : 'copied', ...(events === undefined ? {} : { events }), schemas };
    const backupId = newBackupId();
    await keys.finish(backupId, facts);
    await main.finish(backupId, facts);
    return facts;
  } catch (error) {
    for (const writer of begun) writer.abandon();
    throw error;
  } finally {
    await source.close();
  }
}

/** A master key may have been retired since the tables were copied: the copy would not open. */
function refuseRetiredKeys(masterKeyFile: string, sealed: readonly SealedCount[]): void {
  const missing = loadMasterKey(masterKeyFile).missing(sealed.map(({ id }) => id));
  if (missing.length > 0) throw new StartFault(`What was copied is sealed under master key ${missing.join(', ')}, which the master key file does not hold: if it was retired meanwhile, make the backup again`);
}

async function copyTables(client: Client, to: BackupWriter, which: 'tables' | 'keyTables'): Promise<number> {
  let rows = 0;
  for (const service of services) for (const table of keptSchemas[service][which]) rows += await writeRows(client, service, table, to.file('tables', `${service}.${table}.ndjson`));
  return rows;
}

/** The database of a running installation, that of a stopped one, started for as long as this takes, or one of its own address. */
async function openSource({ home, eventStoreUrl, databaseUrl, say }: BackUpOptions): Promise<{ pool: Pool; close(): Promise<void> }> {
  const connect = (url: string): Pool => createPool({ url, schema: 'public', max: 1, statementTimeoutMs: 0, applicationName: 'sejam backup' });
  const running = DataFolder.running(home);
  const url = databaseUrl ?? running?.databaseUrl;
  if (eventStoreUrl === undefined && running !== undefined && running.processes['event-store'] === undefined) {
    throw new StartFault(`The installation on ${home} keeps its record in an event store elsewhere: name it in EVENTSTORE_URL, and back it up with its own tools first`);
  }
  if (eventStoreUrl === undefined && !existsSync(join(home, 'record'))) throw new StartFault(`There is no record in ${home}: name the data folder by --home`);
  if (url !== undefined) {
    const pool = connect(url);
    return { pool, close: () => pool.end() };
  }
  if (running !== undefined) throw new StartFault(`The installation on ${home} is still starting: wait until it is ready`);
  if (!existsSync(join(home, 'postgres.password'))) throw new StartFault(`There is no database in ${home}: name it in DATABASE_URL, or the data folder by --home`);
  const folder = DataFolder.take(home);
  try {
    await folder.endLeftovers(say);
    const server = await temporaryPostgres(folder.file('postgres'));
    const pool = connect(server.url);
    return {
      pool,
      async close() {
        await pool.end();
        await server.stop();
        folder.release();
      },
    };
  } catch (error) {
    folder.release();
    throw error;
  }
}

/** One moment of all schemas together; nothing is locked, and nothing can be changed. */
function consistently<T>(pool: Pool, work: (client: Client) => Promise<T>): Promise<T> {
  return tx(pool, async (client) => {
    await client.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY');
    return work(client);
  });
}

/** Which record the schemas belong to and what they are built of. Refuses what a restore of this version could not build again. */
async function describeSchemas(client: Client): Promise<Pick<BackupFacts, 'recordId' | 'schemas'>> {
  const schemas: Record<string, Record<string, number>> = {};
  const records = new Set<string>();
  for (const service of services) {
    const { rows } = await client.query<{ there: string | null }>('SELECT to_regclass($1) AS there', [`${service}.part_of_record`]);
    if (rows[0]?.there === null) throw new StartFault(`The database has no tables of ${service} yet: start Sejam once, until it is ready`);
    for (const { record_id: id } of (await client.query<{ record_id: string }>(`SELECT record_id FROM ${service}.part_of_record`)).rows) records.add(id);
    schemas[service] = await builtOf(client, service);
  }
  const [recordId, other] = [...records];
  if (recordId === undefined || other !== undefined) throw new StartFault(`The database holds parts of ${records.size} records; a backup is of one`);
  return { recordId, schemas };
}

async function builtOf(client: Client, service: ServiceName): Promise<Record<string, number>> {
  const { rows } = await client.query<{ part: string; number: number }>(`SELECT part, max(number) AS number FROM ${service}.migration GROUP BY part`);
  const known = new Set(keptSchemas[service].parts.map(({ part }) => part));
  const unknown = rows.find(({ part }) => !known.has(part));
  if (unknown !== undefined) throw new StartFault(`Schema ${service} has a part ${unknown.part} that this version does not know: back it up with the version that made it`);
  return Object.fromEntries(rows.map(({ part, number }) => [part, number]));
}

function copy(from: string, to: string): void {
  copyFileSync(from, to);
  chmodSync(to, 0o600);
}
