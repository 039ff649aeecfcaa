import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as pathOf } from 'node:path';
import { startEventStore, type RunningEventStore } from '@sejam/embedded-eventstore';
import { domainClock, transactor, type EventStore, type StoredEvent } from '@sejam/event-sourcing';
import { connectEventStore } from '@sejam/eventstoredb';
import { busMigrations, type BusMessage } from '@sejam/bus';
import { platforms, takedownIdOf } from '@sejam/content';
import { encode, legalBases } from '@sejam/contracts';
import { runProjection, postgresMigrations, type Pool, type Projection } from '@sejam/postgres';
import { createMasterKeyFile } from '@sejam/privacy';
import { createLogger, hostSettings, IdentityDirectory, Metrics, newApiKey, readConfig, refusalBy, startService, type RunningService } from '@sejam/service-host';
import { eventually, testDatabase, type TestDatabase } from '@sejam/testkit';
import { generateSecret, parseAllowList, sign } from '@sejam/webhooks';
import { RefusedWebhooks } from './answer/refused-webhooks.js';
import { routingAccess } from './access.js';
import { Courier } from './delivery/courier.js';
import { deliveryMigrations, deliveryRows } from './delivery/delivery-view.js';
import { PlatformDirectory } from './platform/platform-directory.js';
import { isSeeded, seedPlatforms } from './platform/seed-platforms.js';
import { platformMigrations, WebhookSecrets } from './platform/webhook-secrets.js';
import { RoutingModule } from './routing.module.js';
import type { Platforms } from './routing-ports.js';
import { SigningKeys } from './signing-key/signing-keys.js';
import { Takedowns } from './takedown/act-on-takedown.js';
import { driveMerges } from './takedown/drive-merges.js';
import { followClocks } from './takedown/follow-clocks.js';
import { followReports } from './takedown/follow-reports.js';
import { identify, releaseHold } from './takedown/joining.js';
import { completePolicies, keepPolicies, PolicyTable } from './takedown/policy-table.js';
import { KnownRequests } from './takedown/known-requests.js';
import { PublishTakedown } from './takedown/publish-takedown.js';
import { builtInTerms, type Policy } from '@sejam/deadlines';
import { applyTakedowns, takedownMigrations } from './takedown/takedown-view.js';

/** Domain time that a test turns forwards; everything else is real. */
let offsetMs = 0;
const clock = { ...domainClock({ start: new Date(0).toISOString(), origin: new Date(0).toISOString(), speed: 1 }, Date.now), now: () => new Date(Date.now() + offsetMs), wallMsUntil: (due: Date) => due.getTime() - Date.now() - offsetMs };

let database: TestDatabase;
let pool: Pool;
let server: RunningEventStore;
let folder: string;
let store: EventStore;
let service: RunningService;
let view: Projection;
let deliveryView: Projection;
let courier: Courier;
let platformsFollowed: PlatformDirectory;
let takedowns: Takedowns;
const secrets: Record<string, string> = { tiktok: generateSecret(), meta: generateSecret() };
const endpoints: Record<string, { hasEndpoint: boolean; test: boolean }> = { tiktok: { hasEndpoint: true, test: false }, meta: { hasEndpoint: false, test: false } };
const policies: Policy[] = [];
const keys: Record<string, string> = {};

beforeAll(async () => {
  database = await testDatabase();
  pool = await database.pool('routing', [postgresMigrations, takedownMigrations, platformMigrations, deliveryMigrations, busMigrations]);
  folder = await mkdtemp(pathOf(tmpdir(), 'routing-'));
  server = await startEventStore({ dataFolder: folder, log: () => undefined });
  store = connectEventStore(server.url);
  const directory = new IdentityDirectory().alwaysFresh();
  const organisations = [['bawaslu', 'agency'], ['kpu', 'agency'], ['kominfo', 'agency'], ['mafindo', 'partner'], ['tempo', 'partner'], ['tiktok', 'platform'], ['meta', 'platform'], ['bpk', 'auditor'], ['sejam', 'operator']] as const;
  for (const [organisation, kind] of organisations) {
    directory.apply({ type: 'OrganisationRegistered', data: { organisation, kind, name: organisation } });
    const roles = { agency: ['reporter', 'reviewer', 'issuer'], partner: ['reporter'], platform: ['platform'], auditor: ['auditor'], operator: ['operator'] }[kind];
    for (const holder of kind === 'agency' ? ['first', 'second'] : ['first']) {
      const { keyId, key, sha256 } = newApiKey();
      directory.apply({ type: 'KeyIssued', data: { organisation, keyId, holder: `officer:${organisation}-${holder}`, roles, secretSha256: sha256 } });
      keys[holder === 'first' ? organisation : `${organisation}2`] = key;
    }
  }
  const directoryOfPlatforms: Platforms = {
    endpointOf: (platform) => endpoints[platform],
    answerSecrets: async (platform) => (secrets[platform] === undefined ? [] : [{ keyId: `${platform}-1`, secret: secrets[platform] }]),
  };
  const transact = transactor(store, clock);
  takedowns = new Takedowns({ transact, platforms: directoryOfPlatforms, policies: { all: async () => policies }, legalBases: legalBases(), desk: 'desk@sejam.example', redress: 'Object within the order.' });
  view = runProjection({ pool, store, name: 'takedowns', prefixes: ['takedown-'], apply: applyTakedowns });
  const log = createLogger({ name: 'routing', level: 'silent' });
  const metrics = new Metrics('routing');
  const masterKey = createMasterKeyFile(pathOf(folder, 'endpoints.key'));
  const webhookSecrets = new WebhookSecrets(pool, masterKey);
  const signingKeys = new SigningKeys({ client: pool, masterKey, store, transact });
  const allow = parseAllowList('127.0.0.0/8');
  platformsFollowed = new PlatformDirectory(webhookSecrets, signingKeys);
  await platformsFollowed.follow(store);
  courier = new Courier({ pool, store, clock, transact, takedowns, directory: platformsFollowed, allow, metrics, log });
  deliveryView = runProjection({ pool, store, name: 'deliveries', prefixes: ['takedown-'], ...deliveryRows(() => undefined) });
  service = await startService({
    name: 'routing',
    module: RoutingModule.with({ store, transact, clock, pool, platforms: directoryOfPlatforms, policies: { all: async () => policies }, takedowns, takedownView: view, signingKeys, requests: new KnownRequests(pool), refusedWebhooks: new RefusedWebhooks(pool), delivery: { courier, view: deliveryView, secrets: webhookSecrets, allow }, parked: { service: 'routing', pool, consumers: () => ({}) }, metrics, log }),
    config: readConfig(hostSettings({ port: 0 }), { RATE_LIMIT_PER_KEY: '1000' }),
    access: routingAccess,
    directory,
    readiness: { record: () => store.ping() },
    log,
    metrics,
  });
});

afterAll(async () => {
  await service?.close();
  await view?.stop();
  await deliveryView?.stop();
  await courier?.stop();
  await platformsFollowed?.stop();
  await store?.close();
  await server?.close();
  await rm(folder, { recursive: true, force: true });
  await database?.drop();
});

interface Contents {
  readonly reportId?: string;
  readonly reportedBy?: string;
  readonly key?: string;
  readonly platform?: string;
  readonly provisional?: boolean;
  readonly target?: string;
}

/** What intake tells when a report about this content is approved. */
function approved({ reportId = randomUUID(), reportedBy = 'bawaslu', key = `tiktok:video:${randomUUID()}`, platform = 'tiktok', provisional = false, target }: Contents = {}): { message: BusMessage; takedownId: string; reportId: string; key: string } {
  const takedownId = takedownIdOf(key);
  const data = {
    reportId, reference: `ref-${reportId}`, reportedBy, submittedAt: clock.now().toISOString(), decidedBy: 'bawaslu', issuedBy: 'kominfo',
    contents: [{ index: 0, submittedUrl: `https://${platform}.example/${key}?utm=1`, canonicalUrl: `https://${platform}.example/${key}`, contentKey: key, platform, product: platform, provisional, takedownId, note: 'at 0:12' }],
    statement: { category: 'hoax.voting_procedure', contentForm: 'video', region: '32.73', summary: 'Says that voting moved', issue: { reference: 'ISU-17', title: 'Voting moved' }, ...(target === undefined ? {} : { target }) },
    reasons: 'It says that voting moved to 28 November.', requestedAction: 'removed', legalBasis: ['UU-10-2016:69-c'],
    submittedByHolder: 'officer:bawaslu-first', approvedByHolder: 'officer:bawaslu-second',
  };
  return { message: messageOf('sejam.intake.v1', 'ContentsApproved', `report-${reportId}`, data), takedownId, reportId, key };
}

function messageOf(topic: 'sejam.intake.v1' | 'sejam.sla.v1', type: string, subject: string, data: object): BusMessage {
  const value: Record<string, unknown> = encode(topic, type, data);
  return { id: randomUUID(), type: `${topic}.${type}`, source: 'sejam://test/intake', subject, time: clock.now().toISOString(), sequence: 0, correlationId: 'test', data: value };
}

async function history(takedownId: string): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  for await (const event of store.read(`takedown-${takedownId}`)) events.push(event);
  return events;
}

const typesOf = async (takedownId: string): Promise<string[]> => (await history(takedownId)).map(({ type }) => type);

interface Answered {
  readonly status: number;
  readonly body: Record<string, never> & { code?: string; eventId?: string; effect?: string; items?: Record<string, unknown>[] };
}

async function call(method: string, path: string, key: string | undefined, body?: unknown, headers: Record<string, string> = {}): Promise<Answered> {
  const response = await fetch(`${service.url}${path}`, {
    method,
    headers: { ...(key === undefined ? {} : { authorization: `Bearer ${keys[key] ?? key}` }), ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Answered['body'] };
}

async function webhook(platform: string, message: unknown, { id = `msg_${randomUUID()}`, secret = secrets[platform] ?? '', at = new Date() } = {}): Promise<Answered> {
  const body = typeof message === 'string' ? message : JSON.stringify(message);
  const headers = sign({ webhookId: id, at, body, secrets: [secret] });
  return call('POST', `/v1/platforms/${platform}/webhooks`, undefined, body, { ...headers });
}

/** An order that stands on the record. */
async function issuedOrder(contents: Contents = {}): Promise<{ takedownId: string; orderId: string; reportId: string }> {
  const { message, takedownId, reportId } = approved(contents);
  await followReports(takedowns, message);
  return { takedownId, orderId: `${takedownId}.1`, reportId };
}

describe('an approved content', () => {
  it('opens a takedown and issues its order with the exact message', async () => {
    const { takedownId, orderId } = await issuedOrder();
    const events = await history(takedownId);
    expect(events.map(({ type }) => type)).toEqual(['TakedownOpened', 'ReportJoined', 'OrderIssued']);
    expect(JSON.parse(events[2]?.metadata.message?.body ?? '')).toMatchObject({ type: 'order.issued', data: { orderId, sequence: 3, content: { note: 'at 0:12' } } });
    expect(events[0]?.metadata.by).toEqual({ organisation: 'sejam', holder: 'system:routing' });
  });

  it('joins once, however often the message comes, also at the same time', async () => {
    const { message, takedownId } = approved();
    await Promise.all(Array.from({ length: 20 }, () => followReports(takedowns, message)));
    expect(await typesOf(takedownId)).toEqual(['TakedownOpened', 'ReportJoined', 'OrderIssued']);
  });

  it('of a second report joins the same takedown', async () => {
    const first = approved();
    const second = approved({ key: first.key, reportedBy: 'kpu' });
    await Promise.all([followReports(takedowns, first.message), followReports(takedowns, second.message)]);
    expect(await typesOf(first.takedownId)).toEqual(['TakedownOpened', 'ReportJoined', 'OrderIssued', 'ReportJoined']);
  });

  it('stands delivered by feed where the platform has no endpoint', async () => {
    const { takedownId } = await issuedOrder({ platform: 'meta', key: `facebook:post:${randomUUID()}` });
    expect(await typesOf(takedownId)).toEqual(['TakedownOpened', 'ReportJoined', 'OrderIssued', 'OrderDelivered']);
  });

  it('leaves with its report, which withdraws the order', async () => {
    const { takedownId, reportId } = await issuedOrder();
    const withdrawn = messageOf('sejam.intake.v1', 'ReportWithdrawn', `report-${reportId}`, { reportId, reason: 'Mistaken', approved: [{ contentKey: 'x', takedownId }] });
    await followReports(takedowns, withdrawn);
    await followReports(takedowns, withdrawn);
    expect((await typesOf(takedownId)).slice(3)).toEqual(['ReportLeft', 'OrderWithdrawn']);
  });
});

describe('a platform answering by webhook', () => {
  const acknowledged = (orderId: string) => ({ type: 'order.acknowledged', timestamp: new Date().toISOString(), data: { orderId } });

  it('is answered 202 once it is on the record, with what proves it', async () => {
    const { takedownId, orderId } = await issuedOrder();
    const answered = await webhook('tiktok', acknowledged(orderId), { id: 'msg_proof' });
    expect(answered).toMatchObject({ status: 202, body: { effect: 'applied' } });
    const last = (await history(takedownId)).at(-1);
    expect([last?.type, last?.id, last?.metadata.causationId]).toEqual(['OrderAcknowledged', answered.body.eventId, 'webhook:tiktok:msg_proof']);
    expect(last?.metadata.signed).toMatchObject({ webhookId: 'msg_proof', keyId: 'tiktok-1', body: expect.stringContaining(orderId) });
    expect((await history(takedownId)).at(-2)).toMatchObject({ type: 'OrderDelivered', data: { via: 'answer' } });
  });

  it('gets the same answer fifty times at once for the same webhook, and one effect', async () => {
    const { takedownId, orderId } = await issuedOrder();
    const message = { type: 'order.actioned', data: { orderId, action: 'removed', actionedAt: new Date().toISOString() } };
    const answers = await Promise.all(Array.from({ length: 50 }, () => webhook('tiktok', message, { id: 'msg_same' })));
    expect(new Set(answers.map(({ status, body }) => `${status} ${body.eventId} ${body.effect}`)).size).toBe(1);
    expect(answers[0]?.status).toBe(202);
    expect((await typesOf(takedownId)).filter((type) => type === 'ContentActioned')).toHaveLength(1);
  });

  it('is recorded without effect when a higher answer stands', async () => {
    const { orderId } = await issuedOrder();
    await webhook('tiktok', { type: 'order.refused', data: { orderId, reason: 'protected_speech', explanation: 'Satire' } });
    expect(await webhook('tiktok', acknowledged(orderId))).toMatchObject({ status: 202, body: { effect: 'recorded' } });
  });

  it('is refused under a bad, foreign or stale signature, and nothing is recorded or kept', async () => {
    const { takedownId, orderId } = await issuedOrder();
    const before = await history(takedownId);
    for (const options of [{ secret: generateSecret() }, { secret: secrets['meta'] ?? '' }, { at: new Date(Date.now() - 301_000) }]) {
      expect(await webhook('tiktok', acknowledged(orderId), options)).toMatchObject({ status: 401, body: { code: 'webhook.not-authentic' } });
    }
    expect(await call('POST', '/v1/platforms/tiktok/webhooks', undefined, acknowledged(orderId))).toMatchObject({ status: 401 });
    const whole = JSON.stringify(acknowledged(orderId));
    const cut = await call('POST', '/v1/platforms/tiktok/webhooks', undefined, whole.slice(0, -1), { ...sign({ webhookId: 'msg_cut', at: new Date(), body: whole, secrets: [secrets['tiktok'] ?? ''] }) });
    expect(cut).toMatchObject({ status: 401, body: { code: 'webhook.not-authentic' } });
    expect(await webhook('nobody', acknowledged(orderId), { secret: generateSecret() })).toMatchObject({ status: 401 });
    expect(await history(takedownId)).toEqual(before);
  });

  it('is refused for an order of another platform, an unknown one, and for the same id with another body; the operator sees it', async () => {
    const { orderId } = await issuedOrder();
    expect(await webhook('meta', acknowledged(orderId), { id: 'msg_foreign' })).toMatchObject({ status: 404, body: { code: 'order.unknown' } });
    expect(await webhook('tiktok', acknowledged(`${randomUUID()}.1`))).toMatchObject({ status: 404, body: { code: 'order.unknown' } });
    expect(await webhook('tiktok', acknowledged('nonsense'))).toMatchObject({ status: 404, body: { code: 'order.unknown' } });
    expect(await webhook('tiktok', acknowledged(orderId), { id: 'msg_twice' })).toMatchObject({ status: 202 });
    const other = { type: 'order.refused', data: { orderId, reason: 'other', explanation: 'No' } };
    expect(await webhook('tiktok', other, { id: 'msg_twice' })).toMatchObject({ status: 409, body: { code: 'webhook.id-reused' } });
    const kept = await call('GET', '/v1/refused-webhooks', 'sejam');
    expect(kept.body.items).toEqual(expect.arrayContaining([expect.objectContaining({ platform: 'meta', webhookId: 'msg_foreign', code: 'order.unknown', status: 404 }), expect.objectContaining({ webhookId: 'msg_twice', code: 'webhook.id-reused' })]));
    expect(await call('GET', '/v1/refused-webhooks', 'tiktok')).toMatchObject({ status: 403 });
  });

  it('is refused with a pointer to every fault', async () => {
    const { orderId } = await issuedOrder();
    const refused = await webhook('tiktok', { type: 'order.actioned', data: { orderId, action: 'vanished', actioned_at: 'now' } });
    expect(refused).toMatchObject({ status: 422, body: { errors: expect.arrayContaining([expect.objectContaining({ pointer: '/data/action' }), expect.objectContaining({ pointer: '/data/actionedAt', code: 'required' }), expect.objectContaining({ pointer: '/data/actioned_at', code: 'unknown-field' })]) } });
    for (const [body, status] of [['{"type":', 400], ['[]', 422], ['"text"', 422], ['{"type":"order.unheard","data":{}}', 422], ['{"type":"order.acknowledged"}', 422]] as const) {
      expect((await webhook('tiktok', body, { id: `msg_${status}_${body.length}` })).status).toBe(status);
    }
    expect((await call('GET', '/v1/refused-webhooks?platform=tiktok', 'sejam')).body.items).toEqual(expect.arrayContaining([expect.objectContaining({ webhookId: 'msg_400_8', code: 'request.malformed-json' })]));
  });

  it('may answer by key as well, with the same answers', async () => {
    const { orderId } = await issuedOrder();
    const path = `/v1/platforms/tiktok/orders/${orderId}/answers`;
    const body = { answerId: `a-${orderId}`, type: 'order.clarification_requested', data: { question: 'Which minute?' } };
    const first = await call('POST', path, 'tiktok', body);
    expect(first).toMatchObject({ status: 202, body: { effect: 'applied' } });
    expect((await call('POST', path, 'tiktok', body)).body).toEqual(first.body);
    expect(await call('POST', path, 'tiktok', { ...body, data: { question: 'Which second?' } })).toMatchObject({ status: 409, body: { code: 'webhook.id-reused' } });
    expect(await call('POST', path, 'meta', body)).toMatchObject({ status: 404 });
    expect(await call('POST', path, 'kominfo', body)).toMatchObject({ status: 403 });
  });
});

describe('deadlines that sla tells of', () => {
  it('are recorded after our own clock is past due, once, and only if nothing met them', async () => {
    const { takedownId, orderId } = await issuedOrder({ platform: 'meta', key: `facebook:post:${randomUUID()}` });
    const answeredOrder = await issuedOrder({ platform: 'meta', key: `facebook:post:${randomUUID()}` });
    await webhook('meta', { type: 'order.acknowledged', data: { orderId: answeredOrder.orderId } });
    const due = async (id: string): Promise<string> => new Date(Date.parse((await history(id))[3]?.metadata.at ?? '') + builtInTerms.acknowledgeWithinMinutes * 60_000).toISOString();
    const reached = async (id: string, order: string) => messageOf('sejam.sla.v1', 'DeadlineReached', `clock-${order}`, { clock: 'acknowledgement', run: 1, orderId: order, due: await due(id) });
    const [late, met] = [await reached(takedownId, orderId), await reached(answeredOrder.takedownId, answeredOrder.orderId)];
    offsetMs += 10 * 60_000;
    for (const message of [late, late, met]) await followClocks({ takedowns, clock }, message);
    expect((await typesOf(takedownId)).slice(4)).toEqual(['DeadlinePassed', 'NoticeDelivered']);
    expect((await typesOf(answeredOrder.takedownId)).slice(4)).toEqual(['OrderAcknowledged']);
  });
});

describe('an officer acting on a takedown', () => {
  it('withdraws, and the same again answers with the first event', async () => {
    const { takedownId } = await issuedOrder();
    const path = `/v1/takedowns/${takedownId}/withdrawal`;
    const first = await call('POST', path, 'kominfo', { reason: 'Issued in error' }, { 'idempotency-key': `w-${takedownId}` });
    expect(first).toMatchObject({ status: 200, body: { status: 'withdrawn', eventId: expect.any(String) } });
    expect(await call('POST', path, 'kominfo', { reason: 'Issued in error' }, { 'idempotency-key': `w-${takedownId}` })).toMatchObject({ status: 200, body: { eventId: first.body.eventId } });
    expect(await call('POST', path, 'kominfo', { reason: 'Again' })).toMatchObject({ status: 200, body: { eventId: first.body.eventId } });
    expect(await call('POST', path, 'kominfo', { reason: 'Another' }, { 'idempotency-key': `w-${takedownId}` })).toMatchObject({ status: 409, body: { code: 'request.key-reused' } });
    const other = await issuedOrder();
    expect(await call('POST', `/v1/takedowns/${other.takedownId}/withdrawal`, 'kominfo', { reason: 'Issued in error' }, { 'idempotency-key': `w-${takedownId}` })).toMatchObject({ status: 409, body: { code: 'request.key-reused' } });
  });

  it('answers questions, rules on objections by a second pair of eyes, and reopens', async () => {
    const { takedownId, orderId } = await issuedOrder();
    const at = (what: string): string => `/v1/takedowns/${takedownId}/${what}`;
    expect(await call('POST', at('clarification'), 'kominfo', { answer: 'At 0:12' })).toMatchObject({ status: 409, body: { code: 'clarification.not-requested' } });
    await webhook('tiktok', { type: 'order.clarification_requested', data: { orderId, question: 'Where?' } });
    expect(await call('POST', at('clarification'), 'kominfo', { answer: 'At 0:12' })).toMatchObject({ status: 200, body: { status: 'acknowledged' } });
    await webhook('tiktok', { type: 'order.objected', data: { orderId, grounds: 'Parody' } });
    expect(await call('POST', at('objection-ruling'), 'bawaslu', { ruling: 'dismissed', reason: 'It is none' })).toMatchObject({ status: 403, body: { code: 'objection.four-eyes' } });
    expect(await call('POST', at('objection-ruling'), 'kpu', { ruling: 'dismissed', reason: 'It is none' })).toMatchObject({ status: 200, body: { objection: 'dismissed' } });
    await webhook('tiktok', { type: 'order.refused', data: { orderId, reason: 'protected_speech', explanation: 'Parody' } });
    expect(await call('POST', at('reopening'), 'kominfo', { cause: 'refusal_disputed', reason: 'Ruled already' })).toMatchObject({ status: 200, body: { round: 2, status: 'awaiting_delivery' } });
    expect(await call('POST', at('observations'), 'kominfo', { seen: 'online' })).toMatchObject({ status: 200, body: { verification: 'still_online' } });
    expect(await call('POST', at('escalations'), 'kominfo', { level: 2, letterNumber: 'ST1/1', reason: 'Late' })).toMatchObject({ status: 409, body: { code: 'escalation.no-missed-deadline' } });
  });

  it('is refused without the role, for what is about the own agency, and with faulty bodies', async () => {
    const { takedownId } = await issuedOrder({ target: 'organiser:kpu' });
    expect(await call('POST', `/v1/takedowns/${takedownId}/withdrawal`, 'kpu', { reason: 'About us' })).toMatchObject({ status: 403, body: { code: 'takedown.self-interest' } });
    for (const key of ['tiktok', 'mafindo', 'bpk', 'sejam']) expect(await call('POST', `/v1/takedowns/${takedownId}/withdrawal`, key, { reason: 'x' })).toMatchObject({ status: 403 });
    expect(await call('POST', `/v1/takedowns/${takedownId}/withdrawal`, undefined, { reason: 'x' })).toMatchObject({ status: 401 });
    for (const [what, body] of [['withdrawal', {}], ['withdrawal', { reason: 4 }], ['objection-ruling', { ruling: 'perhaps', reason: 'x' }], ['reopening', { cause: 'new_report', reason: 'x' }], ['observations', { seen: 'gone', note: null }], ['escalations', { level: 1, letterNumber: 'x', reason: 'x' }], ['clarification', { answer: 'x', more: 1 }]] as const) {
      expect((await call('POST', `/v1/takedowns/${takedownId}/${what}`, 'kominfo', body)).status).toBe(422);
    }
    expect(await call('POST', `/v1/takedowns/${randomUUID()}/withdrawal`, 'kominfo', { reason: 'x' })).toMatchObject({ status: 404, body: { code: 'takedown.not-found' } });
  });
});

describe('looking at takedowns', () => {
  it('shows agencies and auditors all, partners what their reports joined without the others, operators and platforms nothing', async () => {
    const first = approved({ reportedBy: 'bawaslu' });
    await followReports(takedowns, first.message);
    await followReports(takedowns, approved({ key: first.key, reportedBy: 'mafindo' }).message);
    const path = `/v1/takedowns/${first.takedownId}`;
    expect((await call('GET', path, 'kpu')).body).toMatchObject({ status: 'awaiting_delivery', reports: [{ reportedBy: 'bawaslu' }, { reportedBy: 'mafindo' }], orders: [{ round: 1, clocks: [{ clock: 'dispatch' }] }] });
    expect((await call('GET', path, 'bpk')).status).toBe(200);
    const seen = await call('GET', path, 'mafindo');
    expect(seen.body).toMatchObject({ reports: [{ reportedBy: 'mafindo' }] });
    expect(JSON.stringify(seen.body)).not.toMatch(/officer:|"reportedBy":"bawaslu"/);
    expect(await call('GET', path, 'tempo')).toMatchObject({ status: 404 });
    for (const key of ['sejam', 'tiktok']) expect(await call('GET', path, key)).toMatchObject({ status: 403 });
    expect(await call('POST', `${path}/observations`, 'mafindo', { seen: 'online' })).toMatchObject({ status: 200 });
    expect(await call('POST', `${path}/observations`, 'tempo', { seen: 'online' })).toMatchObject({ status: 404 });
  });

  it('lists them by every filter, with what was just recorded, and pages', async () => {
    const { takedownId } = await issuedOrder({ reportedBy: 'tempo' });
    const found = async (query: string, key = 'kpu'): Promise<boolean> => (await call('GET', `/v1/takedowns?limit=200&${query}`, key)).body.items?.some(({ id }) => id === takedownId) ?? false;
    for (const query of ['platform=tiktok', 'status=awaiting_delivery', 'category=hoax', 'category=hoax.voting_procedure', 'region=32', 'region=32.73', 'reportedBy=tempo', 'issue=ISU-17', `changedSince=${new Date(0).toISOString()}`]) {
      expect([query, await found(query)]).toEqual([query, true]);
    }
    for (const query of ['platform=meta', 'status=refused', 'category=hate_speech', 'region=33', 'reportedBy=kpu', 'issue=other', 'dueBefore=2020-01-01T00:00:00Z']) expect([query, await found(query)]).toEqual([query, false]);
    expect(await found('', 'tempo')).toBe(true);
    expect(await found('', 'mafindo')).toBe(false);
    await issuedOrder();
    const page = await call('GET', '/v1/takedowns?limit=1', 'kpu');
    const next = await call('GET', `/v1/takedowns?limit=1&cursor=${String(page.body['next'])}`, 'kpu');
    expect(next.body.items?.[0]?.['id']).not.toBe(page.body.items?.[0]?.['id']);
    for (const query of ['limit=0', 'status=odd', 'cursor=odd', 'unheard=1', 'region=x']) expect((await call('GET', `/v1/takedowns?${query}`, 'kpu')).status).toBe(400);
  });

  it('shows a platform its own orders and nobody\'s identity', async () => {
    const { orderId } = await issuedOrder();
    await webhook('tiktok', { type: 'order.acknowledged', data: { orderId } });
    const own = await call('GET', `/v1/platforms/tiktok/orders/${orderId}`, 'tiktok');
    expect(own.body).toMatchObject({ orderId, status: 'acknowledged', answers: [{ type: 'OrderAcknowledged' }], message: { type: 'order.issued' }, clocks: [{ clock: 'dispatch' }, { clock: 'acknowledgement', met: true }, { clock: 'resolution', met: false }] });
    expect(JSON.stringify(own.body)).not.toMatch(/officer:|reportedBy|reportId/);
    expect(await call('GET', `/v1/platforms/tiktok/orders/${orderId}`, 'meta')).toMatchObject({ status: 404 });
    expect(await call('GET', `/v1/platforms/meta/orders/${orderId}`, 'meta')).toMatchObject({ status: 404 });
    const listed = await call('GET', `/v1/platforms/tiktok/orders?status=acknowledged&changedSince=${new Date(0).toISOString()}&limit=200`, 'tiktok');
    expect(listed.body.items?.map((order) => order['orderId'])).toContain(orderId);
  });
});

describe('a merged takedown', () => {
  it('hands its reports, its commands and its platform\'s answers over', async () => {
    const link = approved({ key: `tiktok:short:${randomUUID()}`, provisional: true });
    await followReports(takedowns, link.message);
    const key = `tiktok:video:${randomUUID()}`;
    const target = { contentKey: key, canonicalUrl: `https://tiktok.example/${key}`, platform: 'tiktok', product: 'tiktok', takedownId: takedownIdOf(key) };
    const cause = (causationId: string) => ({ causationId, correlationId: 'test', by: { organisation: 'sejam', holder: 'system:routing' } });
    await takedowns.actHere(link.takedownId, cause(`hold:${link.takedownId}.1`), (state, _, issuing) => releaseHold(state, { shortLink: 'unresolvable' }, issuing));
    await takedowns.actHere(link.takedownId, cause('resolved'), (state) => identify(state, target));
    const answered = await webhook('tiktok', { type: 'order.acknowledged', data: { orderId: `${link.takedownId}.1` } });
    expect(answered).toMatchObject({ status: 202, body: { effect: 'applied', mergedInto: target.takedownId } });
    expect(await typesOf(target.takedownId)).toEqual(['TakedownOpened', 'ReportJoined', 'OrderIssued', 'OrderDelivered', 'OrderAcknowledged']);
    expect(await call('POST', `/v1/takedowns/${link.takedownId}/observations`, 'kominfo', { seen: 'online' })).toMatchObject({ status: 200, body: { mergedInto: target.takedownId } });
    const left = messageOf('sejam.intake.v1', 'ReportWithdrawn', `report-${link.reportId}`, { reportId: link.reportId, reason: 'Mistaken', approved: [{ contentKey: link.key, takedownId: link.takedownId }] });
    await followReports(takedowns, left);
    expect((await typesOf(target.takedownId)).slice(-2)).toEqual(['ReportLeft', 'OrderWithdrawn']);
    await followReports(takedowns, approved({ key: link.key, provisional: true, reportedBy: 'kpu' }).message);
    expect((await typesOf(target.takedownId)).slice(-3)).toEqual(['ReportJoined', 'TakedownReopened', 'OrderIssued']);
  });
});

describe('the access table', () => {
  it('lets each organisation do what its row says, and nothing without a key', async () => {
    const kinds = { kominfo: 'agency', mafindo: 'partner', tiktok: 'platform', bpk: 'auditor', sejam: 'operator' } as const;
    const roles = { agency: ['reporter', 'reviewer', 'issuer'], partner: ['reporter'], platform: ['platform'], auditor: ['auditor'], operator: ['operator'] } as const;
    for (const row of routingAccess.filter(({ roles: allowed }) => Array.isArray(allowed))) {
      const path = row.path.replace(':platform', 'tiktok').replace(':orderId', `${randomUUID()}.1`).replace(':id', takedownIdOf('tiktok:video:0')).replace(':n', '1');
      const body = row.method === 'POST' || row.method === 'PUT' ? {} : undefined;
      expect(await call(row.method, path, undefined, body)).toMatchObject({ status: 401, body: { code: 'key.missing' } });
      for (const [key, kind] of Object.entries(kinds)) {
        const refusal = refusalBy(row, { kind, roles: roles[kind] });
        const { status, body: problem } = await call(row.method, path, key, body);
        expect([row.path, key, status === 403 && problem.code === 'key.role-missing']).toEqual([row.path, key, refusal !== undefined]);
      }
    }
  });
});

describe('reports of a merged takedown', () => {
  it('come over by themselves, also after a crash between the merge and the joining', async () => {
    const link = approved({ key: `tiktok:short:${randomUUID()}`, provisional: true });
    await followReports(takedowns, link.message);
    const key = `tiktok:video:${randomUUID()}`;
    const cause = { causationId: 'resolved', correlationId: 'test', by: { organisation: 'sejam', holder: 'system:routing' } };
    const target = { contentKey: key, canonicalUrl: `https://tiktok.example/${key}`, platform: 'tiktok', product: 'tiktok', takedownId: takedownIdOf(key) };
    await takedowns.actHere(link.takedownId, cause, (state) => identify(state, target));
    const driver = driveMerges({ pool, store, takedowns });
    await eventually(async () => expect(await typesOf(target.takedownId)).toEqual(['TakedownOpened', 'ReportJoined', 'OrderIssued']));
    await driver.stop();
  });
});

describe('the policies of sla', () => {
  it('issue nothing before they are read to their end, and are chosen from afterwards', async () => {
    const table = new PolicyTable(pool);
    await expect(table.all()).rejects.toMatchObject({ code: 'routing.catching-up', kind: 'unavailable' });
    const policy = { policy: 'voting-days', version: 1, window: { from: '2024-11-24T00:00:00.000Z', to: '2024-12-01T00:00:00.000Z' }, acknowledgeWithinMinutes: 5, resolveWithinMinutes: 30, warningPercent: 75, clarificationCapMinutes: 30, effectiveFrom: '2024-11-01T00:00:00.000Z', reason: 'Voting' };
    const message = messageOf('sejam.sla.v1', 'SlaPolicySet', 'slapolicy-voting-days', policy);
    await keepPolicies(pool, [message, message]);
    const lags = [Number.NaN, 3, 0];
    await completePolicies(table, { lag: async () => ({ 'sejam.sla.v1': lags.shift() ?? 0 }) }, new AbortController().signal);
    const { reason: _reason, ...expected } = policy;
    expect(await table.all()).toEqual([expected]);
  });
});

describe('the platforms of the first start', () => {
  it('are seeded once, with secrets that verify answers and that the table holds sealed', async () => {
    const masterKey = createMasterKeyFile(pathOf(folder, 'master.key'));
    const kept = await database.pool('routing_platforms', [platformMigrations]);
    const webhookSecrets = new WebhookSecrets(kept, masterKey);
    const credentials = { baseUrl: 'http://localhost:8080', recordId: 'r', keys: {}, webhookSecrets: Object.fromEntries(Object.keys(platforms).map((id) => [id, { orders: generateSecret(), answers: generateSecret() }])) };
    const transact = transactor(store, clock);
    expect(await isSeeded(store)).toBe(false);
    for (let time = 0; time < 2; time += 1) await seedPlatforms({ transact, secrets: webhookSecrets, credentials, sandboxUrl: 'http://127.0.0.1:8090' });
    expect(await isSeeded(store)).toBe(true);
    const directory = new PlatformDirectory(new WebhookSecrets(kept, masterKey), { inForce: async () => [] });
    expect(() => directory.endpointOf('tiktok')).toThrow(expect.objectContaining({ code: 'routing.catching-up' }));
    await directory.follow(store);
    expect(directory.endpointOf('tiktok')).toEqual({ hasEndpoint: true, test: false });
    expect(directory.endpointOf('unheard')).toBeUndefined();
    expect(await directory.answerSecrets('tiktok')).toEqual([{ keyId: 'tiktok-answers-1', secret: credentials.webhookSecrets['tiktok']?.answers }]);
    expect(await directory.answerSecrets('unheard')).toEqual([]);
    await directory.stop();
    expect(JSON.stringify((await kept.query('SELECT * FROM webhook_secret')).rows)).not.toContain('whsec_');
  });
});

describe('what routing tells the others', () => {
  it('is one message for each event, with the takedown as it stands after it', async () => {
    const { takedownId, orderId } = await issuedOrder();
    await webhook('tiktok', { type: 'order.refused', data: { orderId, reason: 'other', explanation: 'No' } });
    const events = await history(takedownId);
    const publisher = new PublishTakedown(store);
    const worded = await publisher.word(events);
    expect(worded.map(({ type }) => type)).toEqual(events.map(({ type }) => `sejam.takedown.v1.${type}`));
    const statuses = worded.map(({ data }) => (data as { takedown: { status: string; round: number } }).takedown);
    expect(statuses.map(({ status, round }) => `${status} ${round}`)).toEqual(['awaiting_delivery 0', 'awaiting_delivery 0', 'awaiting_delivery 1', 'delivered 1', 'refused 1']);
    expect(await publisher.word(events.slice(2, 3))).toEqual(worded.slice(2, 3));
    expect(JSON.stringify(worded)).not.toContain('whsec_');
  });
});

describe('the rows of takedowns', () => {
  it('rebuilt from zero are the rows that were followed live, and feeding events twice changes nothing', async () => {
    await eventually(async () => (await call('GET', '/v1/takedowns?limit=1', 'kpu')).status === 200);
    const again = await database.pool('routing_again', [postgresMigrations, takedownMigrations]);
    const events: StoredEvent[] = [];
    for await (const event of store.readAll({ prefixes: ['takedown-'] })) events.push(event);
    await applyTakedowns(again, events);
    await applyTakedowns(again, events.slice(-40));
    const rows = async (from: Pool): Promise<unknown> => [(await from.query('SELECT * FROM takedown ORDER BY id')).rows, (await from.query('SELECT * FROM takedown_order ORDER BY order_id')).rows];
    expect(await rows(again)).toEqual(await rows(pool));
  });
});
