import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join as pathOf } from 'node:path';
import { busMigrations, logBus, runConsumer, toEnvelope, type Bus, type Consumer } from '@sejam/bus';
import { platforms, takedownIdOf } from '@sejam/content';
import { legalBases } from '@sejam/contracts';
import { domainClock, transactor, type StoredEvent } from '@sejam/event-sourcing';
import { postgresMigrations, runProjection, type Pool, type Projection } from '@sejam/postgres';
import { createMasterKeyFile } from '@sejam/privacy';
import { createLogger, hostSettings, IdentityDirectory, Metrics, newApiKey, readConfig, startService, type RunningService } from '@sejam/service-host';
import { eventually, testDatabase, testEventStore, type TestDatabase, type TestEventStore } from '@sejam/testkit';
import { generateSecret, parseAllowList, verify } from '@sejam/webhooks';
import { RefusedWebhooks } from '../answer/refused-webhooks.js';
import { routingAccess } from '../access.js';
import { Courier } from '../delivery/courier.js';
import { applyDeliveries, deliveryMigrations } from '../delivery/delivery-view.js';
import { RoutingModule } from '../routing.module.js';
import { Takedowns } from '../takedown/act-on-takedown.js';
import { KnownRequests } from '../takedown/known-requests.js';
import { joining } from '../takedown/takedown.example.js';
import { applyTakedowns, takedownMigrations } from '../takedown/takedown-view.js';
import { PlatformDirectory } from './platform-directory.js';
import { seedPlatforms } from './seed-platforms.js';
import { platformMigrations, WebhookSecrets } from './webhook-secrets.js';

let database: TestDatabase;
let record: TestEventStore;
let folder: string;
let pool: Pool;
let service: RunningService;
let takedowns: Takedowns;
let directory: PlatformDirectory;
let courier: Courier;
let views: Projection[];
let bus: Bus;
let consumer: Consumer;
let server: Server;
let url: string;
let status = 200;
let poisoned = true;
const received: { id: string; type: string; body: string; headers: IncomingHttpHeaders }[] = [];
const keys: Record<string, string> = {};
const by = { organisation: 'sejam', holder: 'system:test' };
const credentials = {
  baseUrl: 'http://localhost:8080', recordId: 'r', keys: {},
  webhookSecrets: Object.fromEntries(Object.keys(platforms).map((id) => [id, { orders: generateSecret(), answers: generateSecret() }])),
};

beforeAll(async () => {
  database = await testDatabase();
  record = await testEventStore();
  folder = await mkdtemp(pathOf(tmpdir(), 'endpoints-'));
  pool = await database.pool('routing', [postgresMigrations, takedownMigrations, platformMigrations, deliveryMigrations, busMigrations]);
  const { store } = record;
  const clock = domainClock({ start: new Date(0).toISOString(), origin: new Date(0).toISOString(), speed: 1 }, Date.now);
  const transact = transactor(store, clock);
  const log = createLogger({ name: 'routing', level: 'silent' });
  const metrics = new Metrics('routing');
  const secrets = new WebhookSecrets(pool, createMasterKeyFile(pathOf(folder, 'master.key')));
  await seedPlatforms({ transact, secrets, credentials });
  directory = new PlatformDirectory(secrets);
  await directory.follow(store);
  const policies = { all: async () => [] };
  takedowns = new Takedowns({ transact, platforms: directory, policies, legalBases: legalBases(), desk: 'desk@sejam.example', redress: 'Object.' });
  const allow = parseAllowList('127.0.0.0/8');
  courier = new Courier({ pool, store, clock, transact, takedowns, directory, allow, metrics, log }).start();
  const takedownView = runProjection({ pool, store, name: 'takedowns', prefixes: ['takedown-'], apply: applyTakedowns });
  const view = runProjection({ pool, store, name: 'deliveries', prefixes: ['takedown-'], apply: applyDeliveries, onApplied: (events) => courier.wake(events) });
  views = [takedownView, view];
  bus = logBus({ store });
  consumer = runConsumer({ bus, pool, consumer: 'routing', handlers: { 'sejam.sla.v1': { kind: 'append', handle: async () => { if (poisoned) throw new Error('Not understood'); } } } });

  const identities = new IdentityDirectory().alwaysFresh();
  for (const [organisation, kind, role] of [['sejam', 'operator', 'operator'], ['tiktok', 'platform', 'platform'], ['meta', 'platform', 'platform'], ['kpu', 'agency', 'reviewer']] as const) {
    identities.apply({ type: 'OrganisationRegistered', data: { organisation, kind, name: organisation } });
    const { keyId, key, sha256 } = newApiKey();
    identities.apply({ type: 'KeyIssued', data: { organisation, keyId, holder: `system:${organisation}`, roles: [role], secretSha256: sha256 } });
    keys[organisation] = key;
  }
  service = await startService({
    name: 'routing',
    module: RoutingModule.with({
      store, transact, clock, pool, platforms: directory, policies, takedowns, takedownView, requests: new KnownRequests(pool), refusedWebhooks: new RefusedWebhooks(pool), metrics, log,
      delivery: { courier, view, secrets, allow }, parked: { service: 'routing', pool, consumers: () => ({ routing: consumer }) },
    }),
    config: readConfig(hostSettings({ port: 0 }), { RATE_LIMIT_PER_KEY: '1000' }),
    access: routingAccess, directory: identities, readiness: { record: () => store.ping() }, log, metrics,
  });
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      received.push({ id: String(request.headers['webhook-id']), type: (JSON.parse(body) as { type: string }).type, body, headers: request.headers });
      response.writeHead(status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/orders`;
});

afterAll(async () => {
  await service?.close();
  await consumer?.stop();
  await bus?.close();
  await Promise.all(views.map((view) => view.stop()));
  await courier?.stop();
  await directory?.stop();
  await new Promise((resolve) => server.close(resolve));
  await record?.stop();
  await database?.drop();
  await rm(folder, { recursive: true, force: true });
});

type Answered = { status: number; body: Record<string, never> & { code?: string; eventId?: string; items?: Record<string, unknown>[]; next?: string; secrets?: { orders?: string; answers?: string } } };

async function call(method: string, path: string, key: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answered> {
  const response = await fetch(`${service.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${keys[key]}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Answered['body'] };
}

async function order(platform = 'tiktok'): Promise<{ takedownId: string; orderId: string }> {
  const contentKey = `tiktok:video:${randomUUID()}`;
  const takedownId = takedownIdOf(contentKey);
  const reportId = randomUUID();
  await takedowns.join({ takedownId, contentKey, platform, product: 'tiktok', provisional: false }, joining({ reportId }), { causationId: `event:${reportId}`, correlationId: reportId, by });
  return { takedownId, orderId: `${takedownId}.1` };
}

async function history(stream: string): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  for await (const event of record.store.read(stream)) events.push(event);
  return events;
}

const typesOf = async (takedownId: string): Promise<string[]> => (await history(`takedown-${takedownId}`)).map(({ type }) => type);

describe('a platform without an endpoint', () => {
  it('reads the exact bodies in order, page by page, and only its own', async () => {
    const orders = [await order(), await order(), await order()];
    const first = await call('GET', '/v1/platforms/tiktok/messages?limit=2', 'tiktok');
    expect(first.body.items?.map(({ orderId }) => orderId)).toEqual(orders.slice(0, 2).map(({ orderId }) => orderId));
    const second = await call('GET', `/v1/platforms/tiktok/messages?after=${first.body.next}`, 'tiktok');
    expect(second.body.items?.map(({ orderId }) => orderId)).toEqual([orders[2]?.orderId]);
    expect(second.body.next).toBeUndefined();
    const issued = (await history(`takedown-${orders[0]?.takedownId}`)).find(({ type }) => type === 'OrderIssued');
    expect(first.body.items?.[0]).toMatchObject({ webhookId: issued?.id, type: 'order.issued', body: issued?.metadata.message?.body });
    expect(await call('GET', '/v1/platforms/tiktok/messages', 'meta')).toMatchObject({ status: 404 });
    expect(await call('GET', `/v1/platforms/tiktok/messages?after=${randomUUID()}`, 'tiktok')).toMatchObject({ status: 404, body: { code: 'message.unknown' } });
    expect(await call('GET', '/v1/platforms/tiktok/messages?after=1', 'tiktok')).toMatchObject({ status: 400 });
  });

  it('has nothing to test, to resume or to remove', async () => {
    expect(await call('POST', '/v1/platforms/tiktok/endpoint/test', 'tiktok')).toMatchObject({ status: 409, body: { code: 'endpoint.none' } });
    expect(await call('POST', '/v1/platforms/tiktok/endpoint/resume', 'sejam')).toMatchObject({ status: 409 });
    expect(await call('DELETE', '/v1/platforms/tiktok/endpoint', 'tiktok')).toMatchObject({ status: 200, body: { eventId: null } });
    expect(await call('GET', '/v1/platforms/unheard', 'sejam')).toMatchObject({ status: 404, body: { code: 'platform.unknown' } });
  });
});

describe('an endpoint', () => {
  it('is refused where it cannot be called', async () => {
    for (const refused of ['http://192.168.1.1/', 'http://93.184.216.34/', 'ftp://x.example/', 'nonsense', 'https://user:pass@x.example/']) {
      expect(await call('PUT', '/v1/platforms/tiktok/endpoint', 'tiktok', { url: refused })).toMatchObject({ status: 422, body: { code: 'endpoint.url-refused' } });
    }
    expect(await call('PUT', '/v1/platforms/tiktok/endpoint', 'tiktok', { url: 4 })).toMatchObject({ status: 422 });
    expect(await call('PUT', '/v1/platforms/tiktok/endpoint', 'meta', { url })).toMatchObject({ status: 404 });
    expect(await call('PUT', '/v1/platforms/tiktok/endpoint', 'kpu', { url })).toMatchObject({ status: 403 });
  });

  it('is set once, answers its test, and gets orders from then on', async () => {
    const set = await call('PUT', '/v1/platforms/tiktok/endpoint', 'tiktok', { url });
    expect(set).toMatchObject({ status: 200, body: { url, test: false } });
    expect(set.body.secrets).toBeUndefined();
    expect(await call('PUT', '/v1/platforms/tiktok/endpoint', 'sejam', { url })).toEqual(set);
    await eventually(() => directory.endpointOf('tiktok')?.hasEndpoint === true);
    expect(await call('POST', '/v1/platforms/tiktok/endpoint/test', 'tiktok')).toMatchObject({ status: 200, body: { delivered: true, status: 200 } });
    expect(received.at(-1)).toMatchObject({ type: 'endpoint.ping' });
    const { takedownId } = await order();
    await eventually(async () => expect((await typesOf(takedownId)).at(-1)).toBe('OrderDelivered'));
    await eventually(async () => expect((await call('GET', '/v1/platforms/tiktok', 'tiktok')).body).toMatchObject({ endpoint: { url, paused: false }, pending: 0, lastSuccessAt: expect.any(String) }));
  });

  it('gets new secrets by rotation, the same for a retry, and is signed to with both', async () => {
    const headers = { 'idempotency-key': 'rotate-1' };
    const rotated = await call('POST', '/v1/platforms/tiktok/endpoint/rotation', 'tiktok', undefined, headers);
    expect(rotated).toMatchObject({ status: 200, body: { secrets: { orders: expect.stringMatching(/^whsec_/), answers: expect.stringMatching(/^whsec_/) } } });
    expect(await call('POST', '/v1/platforms/tiktok/endpoint/rotation', 'tiktok', undefined, headers)).toEqual(rotated);
    await eventually(async () => expect(await directory.orderSecrets('tiktok')).toHaveLength(2));
    await call('POST', '/v1/platforms/tiktok/endpoint/test', 'tiktok');
    const last = received.at(-1);
    for (const secret of [rotated.body.secrets?.orders ?? '', credentials.webhookSecrets['tiktok']?.orders ?? '']) {
      expect(verify({ headers: last?.headers ?? {}, body: last?.body ?? '', secrets: [{ keyId: 'k', secret }], now: new Date() })).toMatchObject({ valid: true });
    }
    expect(await directory.answerSecrets('tiktok')).toHaveLength(2);
    expect(JSON.stringify(await history('platform-tiktok'))).not.toContain('whsec_');
  });

  it('that fails is shown as failing, tried again on request, and leaves what waits to the feed when it is removed', async () => {
    status = 500;
    const { takedownId, orderId } = await order();
    const failing = await eventually(async () => (await call('GET', '/v1/deliveries?status=failing&platform=tiktok', 'sejam')).body.items?.[0] ?? false);
    expect(failing).toMatchObject({ orderId, status: 'failing', lastCause: 'http-500' });
    const before = received.length;
    expect(await call('POST', `/v1/deliveries/${String(failing['id'])}/retry`, 'sejam')).toMatchObject({ status: 200 });
    await eventually(() => received.length > before);
    expect(await call('POST', `/v1/deliveries/${randomUUID()}/retry`, 'sejam')).toMatchObject({ status: 404, body: { code: 'delivery.not-found' } });
    expect(await call('POST', '/v1/platforms/tiktok/endpoint/test', 'sejam')).toMatchObject({ status: 200, body: { delivered: false, cause: 'http-500' } });
    expect(await call('DELETE', '/v1/platforms/tiktok/endpoint', 'sejam')).toMatchObject({ status: 200, body: { eventId: expect.any(String) } });
    await eventually(async () => expect((await typesOf(takedownId)).at(-1)).toBe('OrderDelivered'));
    expect((await history(`takedown-${takedownId}`)).at(-1)?.data).toMatchObject({ via: 'feed' });
    const later = await order();
    expect((await typesOf(later.takedownId)).slice(-2)).toEqual(['OrderIssued', 'OrderDelivered']);
  });
});

describe('a parked message', () => {
  it('is shown to the operator, waits on while it is not understood, and is handled when it is', async () => {
    const message = { id: randomUUID(), type: 'sejam.sla.v1.ClockStarted', source: 'sejam://r/sla', subject: 'clock-1', time: new Date().toISOString(), sequence: 0, data: {} };
    await bus.ensureTopics(['sejam.sla.v1']);
    await bus.publish('sejam.sla.v1', [toEnvelope(message), toEnvelope({ ...message, id: randomUUID(), sequence: 1 })]);
    const items = await eventually(async () => {
      const page = await call('GET', '/v1/parked', 'sejam');
      return page.body.items?.length === 2 && page.body.items;
    });
    expect(items.map(({ cause }) => cause)).toEqual(['not-understood', 'queued']);
    const id = String(items[0]?.['id']);
    expect(id).toMatch(/^routing:\d+$/);
    expect((await call('GET', '/v1/parked?limit=1', 'sejam')).body.next).toEqual(expect.any(String));
    expect(await call('POST', `/v1/parked/${id}/replay`, 'sejam')).toMatchObject({ status: 200, body: { outcome: 'waits', parked: { attempts: 2 } } });
    expect(await call('POST', `/v1/parked/${id}/skip`, 'sejam', {})).toMatchObject({ status: 422 });
    expect(await call('POST', `/v1/parked/${id}/skip`, 'sejam', { reason: 'Known to be empty' })).toMatchObject({ status: 200, body: { outcome: 'handled' } });
    poisoned = false;
    expect(await call('POST', `/v1/parked/${String(items[1]?.['id'])}/replay`, 'sejam')).toMatchObject({ status: 200, body: { outcome: 'handled' } });
    expect((await call('GET', '/v1/parked', 'sejam')).body).toEqual({ items: [] });
    expect(await call('POST', '/v1/parked/routing:999/replay', 'sejam')).toMatchObject({ status: 404, body: { code: 'parked.not-found' } });
    expect(await call('POST', '/v1/parked/sla:1/replay', 'sejam')).toMatchObject({ status: 404 });
    expect(await call('GET', '/v1/parked?cursor=%21', 'sejam')).toMatchObject({ status: 400 });
  });
});
