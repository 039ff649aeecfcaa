import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { kafkaBus } from '@sejam/bus';
import { topics } from '@sejam/contracts';
import { backUpRecord, checkRecord, startEventStore } from '@sejam/embedded-eventstore';
import { readRecord } from '@sejam/event-sourcing';
import { connectEventStore } from '@sejam/eventstoredb';
import { endLeftoverPostgres } from '@sejam/postgres';
import { loadMasterKey } from '@sejam/privacy';
import { createLogger, StartFault } from '@sejam/service-host';
import { isLogged } from '@sejam/transparency-log';
import { DataFolder, restoringFolder } from '../data-folder.js';
import { openBackup, sync, type Manifest } from './backup-folder.js';
import { buildSchemas, refuseSchemas, sealedUnderIds, swapSchemas } from './restored-schemas.js';
import { temporaryPostgres } from './temporary-postgres.js';

export interface RestoreOptions {
  readonly from: string;
  readonly keysFrom: string;
  /** Becomes what the backup holds; new or empty unless `replace`. */
  readonly home: string;
  /** What is there is not refused but set aside under another name; nothing is ever removed. */
  readonly replace: boolean;
  /** The record that is there is right, and that of the backup is not looked at: for when PostgreSQL alone was lost. The rest of the home is set aside. */
  readonly keepRecord: boolean;
  /** Keys of an earlier backup are taken, since there are no others. */
  readonly olderKeys: boolean;
  /** Given: the store was put back with its own tools, and is only looked at. */
  readonly eventStoreUrl: string | undefined;
  /** Given: that database in place of the embedded one. */
  readonly databaseUrl: string | undefined;
  readonly kafkaBrokers: readonly string[];
  /** Given: the files' places, where they are not in the home. */
  readonly masterKeyFile: string | undefined;
  readonly credentialsFile: string | undefined;
  readonly say: (sentence: string) => void;
}

/**
 * Puts back record, kept tables and keys, so that the next start makes everything else again. All is built beside the home and takes its name at
 * the end: a restore that was killed leaves the home as it was, and `npm start` refuses until it is run again. Throws StartFault, one sentence.
 */
export async function restore(options: RestoreOptions): Promise<{ recordId: string; home: string | undefined; setAside: readonly string[] }> {
  const { from, keysFrom, home, keepRecord, say } = options;
  const replace = options.replace || keepRecord;
  const needsHome = [options.eventStoreUrl, options.databaseUrl, options.masterKeyFile, options.credentialsFile].includes(undefined);
  say('checking the backup');
  const main = await openBackup(from, 'record');
  const keys = await openBackup(keysFrom, 'keys');
  refuseOtherKeys(main, keys, options);
  if (main.store === 'elsewhere' && options.eventStoreUrl === undefined && !keepRecord) throw new StartFault('The backup is without the event store, which has tools of its own: put it back with them, and name it in EVENTSTORE_URL');

  const staging = restoringFolder(home);
  refuseRunning(home, staging);
  await endLeftoverPostgres(join(staging, 'postgres'));
  rmSync(staging, { recursive: true, force: true });
  const isThere = existsSync(home) && readdirSync(home).length > 0;
  if (isThere && needsHome && !replace) throw new StartFault(`${home} is not empty: restore into another folder by --home, or set aside what is there by --replace`);
  if (keepRecord && options.eventStoreUrl === undefined && !existsSync(join(home, 'record'))) throw new StartFault(`There is no record in ${home} to be kept`);
  if (!keepRecord) await refuseOtherTopics(options.kafkaBrokers);
  if (options.databaseUrl !== undefined && !replace) await refuseSchemas(options.databaseUrl);

  const folder = DataFolder.take(staging);
  const stamp = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  try {
    const events = await putRecordBack(folder, options, main);
    const setAside = await build(folder, { ...options, main, events, stamp });
    folder.release();
    if (!needsHome) rmSync(staging, { recursive: true });
    else {
      if (isThere) {
        renameSync(home, `${home}.replaced-${stamp}`);
        setAside.push(`${home}.replaced-${stamp}`);
      } else if (existsSync(home)) rmdirSync(home);
      renameSync(staging, home);
      sync(dirname(home));
    }
    return { recordId: main.recordId, home: needsHome ? home : undefined, setAside };
  } catch (error) {
    folder.release();
    rmSync(staging, { recursive: true, force: true });
    throw error;
  }
}

/** Resolves with the number of events that the record holds by then. */
async function putRecordBack(folder: DataFolder, { from, home, keepRecord, eventStoreUrl, say }: RestoreOptions, main: Manifest): Promise<number> {
  if (eventStoreUrl !== undefined) return eventsOf(eventStoreUrl, main.recordId);
  if (!keepRecord) {
    cpSync(join(from, 'store'), folder.file('record'), { recursive: true });
    await checkRecord(folder.file('record'));
    say(`the record is put back: ${main.events} events`);
    return main.events ?? 0;
  }
  await backUpRecord(join(home, 'record'), folder.file('record'));
  const server = await startEventStore({ dataFolder: folder.file('record') });
  try {
    const events = await eventsOf(server.url, main.recordId);
    say(`the record is kept: ${events} events`);
    return events;
  } finally {
    await server.close();
  }
}

/** Puts back keys and kept tables; resolves with what had to make room in the database. */
async function build(
  folder: DataFolder,
  { from, keysFrom, main, events, stamp, say, ...options }: RestoreOptions & { readonly main: Manifest; readonly events: number; readonly stamp: string },
): Promise<string[]> {
  for (const [name, elsewhere] of [['master.key', options.masterKeyFile], ['credentials.json', options.credentialsFile]] as const) {
    if (existsSync(join(keysFrom, name))) copyWhereAbsent(join(keysFrom, name), elsewhere ?? folder.file(name));
    else say(`the backup has no ${name}`);
  }
  // The platforms' endpoints stand in the record with the sandbox's port.
  if (existsSync(join(from, 'ports.json'))) copyWhereAbsent(join(from, 'ports.json'), folder.file('ports.json'));
  say('the keys are put back');

  const server = options.databaseUrl === undefined ? await temporaryPostgres(folder.file('postgres')) : undefined;
  try {
    const url = options.databaseUrl ?? server?.url ?? '';
    const rows = await buildSchemas(url, { from, keysFrom, main, events, keepRecord: options.keepRecord });
    say(`the kept tables are put back: ${rows} rows; all others are empty and are made again at the next start`);
    const masterKeyFile = options.masterKeyFile ?? folder.file('master.key');
    const missing = existsSync(masterKeyFile) ? loadMasterKey(masterKeyFile).missing(await sealedUnderIds(url)) : [];
    // Newer keys, and the master key was changed in between: no reason to hold back what can be put back.
    for (const id of missing) say(`master key ${id}, under which some of it is sealed, is not in master.key: put the line ${id} of a copy of the keys that has it below the others, before the next start`);
    return await swapSchemas(url, stamp);
  } finally {
    await server?.stop();
  }
}

/** Newer keys open all that an older record holds, but for who was erased meanwhile; older ones do not open all of it. */
function refuseOtherKeys(main: Manifest, keys: Manifest, { olderKeys, say }: RestoreOptions): void {
  if (keys.recordId !== main.recordId) throw new StartFault(`The backup is of record ${main.recordId}, and the keys are of record ${keys.recordId}: give those that belong together`);
  if (keys.backupId === main.backupId) return;
  const isOlder = keys.takenAt < main.takenAt;
  if (isOlder && !olderKeys) throw new StartFault(`The keys are of ${keys.takenAt} and the backup of ${main.takenAt}: older keys do not open all that it holds, and are taken with --older-keys alone`);
  say(`the keys are ${isOlder ? 'older' : 'newer'} than the backup, of ${keys.takenAt}`);
}

function refuseRunning(home: string, staging: string): void {
  const [running, restoring] = [DataFolder.running(home), DataFolder.running(staging)];
  if (running !== undefined) throw new StartFault(`Sejam (process ${running.supervisor.pid}) runs on ${home}: stop it first, or restore into another folder by --home`);
  if (restoring !== undefined) throw new StartFault(`Another restore (process ${restoring.supervisor.pid}) into ${home} is under way`);
}

/** Consumers would take for true what the topics say and the record no longer holds. */
async function refuseOtherTopics(brokers: readonly string[]): Promise<void> {
  if (brokers.length === 0) return;
  const bus = kafkaBus({ brokers, clientId: 'sejam-restore' });
  try {
    await bus.ensureTopics(Object.keys(topics));
    for (const topic of Object.keys(topics)) {
      for await (const _ of bus.readTopic(topic)) throw new StartFault(`Kafka's topic ${topic} holds messages about what was recorded after the backup: delete the topics ${Object.keys(topics).join(', ')}, the services publish them again`);
    }
  } finally {
    await bus.close();
  }
}

/** Of the store that was put back already; it must be that of the backup. */
async function eventsOf(url: string, recordId: string): Promise<number> {
  const store = connectEventStore(url, { logger: createLogger({ name: 'restore', level: 'silent' }) });
  try {
    const record = await readRecord(store);
    if (record?.recordId !== recordId) throw new StartFault(`The backup is of record ${recordId}, and the event store holds ${record === undefined ? 'none: put it back first, with its own tools' : `record ${record.recordId}`}`);
    let count = 0;
    for await (const event of store.readAll()) if (isLogged(event)) count += 1;
    return count;
  } finally {
    await store.close();
  }
}

function copyWhereAbsent(from: string, to: string): void {
  if (existsSync(to)) {
    if (readFileSync(to).equals(readFileSync(from))) return;
    throw new StartFault(`${to} is there and is not ${basename(to)} of the backup: move it away first`);
  }
  mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
  copyFileSync(from, to);
  chmodSync(to, 0o600);
  sync(to);
}
