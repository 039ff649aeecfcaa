import { randomBytes, randomUUID } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { domainClock, openRecord, readRecord, record, recordStreamId, transactor, type EventStore, type OpenedRecord } from '@sejam/event-sourcing';
import { createMasterKeyFile, loadMasterKey } from '@sejam/privacy';
import { newApiKey, readCredentials, StartFault, type Credentials } from '@sejam/service-host';
import { generateSecret } from '@sejam/webhooks';

const platforms = ['meta', 'google', 'tiktok', 'telegram', 'snackvideo', 'line'] as const;
const keyNames = ['operator', 'kominfo', 'kominfoReviewer', 'kpu', 'kpuReviewer', 'bawaslu', 'bawasluReviewer', 'partner', 'auditor', 'consumer', ...platforms] as const;

export interface FirstStartOptions {
  readonly store: EventStore;
  readonly masterKeyFile: string;
  readonly credentialsFile: string;
  /** Where the gateway is reached; kept up to date in the credentials file. */
  readonly baseUrl: string;
  /** Undefined: what the record says, 1 for a new one. */
  readonly speed: number | undefined;
  /** Domain time at which a new record begins; undefined: now. */
  readonly origin: string | undefined;
}

export interface FirstStart {
  readonly record: OpenedRecord;
  /** `lost`: the record has its organisations, and the file with their keys is gone. */
  readonly credentials: 'written' | 'kept' | 'lost';
}

/**
 * Makes what a first start needs, and finds it there at every later one: the master key, then the record, then the credentials file, each on
 * disk before the next is begun, so that it may be killed anywhere and run again. Waits for a store that is away. Throws StartFault, one sentence.
 */
export async function firstStart(options: FirstStartOptions): Promise<FirstStart> {
  const { store, masterKeyFile, credentialsFile } = options;
  let opened = await whenThere(() => readRecord(store));
  if (opened === undefined) {
    if (existsSync(credentialsFile)) {
      throw new StartFault(`The event store is empty, but the credentials file ${credentialsFile} belongs to a record: put back the event store's data, or move the file away to begin anew`);
    }
    if (existsSync(masterKeyFile)) loadMasterKey(masterKeyFile);
    else createMasterKeyFile(masterKeyFile);
    opened = await open(options);
  } else {
    loadMasterKey(masterKeyFile);
    if (options.speed !== undefined && options.speed !== opened.speed) {
      throw new StartFault(`This record runs at speed ${opened.speed}, not ${options.speed}: leave SEJAM_SPEED out, or give the other speed a folder of its own in SEJAM_HOME`);
    }
  }

  if (existsSync(credentialsFile)) {
    const credentials = readCredentials(credentialsFile, opened.recordId);
    if (credentials.baseUrl !== options.baseUrl) writeCredentials(credentialsFile, { ...credentials, baseUrl: options.baseUrl });
    return { record: opened, credentials: 'kept' };
  }
  // Organisations are appended from the file: where they stand, the file was there.
  if (await hasOrganisations(store)) return { record: opened, credentials: 'lost' };
  writeCredentials(credentialsFile, {
    baseUrl: options.baseUrl,
    recordId: opened.recordId,
    keys: Object.fromEntries(keyNames.map((name) => [name, newApiKey(name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)).key])),
    webhookSecrets: Object.fromEntries(platforms.map((platform) => [platform, { orders: generateSecret(), answers: generateSecret() }])),
  });
  return { record: opened, credentials: 'written' };
}

async function open({ store, speed = 1, origin }: FirstStartOptions): Promise<OpenedRecord> {
  const start = new Date().toISOString();
  const wanted = { recordId: randomUUID(), start, origin: origin ?? start, speed };
  const transact = transactor(store, domainClock(wanted, Date.now));
  const cause = { causationId: 'first-start', correlationId: 'first-start', by: { organisation: 'sejam', holder: 'system:supervisor' } };
  await transact(record, recordStreamId, cause, (state) => openRecord(state, wanted));
  // Another start may have been faster: what stands in the record counts.
  return (await readRecord(store)) ?? wanted;
}

async function hasOrganisations(store: EventStore): Promise<boolean> {
  for await (const _ of store.readAll({ prefixes: ['organisation-'] })) return true;
  return false;
}

const patienceMs = 60_000;

async function whenThere<T>(read: () => Promise<T>): Promise<T> {
  for (const deadline = Date.now() + patienceMs; ; await delay(200)) {
    try {
      return await read();
    } catch (error) {
      if ((error as Error).name !== 'StoreUnavailable') throw error;
      if (Date.now() > deadline) throw new StartFault(`The event store does not answer: ${(error as Error).message}`);
    }
  }
}

/** Whole and on disk, or not there at all. */
function writeCredentials(file: string, credentials: Credentials): void {
  const fresh = `${file}.${randomBytes(4).toString('hex')}`;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    const handle = openSync(fresh, 'wx', 0o600);
    writeFileSync(handle, `${JSON.stringify(credentials, null, 2)}\n`);
    fsyncSync(handle);
    closeSync(handle);
    renameSync(fresh, file);
    const folder = openSync(dirname(file), 'r');
    fsyncSync(folder);
    closeSync(folder);
  } catch (error) {
    throw new StartFault(`The credentials file ${file} cannot be written (${(error as NodeJS.ErrnoException).code ?? String(error)})`);
  } finally {
    rmSync(fresh, { force: true });
  }
}
