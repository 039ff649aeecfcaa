import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { startEventStore, type RunningEventStore } from '@sejam/embedded-eventstore';
import { domainClock, type EventStore, type NewEvent } from '@sejam/event-sourcing';
import { connectEventStore } from '@sejam/eventstoredb';
import { postgresMigrations, type Pool } from '@sejam/postgres';
import { addMasterKey, createMasterKeyFile, dropOldMasterKeys, resealAll, type MasterKey } from '@sejam/privacy';
import { createLogger, hostSettings, IdentityDirectory, newApiKey, readConfig, startService, type RunningService } from '@sejam/service-host';
import { eventually, testDatabase, type TestDatabase } from '@sejam/testkit';
import { noteSigner, openCheckpoint, parsePolicy, parseTlogProof, sha256, verifyTlogProof, type NoteSigner } from '@sejam/transparency-log';
import type { AddressInfo } from 'node:net';
import { auditAccess } from './access.js';
import { AuditModule } from './audit.module.js';
import { openBundle } from './bundle/bundle.js';
import { leafOf, parseEventLine } from './bundle/event-line.js';
import { exportBundle } from './bundle/export-bundle.js';
import { verifyBundle } from './bundle/verify-bundle.js';
import { Alarms } from './log/alarms.js';
import { askWitnesses } from './log/ask-witnesses.js';
import { compareWithRecord } from './log/compare-record.js';
import { integrateEvents, type Integration } from './log/integrate-events.js';
import { openLogKey, sealedLogKey } from './log/log-key.js';
import { newestCheckpoint } from './log/signed-checkpoints.js';
import { TransparencyLog } from './log/transparency-log.js';
import { createWitnessServer } from './witness/witness-server.js';

// Each test has a store, a schema and often a restart of its own.
jest.setTimeout(60_000);

const log = createLogger({ name: 'audit', level: 'silent' });
const migrations = [postgresMigrations, { part: 'audit', folder: new URL('../migrations/', import.meta.url) }];
const quiet = { logger: { warn: (): void => undefined } };

let home: string;
let server: RunningEventStore;
let store: EventStore;
let database: TestDatabase;
let pool: Pool;
let masterKey: MasterKey;
let signer: NoteSigner;
const running: { stop(): Promise<void> }[] = [];
let schemas = 0;

beforeAll(async () => {
  database = await testDatabase();
});

afterAll(() => database?.drop());

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'sejam-audit-'));
  server = await startEventStore({ dataFolder: join(home, 'record') });
  store = connectEventStore(server.url, quiet);
  pool = await database.pool(`audit_${(schemas += 1)}`, migrations);
  masterKey = createMasterKeyFile(join(home, 'master.key'));
  signer = await openLogKey(pool, masterKey, 'sejam/test');
});

afterEach(async () => {
  for (const part of running.splice(0).reverse()) await part.stop();
  await store.close();
  await server.close();
  rmSync(home, { recursive: true, force: true });
});

let ids = 0;
const uuid = () => `0193be00-0000-7000-8000-${(ids += 1).toString(16).padStart(12, '0')}`;
const at = (minutes: number) => new Date(Date.UTC(2024, 10, 24, 9) + minutes * 60_000).toISOString();

function newEvent(type: string, data: object = {}, metadata: object = {}, minutes = 0): NewEvent {
  return { id: uuid(), type, data, metadata: { at: at(minutes), by: { organisation: 'sejam', holder: 'system:routing' }, causationId: `request:kpu:${ids}`, correlationId: 'c', ...metadata } };
}

/** `count` events over a few streams, among copies of the bus that are no part of the record. */
async function record(count: number, name = 'a'): Promise<string[]> {
  const made: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const [stream, revision] = [`takedown-${name}${index % 3}`, Math.floor(index / 3)];
    const event = newEvent(revision === 0 ? 'TakedownOpened' : 'ReportJoined', { takedownId: `${name}${index % 3}`, platform: 'tiktok', text: 'ä “✓” 🗳️' }, {}, index);
    await store.append(stream, [event], revision === 0 ? 'no-stream' : revision - 1);
    await store.append('topic-sejam.takedown.v1', [newEvent('message')], 'any');
    made.push(event.id);
  }
  return made;
}

const alarms = (onNew?: (kind: string) => void) => new Alarms(pool, log, onNew);

function integrate(from: EventStore = store): Integration {
  const integration = integrateEvents({ store: from, pool, transparencyLog: new TransparencyLog(pool, signer), alarms: alarms(), log });
  running.push(integration);
  return integration;
}

async function halt(integration: Integration) {
  running.splice(running.indexOf(integration), 1);
  await integration.stop();
}

const sized = (size: number) => eventually(async () => {
  const newest = await newestCheckpoint(pool);
  expect(newest?.size).toBe(size);
  return newest!;
});

const keys = { auditor: newApiKey('auditor'), bawaslu: newApiKey('bawaslu'), tiktok: newApiKey('tiktok'), meta: newApiKey('meta'), partner: newApiKey('partner') };

async function serve(policy?: ReturnType<typeof parsePolicy>): Promise<RunningService> {
  const directory = new IdentityDirectory().alwaysFresh();
  for (const [organisation, kind, role] of [['auditor', 'auditor', 'auditor'], ['bawaslu', 'agency', 'reviewer'], ['tiktok', 'platform', 'platform'], ['meta', 'platform', 'platform'], ['partner', 'partner', 'reporter']] as const) {
    const { keyId, sha256: secretSha256 } = keys[organisation];
    directory.apply({ type: 'OrganisationRegistered', data: { organisation, kind, name: organisation } });
    directory.apply({ type: 'KeyIssued', data: { organisation, keyId, holder: organisation, roles: [role], secretSha256 } });
  }
  const closing = new AbortController();
  const service = await startService({
    name: 'audit', config: readConfig(hostSettings({ port: 0, internalPort: 0 }), { RATE_LIMIT_PER_KEY: '100000' }), log, access: auditAccess, directory, readiness: {},
    module: AuditModule.with({
      store, pool, alarms: alarms(), logKey: signer.verifier, closing: closing.signal, ...(policy === undefined ? {} : { policy }),
      clock: domainClock({ start: '2024-11-24T10:00:00.000Z', origin: '2024-11-24T10:00:00.000Z', speed: 1 }, () => Date.parse('2024-11-24T10:00:00.000Z')),
    }),
  });
  running.push({ stop: async () => { closing.abort(); await service.close(); } });
  return service;
}

const get = (service: RunningService, path: string, key?: { key: string }) => fetch(`${service.url}${path}`, key ? { headers: { authorization: `Bearer ${key.key}` } } : {});

async function exported(service: RunningService, name = 'bundle'): Promise<string> {
  const out = join(home, name);
  await exportBundle({ url: service.url, key: keys.auditor.key, out, now: new Date('2024-11-24T12:00:00Z') });
  return out;
}

describe('The key of the log', () => {
  it('is the same one under another master key', async () => {
    const newer = addMasterKey(join(home, 'master.key'));
    const again = () => resealAll({ pool, masterKey: newer, columns: [sealedLogKey], log });
    expect([await again(), await again()]).toEqual([1, 0]);
    dropOldMasterKeys(join(home, 'master.key'));
    expect((await openLogKey(pool, newer, 'sejam/test')).verifier.vkey).toBe(signer.verifier.vkey);
  });
});

describe('the log', () => {
  it('covers every event of the record, in order and nothing else, and an export of it verifies', async () => {
    integrate();
    await record(40);
    const { note } = await sized(40);
    const service = await serve();
    const bundle = await exported(service);
    const report = verifyBundle(openBundle(bundle), { key: signer.verifier, kept: [{ name: 'kept', note }] });
    expect(report).toMatchObject({ holds: true, events: 40, streams: 3 });
    await record(10, 'b');
    await sized(50);
    await exported(service);
    expect(verifyBundle(openBundle(bundle), { kept: [{ name: 'kept', note }] })).toMatchObject({ holds: true, events: 50 });
  });

  it('goes on where it stopped, and two at once make one log', async () => {
    await halt(integrate());
    await record(20);
    integrate();
    integrate();
    await record(20, 'b');
    const first = await sized(40);
    // A third that is no instance of ours, without any lease.
    const other = new TransparencyLog(pool, signer);
    const everything = [];
    for await (const event of store.readAll()) everything.push(event);
    const [left, right] = await Promise.all([other.integrate(everything, everything.at(-1)!.position), new TransparencyLog(pool, signer).integrate(everything, everything.at(-1)!.position)]);
    expect([left, right]).toEqual([undefined, undefined]);
    expect(await sized(40)).toEqual(first);
  });

  it('reads again when an event was skipped on the way, and never leaves it out', async () => {
    await record(9);
    let skipped = false;
    const forgetful: EventStore = {
      ...store,
      subscribe: (options) => store.subscribe({
        ...options,
        handle: (events, checkpoint) => {
          const list = skipped ? events : events.filter(({ stream, revision }) => !(stream === 'takedown-a1' && revision === 0));
          skipped ||= list.length < events.length;
          return options.handle(list, checkpoint);
        },
      }),
    };
    integrate(forgetful);
    await sized(9);
    expect(skipped).toBe(true);
    const service = await serve();
    expect(verifyBundle(openBundle(await exported(service))).holds).toBe(true);
  });

  it('is made again from the record after its derived tables were lost, with the roots that were signed', async () => {
    const before = integrate();
    await record(30);
    const signed = await sized(30);
    await halt(before);
    await pool.query('TRUNCATE leaf, node');
    await pool.query('UPDATE log SET size = 0, commit_position = NULL, prepare_position = NULL');
    integrate();
    await eventually(async () => expect(await new TransparencyLog(pool, signer).place()).toMatchObject({ size: 30 }));
    expect(await newestCheckpoint(pool)).toEqual(signed);
    await record(3, 'b');
    await sized(33);
  });
});

describe('a record that was put back from an older copy', () => {
  it('is noticed at the start, stops the log, and is caught by what a platform kept', async () => {
    await record(12);
    const yesterday = integrate();
    await sized(12);
    await halt(yesterday);
    await store.close();
    await server.close();
    cpSync(join(home, 'record'), join(home, 'yesterday'), { recursive: true });
    server = await startEventStore({ dataFolder: join(home, 'record') });
    store = connectEventStore(server.url, quiet);
    const today = integrate();
    await record(12, 'b');
    const kept = await sized(24);
    await halt(today);
    await store.close();
    await server.close();
    rmSync(join(home, 'record'), { recursive: true });
    cpSync(join(home, 'yesterday'), join(home, 'record'), { recursive: true });
    server = await startEventStore({ dataFolder: join(home, 'record') });
    store = connectEventStore(server.url, quiet);

    await expect(compareWithRecord(pool, store)).rejects.toThrow('the record ends after 12');

    // The log is made anew as well, by somebody who would like nobody to know.
    const [ours, theirs] = [pool, await database.pool(`audit_forged_${schemas}`, migrations)];
    await theirs.query('INSERT INTO log SELECT only_row, origin, vkey, sealed_secret FROM ' + `${ours.schema}.log`);
    pool = theirs;
    integrate();
    await record(5, 'c');
    await sized(17);
    const bundle = await exported(await serve());
    expect(verifyBundle(openBundle(bundle), { key: signer.verifier }).holds).toBe(true);
    expect(verifyBundle(openBundle(bundle), { key: signer.verifier, kept: [{ name: 'kept by tiktok', note: kept.note }] }).counts).toEqual({ 'record-truncated': 1 });
    await record(9, 'd');
    await sized(26);
    rmSync(bundle, { recursive: true });
    await exported(await serve());
    expect(verifyBundle(openBundle(bundle), { kept: [{ name: 'kept by tiktok', note: kept.note }] }).counts).toEqual({ 'record-rewritten': 1 });
  });

  it('is never signed over: the tables say what was signed', async () => {
    const before = integrate();
    await record(10);
    await sized(10);
    await halt(before);
    await pool.query('TRUNCATE leaf, node');
    await pool.query('UPDATE log SET size = 0, commit_position = NULL, prepare_position = NULL');
    await pool.query('DELETE FROM signed_checkpoint WHERE size < 10');
    await store.close();
    await server.close();
    mkdirSync(join(home, 'other'));
    server = await startEventStore({ dataFolder: join(home, 'other') });
    store = connectEventStore(server.url, quiet);
    await record(4, 'short');
    const halted = integrate();
    await eventually(() => expect(halted.halted()).toContain('A checkpoint of 10 events was signed'));
    await halt(halted);
    await record(20, 'long');
    const again = integrate();
    await eventually(() => expect(again.halted()).toContain('are not those over which a checkpoint was signed'));
    expect((await newestCheckpoint(pool))?.size).toBe(10);
    expect((await alarms().list()).map(({ kind }) => kind)).toEqual(['log-halted']);

    const told: string[] = [];
    const later = alarms((kind) => told.push(kind));
    await later.recall();
    await later.raise('log-halted', 'log', 'The same again');
    await later.raise('revision-gap', 'takedown-1', 'Another');
    expect(told).toEqual(['log-halted', 'revision-gap']);
  });
});

describe('a receipt', () => {
  it('is verified offline, and given only to whoever may see its event', async () => {
    integrate();
    const ids = await record(20);
    await store.append('report-r', [newEvent('ReportSubmitted', { reportedBy: 'partner' })], 'no-stream');
    const service = await serve();
    await sized(21);
    for (const id of [ids[0]!, ids[7]!, ids[19]!]) {
      const answer = await get(service, `/v1/audit/proofs/${id}`, keys.bawaslu);
      expect(answer.status).toBe(200);
      const proof = parseTlogProof(await answer.text());
      const line = parseEventLine(Buffer.from(proof.extra!));
      expect(line.event.id).toBe(id);
      expect(verifyTlogProof(proof, leafOf(line).hash, { log: [signer.verifier] }).size).toBe(21);
    }
    const status = async (id: string, key: { key: string }) => (await get(service, `/v1/audit/proofs/${id}`, key)).status;
    expect([await status(ids[0]!, keys.tiktok), await status(ids[0]!, keys.meta), await status(ids[0]!, keys.partner)]).toEqual([200, 404, 404]);
    expect(await status(ids[7]!, keys.tiktok)).toBe(404);
    const report = (await (await get(service, '/v1/audit/events?stream=report-r', keys.auditor)).text()).trim();
    const reportEvent = parseEventLine(Buffer.from(report)).event.id;
    expect([await status(reportEvent, keys.partner), await status(reportEvent, keys.tiktok), await status(reportEvent, keys.auditor)]).toEqual([200, 404, 200]);
    expect(await status('0193be00-0000-7000-8000-ffffffffffff', keys.auditor)).toBe(404);
  });
});

describe('the addresses', () => {
  it('show checkpoints, consistency and keys to anybody, and events to auditors alone', async () => {
    const service = await serve();
    expect((await get(service, '/v1/audit/checkpoint')).status).toBe(503);
    integrate();
    await record(12);
    await sized(12);
    expect(openCheckpoint(await (await get(service, '/v1/audit/checkpoint?cosigned=true')).text(), { log: [signer.verifier] }).size).toBe(12);
    expect(await (await get(service, '/v1/audit/consistency?from=5')).json()).toMatchObject({ from: { size: 5 }, to: { size: 12 } });
    expect((await get(service, '/v1/audit/consistency?from=5&to=13')).status).toBe(400);
    expect((await get(service, '/v1/audit/consistency?from=-1')).status).toBe(400);
    expect(await (await get(service, '/v1/audit/keys')).json()).toEqual({ log: [signer.verifier.vkey], witnesses: [] });
    expect((await get(service, '/v1/audit/events')).status).toBe(401);
    expect((await get(service, '/v1/audit/events', keys.bawaslu)).status).toBe(403);
    const lines = (await (await get(service, '/v1/audit/events?from=4&limit=3', keys.auditor)).text()).trim().split('\n').map((line) => parseEventLine(Buffer.from(line)));
    expect(lines.map(({ index }) => index)).toEqual([4, 5, 6]);
    const one = (await (await get(service, '/v1/audit/events?stream=takedown-a1', keys.auditor)).text()).trim().split('\n').map((line) => parseEventLine(Buffer.from(line)));
    expect(one.map(({ index, event }) => [index, event.revision])).toEqual([[1, 0], [4, 1], [7, 2], [10, 3]]);
    for (const line of [...lines, ...one]) expect(leafOf(line).text).toBe(line.claimedLeaf);
  });

  it('follow the log as it grows', async () => {
    integrate();
    await record(3);
    await sized(3);
    const service = await serve();
    const gone = new AbortController();
    const response = await fetch(`${service.url}/v1/audit/events?follow=true&from=2`, { headers: { authorization: `Bearer ${keys.auditor.key}` }, signal: gone.signal });
    let text = '';
    const reading = (async () => {
      for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) text += chunk;
    })().catch(() => undefined);
    await record(2, 'b');
    await eventually(() => expect(text.trim().split('\n')).toHaveLength(3));
    gone.abort();
    await reading;
  });

  it('replay a takedown as of a moment', async () => {
    const service = await serve();
    const id = '7c9e6679-7425-50de-944b-e07fc1f90ae7';
    await store.append(`takedown-${id}`, [newEvent('TakedownOpened', { takedownId: id, platform: 'tiktok' }, {}, 0), newEvent('ReportJoined', { reportId: 'r', reportedBy: 'kpu' }, {}, 5)], 'no-stream');
    const asOf = async (minutes: number) => (await get(service, `/v1/audit/takedowns/${id}?at=${at(minutes)}`, keys.bawaslu)).json();
    expect(await asOf(1)).toMatchObject({ status: 'awaiting_delivery', reports: [] });
    expect(await asOf(5)).toMatchObject({ reports: [{ reportId: 'r', reportedBy: 'kpu' }] });
    expect(await asOf(-1)).toMatchObject({ code: 'takedown.not-found' });
    expect((await get(service, `/v1/audit/takedowns/${id}?at=noon`, keys.bawaslu)).status).toBe(400);
  });
});

describe('witnesses', () => {
  const kpu = noteSigner('kpu.example/witness', 'cosignature/v1', sha256('kpu'));

  async function startWitness(port = 0) {
    const witness = createWitnessServer({ signer: kpu, logs: [signer.verifier], stateFile: join(home, 'witness.json'), now: () => new Date('2024-11-24T12:00:00Z') });
    await new Promise<void>((resolve) => witness.listen(port, '127.0.0.1', resolve));
    running.push({ stop: () => new Promise<void>((resolve) => { witness.closeAllConnections(); witness.close(() => resolve()); }) });
    return parsePolicy(`log ${signer.verifier.vkey}\nwitness kpu ${kpu.verifier.vkey} http://127.0.0.1:${(witness.address() as AddressInfo).port}\nquorum kpu\n`);
  }
  const ask = (policy: ReturnType<typeof parsePolicy>) => {
    const asking = askWitnesses({ pool, policy, alarms: alarms(), log, everyMs: 20 });
    running.push(asking);
    return asking;
  };

  it('cosign the log as it grows, and the cosignatures are published', async () => {
    const policy = await startWitness();
    integrate();
    const asking = ask(policy);
    const service = await serve(policy);
    const cosigned = (size: number) => eventually(async () => {
      const checkpoint = openCheckpoint(await (await get(service, '/v1/audit/checkpoint?cosigned=true')).text(), { log: [signer.verifier], witnesses: [kpu.verifier] });
      expect([checkpoint.size, checkpoint.cosignatures.length]).toEqual([size, 1]);
    });
    await record(5);
    await cosigned(5);
    await record(9, 'b');
    await cosigned(14);
    await asking.stop();
    await record(3, 'c');
    await sized(17);
    const report = verifyBundle(openBundle(await exported(service)), { policy });
    expect(report).toMatchObject({ holds: true, events: 14, cosignedBy: [{ name: 'kpu.example/witness' }] });
    // What was signed since is none of its checkpoints.
    expect(report.checkpoints.every(({ holds }) => holds)).toBe(true);
  });

  it('that have seen another log raise an alarm and do not cosign', async () => {
    const policy = await startWitness();
    writeFileSync(join(home, 'witness.json'), JSON.stringify({ 'sejam/test': { size: 3, root: sha256('another tree').toString('base64'), checkpoint: '' } }));
    const other = await startWitness();
    integrate();
    await record(5);
    await sized(5);
    ask(other);
    await eventually(async () => expect((await alarms().list()).map(({ kind }) => kind)).toEqual(['witness-disagrees']));
    expect((await pool.query('SELECT * FROM cosignature')).rowCount).toBe(0);
    expect(policy.witnesses).toHaveLength(1);
  });
});
