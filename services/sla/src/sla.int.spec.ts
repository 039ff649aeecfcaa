import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { busMigrations, BusTransport, logBus, toEnvelope, type Bus } from '@sejam/bus';
import { encode } from '@sejam/contracts';
import { builtInTerms, type Terms } from '@sejam/deadlines';
import { domainClock, transactor, type StoredEvent } from '@sejam/event-sourcing';
import { memoryEventStore } from '@sejam/event-sourcing/testing';
import { postgresMigrations, runProjection, type Pool, type Projection } from '@sejam/postgres';
import { createLogger, hostSettings, IdentityDirectory, Metrics, newApiKey, readConfig, startService, transactorForRequests, type RunningService } from '@sejam/service-host';
import { eventually, testDatabase, type TestDatabase } from '@sejam/testkit';
import { slaAccess } from './access.js';
import type { ClockEvent } from './clock/clock.js';
import { applySlaEvents } from './clock/clock-view.js';
import { watchdog, type Watchdog } from './clock/watchdog.js';
import { SlaModule } from './sla.module.js';

/** Ten minutes are 150 ms. */
const speed = 4_000;
const clock = domainClock({ start: new Date().toISOString(), origin: '2024-11-27T00:00:00.000Z', speed }, Date.now);
const store = memoryEventStore();
const keys = { kpu: newApiKey('kpu'), operator: newApiKey('operator') };

let database: TestDatabase;
let pool: Pool;
let bus: Bus;
let rows: Projection;
let dog: Watchdog;
let service: RunningService;

beforeAll(async () => {
  database = await testDatabase();
  pool = await database.pool('sla', [postgresMigrations, { part: 'sla', folder: new URL('../migrations/', import.meta.url) }, busMigrations]);
  bus = logBus({ store });
  const transact = transactor(store, clock);
  const log = createLogger({ name: 'sla', level: 'silent' });
  const metrics = new Metrics('sla');
  rows = runProjection({ pool, store, name: 'clocks', prefixes: ['clock-', 'slapolicy-'], apply: applySlaEvents, onApplied: (events) => dog?.announce(events) });
  dog = watchdog({ pool, transact, clock, metrics, log, active: () => rows.status().active });
  const directory = new IdentityDirectory().alwaysFresh();
  directory.apply({ type: 'OrganisationRegistered', data: { organisation: 'kpu', kind: 'agency', name: 'KPU' } });
  directory.apply({ type: 'OrganisationRegistered', data: { organisation: 'operator', kind: 'operator', name: 'Operator' } });
  directory.apply({ type: 'KeyIssued', data: { organisation: 'kpu', keyId: 'kpu', holder: 'officer:1', roles: ['reviewer'], secretSha256: keys.kpu.sha256 } });
  directory.apply({ type: 'KeyIssued', data: { organisation: 'operator', keyId: 'operator', holder: 'officer:2', roles: ['operator'], secretSha256: keys.operator.sha256 } });
  service = await startService({
    name: 'sla',
    module: SlaModule.with({ transact, transactForRequests: transactorForRequests(transact), clock, pool, rows, metrics, log }),
    config: readConfig(hostSettings({ port: 0, internalPort: 0 }), {}),
    log,
    access: slaAccess,
    directory,
    readiness: {},
    transports: [new BusTransport({ bus, pool, consumer: 'sla' })],
  });
});

afterAll(async () => {
  await service?.close();
  await dog?.stop();
  await rows?.stop();
  await bus?.close();
  await database?.drop();
});

/** A takedown as routing tells of it: each event once, in order, now. */
function takedown() {
  const id = randomUUID();
  const orderId = `${id}.1`;
  let sequence = -1;
  const tell = async (type: string, data: object, status: string) => {
    sequence += 1;
    const summary = { id, platform: 'tiktok', product: 'tiktok', contentKey: `tiktok:video:${id}`, category: 'hoax.other', status, round: 1 };
    await bus.publish('sejam.takedown.v1', [
      toEnvelope({
        id: randomUUID(), type: `sejam.takedown.v1.${type}`, source: 'sejam://r/routing', subject: `takedown-${id}`, time: clock.now().toISOString(), sequence,
        data: encode('sejam.takedown.v1', type, { takedown: summary, ...data }) as Record<string, unknown>,
      }),
    ]);
  };
  const issue = (terms: Terms = builtInTerms) => tell('OrderIssued', {
    orderId, round: 1, approvedAt: clock.now().toISOString(), requestedAction: 'removed', category: 'hoax.other', legalBasis: [], reasons: 'x', decidedBy: 'kpu', issuedBy: 'kominfo', reports: 1, terms, test: false,
  }, 'awaiting_delivery');
  return { id, orderId, tell, issue, deliver: () => tell('OrderDelivered', { orderId, via: 'webhook' }, 'delivered') };
}

const recordedOf = (id: string) => store.all().filter(({ stream }) => stream === `clock-${id}`) as StoredEvent<ClockEvent>[];
const lines = (id: string) => recordedOf(id).map(({ type, data }) => `${type} ${data.clock}/${data.run}`);

async function get(path: string, key = keys.kpu.key, init: RequestInit = {}) {
  const response = await fetch(`${service.url}${path}`, { ...init, headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' } });
  return { status: response.status, body: (await response.json()) as { items: { kind: string; status: string; version?: number }[]; code: string; version: number; eventId: string } };
}

describe('sla', () => {
  it('says when an order\'s due times come, once each, and that they were missed when something later is recorded', async () => {
    const { orderId, issue, deliver, tell } = takedown();
    await issue();
    await deliver();
    await eventually(() => expect(lines(orderId)).toEqual(expect.arrayContaining(['DeadlineReached acknowledgement/1', 'DeadlineApproaching resolution/1', 'DeadlineReached resolution/1'])));
    await tell('ContentActioned', { orderId, action: 'removed', asRequested: true, actionedAt: clock.now().toISOString() }, 'actioned');
    await eventually(() => expect(lines(orderId)).toEqual(expect.arrayContaining(['DeadlineMissed acknowledgement/1', 'DeadlineMissed resolution/1'])));
    expect(new Set(lines(orderId)).size).toBe(lines(orderId).length);
    for (const event of recordedOf(orderId)) if (event.type === 'DeadlineReached') expect(event.metadata.at > event.data.due).toBe(true);
    await eventually(async () => expect((await get(`/v1/clocks?orderId=${orderId}`)).body.items.map(({ kind, status }) => `${kind} ${status}`).sort()).toEqual(['acknowledgement missed', 'dispatch met', 'resolution missed']));
  });

  it('says nothing of an order that is answered in time, whatever the number of times it is told', async () => {
    const { orderId, issue, deliver, tell } = takedown();
    // However slowly this machine hands messages over.
    await issue({ ...builtInTerms, acknowledgeWithinMinutes: 1_000_000, resolveWithinMinutes: 1_000_000 });
    await deliver();
    await tell('ContentActioned', { orderId, action: 'removed', asRequested: true, actionedAt: clock.now().toISOString() }, 'actioned');
    await eventually(() => expect(lines(orderId)).toEqual(expect.arrayContaining(['DeadlineMet acknowledgement/1', 'DeadlineMet resolution/1'])));
    // Of the platform's clocks: at this speed a slow machine may take longer than dispatch has.
    expect(lines(orderId).filter((line) => /^DeadlineReached (acknowledgement|resolution)/.test(line))).toEqual([]);
  });

  it('keeps the decision clock of a report', async () => {
    const reportId = randomUUID();
    const tell = (type: string, sequence: number, data: object) => bus.publish('sejam.intake.v1', [
      toEnvelope({ id: randomUUID(), type: `sejam.intake.v1.${type}`, source: 'sejam://r/intake', subject: `report-${reportId}`, time: clock.now().toISOString(), sequence, data: encode('sejam.intake.v1', type, data) as Record<string, unknown> }),
    ]);
    await tell('ReportSubmitted', 0, { reportId, reference: 'x', reportedBy: 'kpu', statement: { category: 'hoax.other', contentForm: 'text', region: '32', summary: 'x' }, contents: [] });
    await eventually(() => expect(lines(reportId)).toEqual(['ClockStarted decision/1', 'DeadlineReached decision/1']));
    await tell('ContentsDeclined', 1, { reportId, decidedBy: 'kpu', contents: [], reason: 'late', undecided: 0 });
    await eventually(() => expect(lines(reportId)).toEqual(['ClockStarted decision/1', 'DeadlineReached decision/1', 'DeadlineMissed decision/1']));
  });

  it('keeps versions of policies, set by the operator alone', async () => {
    const policy = { acknowledgeWithinMinutes: 5, resolveWithinMinutes: 30, warningPercent: 75, clarificationCapMinutes: 10, effectiveFrom: '2024-11-24T00:00:00+07:00', reason: 'Voting days' };
    const put = (body: object, key = keys.operator.key) => get('/v1/sla-policies/voting', key, { method: 'PUT', body: JSON.stringify(body) });
    expect(await put(policy, keys.kpu.key)).toMatchObject({ status: 403 });
    const first = await put(policy);
    expect(first).toMatchObject({ status: 200, body: { version: 1, effectiveFrom: '2024-11-23T17:00:00.000Z' } });
    expect(await put(policy)).toMatchObject({ body: { version: 1, eventId: first.body.eventId } });
    expect(await put({ ...policy, resolveWithinMinutes: 20 })).toMatchObject({ body: { version: 2 } });
    expect(await put({ ...policy, resolveWithinMinutes: 0 })).toMatchObject({ status: 422 });
    await eventually(async () => expect((await get('/v1/sla-policies')).body.items.map(({ version }) => version)).toEqual([0, 1, 2]));
    expect(await get('/v1/clocks')).toMatchObject({ status: 400 });
  });
});
