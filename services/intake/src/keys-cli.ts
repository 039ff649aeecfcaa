import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { domainClock, isDomainError, readRecord, transactor } from '@sejam/event-sourcing';
import { connectEventStore } from '@sejam/eventstoredb';
import { MasterKeyFault } from '@sejam/privacy';
import { createLogger, keyIdOf, readCredentials, StartFault } from '@sejam/service-host';
import { putKeyInFront, retireOldKeys, showMasterKeys, type MasterKeyAction } from './master-key-cli.js';
import { rotateKeys, type RotatedKey } from './organisation/rotate-keys.js';

const USAGE = `sejam-keys: new keys for those who lost theirs, and another master key, on the host

  sejam-keys rotate <organisation>... [--overlap <minutes>]   new keys for every active key; the old ones end after the overlap, at once without it
  sejam-keys master-key                                       which master keys there are, and how much is kept under which; never a key itself
  sejam-keys master-key add                                   puts a new master key in front; services seal anew at their next start
  sejam-keys master-key retire                                takes the old ones out, once nothing is kept under them

Finds the event store by EVENTSTORE_URL and the database by DATABASE_URL, or by the data folder of a running "npm start" (SEJAM_HOME, .sejam without
it). New keys are printed once, and put into the credentials file (SEJAM_CREDENTIALS_FILE, or that of the data folder) where it is there. The
master keys lie in SEJAM_MASTER_KEY_FILE, or in the data folder.`;

const masterKeyActions = new Map<string, MasterKeyAction>([['show', showMasterKeys], ['add', putKeyInFront], ['retire', retireOldKeys]]);

/** Runs the command line; resolves with the exit code. */
export async function run(args: readonly string[], env: Readonly<Record<string, string | undefined>> = process.env): Promise<number> {
  let parsed;
  try {
    parsed = parseArgs({ args: [...args], options: { overlap: { type: 'string', default: '0' }, help: { type: 'boolean', short: 'h', default: false } }, allowPositionals: true });
  } catch (error) {
    return complain(`${(error as Error).message}\n\n${USAGE}`, 2);
  }
  const { values, positionals: [command, ...rest] } = parsed;
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const overlapMinutes = Number(values.overlap);
  const [action = 'show', ...more] = rest;
  const onMasterKey = command === 'master-key' && more.length === 0 ? masterKeyActions.get(action) : undefined;
  if (onMasterKey === undefined && (command !== 'rotate' || rest.length === 0)) return complain(USAGE, 2);
  if (!Number.isInteger(overlapMinutes) || overlapMinutes < 0 || overlapMinutes > 1440) return complain('The overlap is a whole number of minutes from 0 to 1440.', 2);
  try {
    if (onMasterKey === undefined) await rotate(rest, overlapMinutes, env);
    else await onMasterKey(env, (line) => void process.stdout.write(`${line}\n`));
    return 0;
  } catch (error) {
    if (!isDomainError(error) && !(error instanceof StartFault || error instanceof MasterKeyFault) && (error as Error).name !== 'StoreUnavailable') throw error;
    return complain(`${(error as Error).message.replace(/\.?$/, '.')}`, 1);
  }
}

async function rotate(organisations: readonly string[], overlapMinutes: number, env: Readonly<Record<string, string | undefined>>): Promise<void> {
  const home = resolve(env['SEJAM_HOME'] ?? '.sejam');
  const store = connectEventStore(env['EVENTSTORE_URL'] ?? runningStore(home), { logger: createLogger({ name: 'sejam-keys', level: 'silent' }) });
  try {
    const record = await readRecord(store);
    if (record === undefined) throw new StartFault('The record has not been opened yet: start Sejam once');
    const transact = transactor(store, domainClock(record, Date.now));
    const file = env['SEJAM_CREDENTIALS_FILE'] ?? join(home, 'credentials.json');
    for (const organisation of organisations) {
      const rotated = await rotateKeys(transact, organisation, { run: randomUUID(), overlapUntil: new Date(Date.now() + overlapMinutes * 60_000) });
      process.stdout.write(`${organisation}: ${rotated.length === 0 ? 'no key was active' : `${rotated.length} new ${rotated.length === 1 ? 'key' : 'keys'}; the old ones end ${overlapMinutes === 0 ? 'now' : `in ${overlapMinutes} min`}`}\n`);
      for (const { holder, roles, key } of rotated) process.stdout.write(`  ${holder} (${roles.join(', ')})\n  ${key}\n`);
      if (existsSync(file)) {
        putIntoFile(file, record.recordId, rotated);
        process.stdout.write(`They stand in ${file}.\n`);
      } else process.stdout.write('They are not kept anywhere: write them down now.\n');
    }
  } finally {
    await store.close();
  }
}

function runningStore(home: string): string {
  try {
    const { eventStoreUrl } = JSON.parse(readFileSync(join(home, 'running.json'), 'utf8')) as { eventStoreUrl?: string };
    if (eventStoreUrl !== undefined) return eventStoreUrl;
  } catch {
    // Answered below.
  }
  throw new StartFault(`No Sejam runs on ${home}: start it by "npm start", or name the event store in EVENTSTORE_URL`);
}

/** Each new key under the name that the old one has there; of keys that the file does not know it says nothing. */
function putIntoFile(file: string, recordId: string, rotated: readonly RotatedKey[]): void {
  const credentials = readCredentials(file, recordId);
  const renewed = new Map(rotated.map(({ oldKeyId, key }) => [oldKeyId, key]));
  const keys = Object.fromEntries(Object.entries(credentials.keys).map(([name, key]) => [name, renewed.get(keyIdOf(key) ?? '') ?? key]));
  const fresh = `${file}.${process.pid}`;
  try {
    writeFileSync(fresh, `${JSON.stringify({ ...credentials, keys }, null, 2)}\n`, { mode: 0o600, flush: true });
    renameSync(fresh, file);
  } finally {
    rmSync(fresh, { force: true });
  }
}

function complain(sentence: string, exitCode: number): number {
  process.stderr.write(`${sentence}\n`);
  return exitCode;
}
