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
import { addMasterKey, countSealed, createMasterKeyFile, dropOldMasterKeys, resealAll, type MasterKey } from '@sejam/privacy';
import { createLogger, hostSettings, IdentityDirectory, Metrics, newApiKey, readConfig, startService, type RunningService } from '@sejam/service-host';
import { eventually, testDatabase, testEventStore, type TestDatabase, type TestEventStore } from '@sejam/testkit';
import { generateSecret, generateSigningKeyPair, parseAllowList, sign, verify } from '@sejam/webhooks';
import { RefusedWebhooks } from '../answer/refused-webhooks.js';
import { routingAccess } from '../access.js';
import { Courier } from '../delivery/courier.js';
import { deliveryMigrations, deliveryRows } from '../delivery/delivery-view.js';
import { RoutingModule } from '../routing.module.js';
import { sealedSigningKeys, SIGNING_KEYRING, SigningKeys } from '../signing-key/signing-keys.js';
import { Takedowns } from '../takedown/act-on-takedown.js';
import { KnownRequests } from '../takedown/known-requests.js';
import { joining } from '../takedown/takedown.example.js';
import { applyTakedowns, takedownMigrations } from '../takedown/takedown-view.js';
import { PlatformDirectory } from './platform-directory.js';
import { seedPlatforms } from './seed-platforms.js';
import { platformMigrations, sealedWebhookSecrets, WebhookSecrets } from './webhook-secrets.js';

let database: TestDatabase;
let record: TestEventStore;
let folder: string;
let pool: Pool;
let service: RunningService;
let takedowns: Takedowns;
let directory: PlatformDirectory;
let courier: Courier;
let masterKey: MasterKey;
let signingKeys: SigningKeys;
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
  masterKey = createMasterKeyFile(pathOf(folder, 'master.key'));
  const secrets = new WebhookSecrets(pool, masterKey);
  signingKeys = new SigningKeys({ client: pool, masterKey, store, transact });
  await signingKeys.ensure();
  await signingKeys.follow();
  await seedPlatforms({ transact, secrets, credentials });
  directory = new PlatformDirectory(secrets, signingKeys);
  await directory.follow(store);
  const policies = { all: async () => [] };
  takedowns = new Takedowns({ transact, platforms: directory, policies, legalBases: legalBases(), desk: 'desk@sejam.example', redress: 'Object.' });
  const allow = parseAllowList('127.0.0.0/8');
  courier = new Courier({ pool, store, clock, transact, takedowns, directory, allow, metrics, log }).start();
  const takedownView = runProjection({ pool, store, name: 'takedowns', prefixes: ['takedown-'], apply: applyTakedowns });
  const view = runProjection({ pool, store, name: 'deliveries', prefixes: ['takedown-'], ...deliveryRows((platform) => courier.wake(platform)) });
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
      store, transact, clock, pool, platforms: directory, policies, takedowns, takedownView, signingKeys, requests: new KnownRequests(pool), refusedWebhooks: new RefusedWebhooks(pool), metrics, log,
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
  await signingKeys?.stop();
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
    await eventually(async () => expect(await directory.orderSecrets('tiktok')).toHaveLength(3));
    await call('POST', '/v1/platforms/tiktok/endpoint/test', 'tiktok');
    const last = received.at(-1);
    for (const secret of [rotated.body.secrets?.orders ?? '', credentials.webhookSecrets['tiktok']?.orders ?? '', signingKeys.published()[0]?.publicKey ?? '']) {
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

describe('the key of a platform that proves its answers', () => {
  const [first, second, stranger] = [generateSigningKeyPair(), generateSigningKeyPair(), generateSigningKeyPair()];
  const shared = (): string => credentials.webhookSecrets['meta']?.answers ?? '';
  const put = (body: object, key = 'meta', headers = {}): Promise<Answered> => call('PUT', '/v1/platforms/meta/answer-key', key, body, headers);
  const inForce = async (): Promise<string[]> => (await directory.answerSecrets('meta')).map(({ keyId }) => keyId.replace(/^meta-/, '').slice(0, 7));

  async function answer(secrets: string[], changed = (signature: string): string => signature): Promise<{ status: number; orderId: string; takedownId: string; detail?: string }> {
    const { orderId, takedownId } = await order('meta');
    const body = JSON.stringify({ type: 'order.refused', data: { orderId, reason: 'other', explanation: 'Not ours' } });
    const headers = sign({ webhookId: randomUUID(), at: new Date(), body, secrets });
    const response = await fetch(`${service.url}/v1/platforms/meta/webhooks`, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers, 'webhook-signature': changed(headers['webhook-signature']) } });
    const { detail } = (await response.json()) as { detail?: string };
    return { status: response.status, orderId, takedownId, ...(detail === undefined ? {} : { detail }) };
  }

  it('is refused when it can prove nothing, or comes from somebody else', async () => {
    for (const publicKey of [first.privateKey, generateSecret(), 'whpk_AAAA', `whpk_${Buffer.alloc(32).toString('base64')}`, `whpk_${Buffer.alloc(32, 255).toString('base64')}`]) {
      const refused = await put({ publicKey });
      expect(refused).toMatchObject({ status: 422, body: { code: 'answer-key.unusable' } });
      expect(JSON.stringify(refused.body)).not.toContain(publicKey);
    }
    expect(await put({ publicKey: 4 })).toMatchObject({ status: 422 });
    expect(await put({ publicKey: first.publicKey, required: 'yes' })).toMatchObject({ status: 422 });
    expect(await put({ publicKey: first.publicKey }, 'tiktok')).toMatchObject({ status: 404 });
    expect(await put({ publicKey: first.publicKey }, 'kpu')).toMatchObject({ status: 403 });
    expect(await call('DELETE', '/v1/platforms/meta/answer-key', 'meta')).toMatchObject({ status: 200, body: { eventId: null } });
    expect(await call('PUT', '/v1/platforms/unheard/answer-key', 'sejam', { publicKey: first.publicKey })).toMatchObject({ status: 404, body: { code: 'platform.unknown' } });
  });

  it('proves answers from then on, the shared secret alone proves them as before, and a signature that does not hold is not saved by it', async () => {
    const set = await put({ publicKey: first.publicKey });
    expect(set).toMatchObject({ status: 200, body: { platform: 'meta', keyId: expect.stringMatching(/^meta-v1a-[0-9a-f]{16}$/), publicKey: first.publicKey, required: false, previous: [] } });
    expect(await put({ publicKey: first.publicKey.replace(/=+$/, '') }, 'sejam')).toEqual(set);
    await eventually(async () => expect(await inForce()).toEqual(['v1a-' + String(set.body['keyId']).slice(9, 12), 'answers']));
    expect((await call('GET', '/v1/platforms/meta', 'meta')).body).toMatchObject({ answerKeys: { required: false, keys: [{ keyId: set.body['keyId'], publicKey: first.publicKey }] } });

    const proven = await answer([shared(), first.privateKey]);
    expect(proven.status).toBe(202);
    const event = (await history(`takedown-${proven.takedownId}`)).at(-1);
    expect(event?.metadata).toMatchObject({ proof: 'asymmetric', signed: { keyId: set.body['keyId'], signature: expect.stringMatching(/^v1a,/), body: expect.stringContaining(proven.orderId) } });
    expect((await call('GET', `/v1/takedowns/${proven.takedownId}`, 'kpu')).body).toMatchObject({ answers: [{ type: 'OrderRefused', proof: 'asymmetric' }] });
    expect((await call('GET', `/v1/platforms/meta/orders/${proven.orderId}`, 'meta')).body).toMatchObject({ answers: [{ proof: 'asymmetric' }] });
    expect(await answer([first.privateKey])).toMatchObject({ status: 202 });

    const plain = await answer([shared()]);
    expect((await history(`takedown-${plain.takedownId}`)).at(-1)?.metadata).toMatchObject({ proof: 'shared', signed: { signature: expect.stringMatching(/^v1,/) } });
    expect(await answer([shared(), stranger.privateKey])).toMatchObject({ status: 401, detail: expect.stringContaining('no v1a signature') });
    expect(await answer([shared(), first.privateKey], (signature) => signature.replace(/v1a,..../, 'v1a,AAAA'))).toMatchObject({ status: 401 });
  });

  it('counts beside the next one for a day, and may be required', async () => {
    const headers = { 'idempotency-key': 'answer-key-2' };
    const next = await put({ publicKey: second.publicKey, required: true }, 'meta', headers);
    expect(next).toMatchObject({ status: 200, body: { required: true, previous: [{ keyId: expect.any(String), worksUntil: expect.any(String) }] } });
    expect(await put({ publicKey: second.publicKey, required: true }, 'meta', headers)).toEqual(next);
    expect(await put({ publicKey: stranger.publicKey }, 'meta', headers)).toMatchObject({ status: 409, body: { code: 'request.key-reused' } });
    await eventually(async () => expect(await inForce()).toHaveLength(2));
    expect(Date.parse(String((next.body['previous'] as unknown as { worksUntil: string }[])[0]?.worksUntil)) - Date.now()).toBeGreaterThan(23 * 3_600_000);

    expect(await answer([second.privateKey])).toMatchObject({ status: 202 });
    expect(await answer([first.privateKey, shared()])).toMatchObject({ status: 202 });
    expect(await answer([shared()])).toMatchObject({ status: 401, detail: expect.stringContaining('no v1a signature') });
    // By key it may answer as ever.
    const { orderId, takedownId } = await order('meta');
    expect(await call('POST', `/v1/platforms/meta/orders/${orderId}/answers`, 'meta', { answerId: 'a-1', type: 'order.acknowledged', data: {} })).toMatchObject({ status: 202 });
    expect((await history(`takedown-${takedownId}`)).at(-1)?.metadata.proof).toBeUndefined();
  });

  it('is gone at once when it is removed, and those before it too', async () => {
    const removed = await call('DELETE', '/v1/platforms/meta/answer-key', 'sejam');
    expect(removed).toMatchObject({ status: 200, body: { eventId: expect.any(String) } });
    expect(await call('DELETE', '/v1/platforms/meta/answer-key', 'meta')).toEqual(removed);
    await eventually(async () => expect(await inForce()).toEqual(['answers']));
    expect(await answer([second.privateKey])).toMatchObject({ status: 401 });
    expect(await answer([second.privateKey, shared()])).toMatchObject({ status: 202 });
    expect((await history('platform-meta')).map(({ type }) => type).slice(-3)).toEqual(['AnswerKeySet', 'AnswerKeySet', 'AnswerKeyRemoved']);
  });
});

describe('our own key', () => {
  const published = async (headers: Record<string, string> = {}): Promise<Response> => fetch(`${service.url}/.well-known/sejam-webhook-keys.json`, { headers });
  const keysOf = async (): Promise<Record<string, string>[]> => ((await (await published()).json()) as { keys: Record<string, string>[] }).keys;

  it('was made once, is published to everybody, and is not sent again to whom it was sent', async () => {
    const response = await published();
    expect(response.headers.get('cache-control')).toBe('public, max-age=300');
    expect(await response.json()).toEqual({ keys: [{ keyId: 'sejam-1', algorithm: 'ed25519', publicKey: expect.stringMatching(/^whpk_/), validFrom: expect.any(String) }] });
    const again = await published({ 'if-none-match': response.headers.get('etag') ?? '' });
    expect([again.status, await again.text()]).toEqual([304, '']);

    const others = [1, 2].map(() => new SigningKeys({ client: pool, masterKey, store: record.store, transact: transactor(record.store, domainClock({ start: new Date(0).toISOString(), origin: new Date(0).toISOString(), speed: 1 }, Date.now)) }));
    await Promise.all(others.map((one) => one.ensure()));
    expect((await history(`signingkey-${SIGNING_KEYRING}`)).map(({ data }) => data)).toEqual([expect.objectContaining({ keyId: 'sejam-1', cause: 'first' })]);
    expect(JSON.stringify((await pool.query('SELECT * FROM signing_key')).rows)).not.toContain('whsk_');
  });

  it('is replaced by an operator with an overlap, in which both sign, or at once', async () => {
    expect(await call('POST', '/v1/webhook-keys/rotation', 'meta', {})).toMatchObject({ status: 403 });
    expect(await call('POST', '/v1/webhook-keys/rotation', 'sejam', { overlapMinutes: 1441 })).toMatchObject({ status: 422 });
    const headers = { 'idempotency-key': 'sign-2' };
    const rotated = await call('POST', '/v1/webhook-keys/rotation', 'sejam', {}, headers);
    expect(rotated).toMatchObject({ status: 200, body: { keyId: 'sejam-2', publicKey: expect.stringMatching(/^whpk_/), othersUntil: expect.any(String), eventId: expect.any(String) } });
    expect(await call('POST', '/v1/webhook-keys/rotation', 'sejam', {}, headers)).toEqual(rotated);
    await eventually(async () => expect(await keysOf()).toMatchObject([{ keyId: 'sejam-1', validUntil: expect.any(String) }, { keyId: 'sejam-2', publicKey: rotated.body['publicKey'] }]));
    expect(await signingKeys.inForce()).toHaveLength(2);

    await Promise.all([1, 2].map(() => call('POST', '/v1/webhook-keys/rotation', 'sejam', { overlapMinutes: 0 })));
    await eventually(async () => expect(await signingKeys.inForce()).toHaveLength(1));
    const all = await keysOf();
    expect(all.every(({ validUntil }, index) => (validUntil === undefined) === (index === all.length - 1))).toBe(true);
    expect(Date.parse(all[0]?.['validUntil'] ?? '')).toBeLessThanOrEqual(Date.now());
  });

  it('is another one when its table is lost, and the old one stays published', async () => {
    const before = await keysOf();
    const lost = await database.pool('routing_lost', [platformMigrations]);
    const elsewhere = new SigningKeys({ client: lost, masterKey, store: record.store, transact: transactor(record.store, domainClock({ start: new Date(0).toISOString(), origin: new Date(0).toISOString(), speed: 1 }, Date.now)) });
    await elsewhere.ensure();
    await elsewhere.ensure();
    await elsewhere.follow();
    expect(elsewhere.published()).toHaveLength(before.length + 1);
    expect(await elsewhere.inForce()).toHaveLength(1);
    expect((await history(`signingkey-${SIGNING_KEYRING}`)).at(-1)?.data).toMatchObject({ cause: 'loss' });
    await elsewhere.stop();
  });
});

describe('another master key', () => {
  it('seals our own keys and the secrets of the platforms anew, and they are the same ones', async () => {
    const generated = generateSecret();
    const { secretId } = await new WebhookSecrets(pool, masterKey).keep('meta', 'orders', 'meta-orders-kept', generated);
    const signedWith = (await signingKeys.inForce()).length;
    const newer = addMasterKey(pathOf(folder, 'master.key'));
    const { rows: [kept] } = await pool.query<{ values: number }>('SELECT (SELECT count(*) FROM webhook_secret) + (SELECT count(*) FROM signing_key) AS "values"');
    expect(await resealAll({ pool, masterKey: newer, columns: [sealedWebhookSecrets, sealedSigningKeys], log: createLogger({ name: 'routing', level: 'silent' }) })).toBe(kept?.values);
    expect(new Set((await countSealed(pool, [pool.schema])).map(({ id }) => id))).toEqual(new Set([newer.currentId]));

    const alone = dropOldMasterKeys(pathOf(folder, 'master.key'));
    expect(await new WebhookSecrets(pool, alone).open('meta', secretId)).toBe(generated);
    const again = new SigningKeys({ client: pool, masterKey: alone, store: record.store, transact: transactor(record.store, domainClock({ start: new Date(0).toISOString(), origin: new Date(0).toISOString(), speed: 1 }, Date.now)) });
    const before = await history(`signingkey-${SIGNING_KEYRING}`);
    await again.follow();
    expect(await again.inForce()).toHaveLength(signedWith);
    expect(await history(`signingkey-${SIGNING_KEYRING}`)).toEqual(before);
    await again.stop();
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
