import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join as pathOf } from 'node:path';
import { takedownIdOf } from '@sejam/content';
import { legalBases } from '@sejam/contracts';
import { domainClock, transactor, type DomainClock, type StoredEvent, type Transact } from '@sejam/event-sourcing';
import { postgresMigrations, runProjection, type Pool } from '@sejam/postgres';
import { createMasterKeyFile } from '@sejam/privacy';
import { createLogger, Metrics } from '@sejam/service-host';
import { eventually, testDatabase, testEventStore, type TestDatabase, type TestEventStore } from '@sejam/testkit';
import { generateSecret, parseAllowList, verify } from '@sejam/webhooks';
import { platform, register, setEndpoint } from '../platform/platform.js';
import { PlatformDirectory } from '../platform/platform-directory.js';
import { platformMigrations, WebhookSecrets } from '../platform/webhook-secrets.js';
import { Takedowns } from '../takedown/act-on-takedown.js';
import { withdraw } from '../takedown/order.js';
import { joining } from '../takedown/takedown.example.js';
import { takedownMigrations } from '../takedown/takedown-view.js';
import { Courier } from './courier.js';
import { deliveryMigrations, deliveryRows } from './delivery-view.js';

interface Received {
  readonly id: string;
  readonly body: string;
  readonly headers: IncomingHttpHeaders;
}

/** A platform's end: answers each request as the test says, and remembers it. */
interface Endpoint {
  readonly url: string;
  readonly received: Received[];
  answer: (request: Received) => { status: number; headers?: Record<string, string> } | 'hang' | 'reset';
  close(): Promise<void>;
}

async function startEndpoint(): Promise<Endpoint> {
  const received: Received[] = [];
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const one = { id: String(request.headers['webhook-id']), body: Buffer.concat(chunks).toString(), headers: request.headers };
      const answer = endpoint.answer(one);
      received.push(one);
      if (answer === 'hang') return;
      if (answer === 'reset') return void request.socket.destroy();
      response.writeHead(answer.status, answer.headers).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const endpoint: Endpoint = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/orders`,
    received,
    answer: () => ({ status: 204 }),
    close: () => new Promise((resolve) => {
      server.closeAllConnections();
      server.close(() => resolve());
    }),
  };
  return endpoint;
}

/** Domain time sixty times as fast, which a test also turns forwards. */
let offsetMs = 0;
const fast = domainClock({ start: new Date().toISOString(), origin: '2024-11-27T00:00:00.000Z', speed: 60 }, Date.now);
const clock: DomainClock = {
  speed: 60,
  now: () => new Date(fast.now().getTime() + offsetMs),
  wallMsUntil: (due) => fast.wallMsUntil(new Date(due.getTime() - offsetMs)),
};
const minutes = (count: number): number => count * 60_000;

let database: TestDatabase;
let record: TestEventStore;
let folder: string;
let masterKey: ReturnType<typeof createMasterKeyFile>;
let transact: Transact;
let pool: Pool;
let directory: PlatformDirectory;
let secrets: WebhookSecrets;
let takedowns: Takedowns;
let courier: Courier;
let endpoint: Endpoint;
let id: string;
let ordersSecret: string;
let schemas = 0;
jest.setTimeout(60_000);
const log = createLogger({ name: 'routing', level: 'silent' });
const endpoints: Endpoint[] = [];
const by = { organisation: 'sejam', holder: 'system:test' };

beforeAll(async () => {
  database = await testDatabase();
  folder = await mkdtemp(pathOf(tmpdir(), 'courier-'));
  masterKey = createMasterKeyFile(pathOf(folder, 'master.key'));
  secrets = new WebhookSecrets(await database.pool('secrets', [platformMigrations]), masterKey);
});

afterAll(async () => {
  await database?.drop();
  await rm(folder, { recursive: true, force: true });
});

/** Everything of one instance; another call is another instance, or the same one after its database was wiped. */
async function start(on: Pool): Promise<{ courier: Courier; stop(): Promise<void> }> {
  const started = new Courier({ pool: on, store: record.store, clock, transact, takedowns, directory, allow: parseAllowList('127.0.0.0/8'), metrics: new Metrics('routing'), log, random: () => 0 }).start();
  const projection = runProjection({ pool: on, store: record.store, name: 'deliveries', prefixes: ['takedown-'], ...deliveryRows((platform) => started.wake(platform)) });
  return {
    courier: started,
    async stop() {
      await projection.stop();
      await started.stop();
    },
  };
}

async function newSchema(): Promise<Pool> {
  schemas += 1;
  return database.pool(`routing_${schemas}`, [postgresMigrations, takedownMigrations, deliveryMigrations]);
}

async function newPlatform(url?: string): Promise<{ platform: string; secret: string }> {
  const name = `platform-${randomUUID()}`;
  const secret = generateSecret();
  const kept = { orders: await secrets.keep(name, 'orders', `${name}-orders`, secret), answers: await secrets.keep(name, 'answers', `${name}-answers`, generateSecret()) };
  await transact(platform, name, { causationId: 'seed', correlationId: 'seed', by }, (state) => register(state, { platform: name, name, products: ['tiktok'], secrets: kept }));
  if (url !== undefined) await transact(platform, name, { causationId: 'set', correlationId: 'set', by }, (state) => setEndpoint(state, { url, test: false, secrets: kept }));
  await eventually(() => directory.ids().includes(name) && (url === undefined || directory.find(name)?.endpoint !== undefined));
  return { platform: name, secret };
}

let stop: () => Promise<void>;

beforeEach(async () => {
  record = await testEventStore();
  transact = transactor(record.store, clock);
  pool = await newSchema();
  directory = new PlatformDirectory(secrets, { inForce: async () => [] });
  await directory.follow(record.store);
  takedowns = new Takedowns({ transact, platforms: directory, policies: { all: async () => [] }, legalBases: legalBases(), desk: 'desk@sejam.example', redress: 'Object.' });
  endpoint = await startEndpoint();
  endpoints.push(endpoint);
  ({ platform: id, secret: ordersSecret } = await newPlatform(endpoint.url));
  ({ courier, stop } = await start(pool));
});

afterEach(async () => {
  await stop();
  await directory.stop();
  await record.stop();
  await Promise.all(endpoints.splice(0).map((one) => one.close()));
});

async function order(of = id): Promise<{ takedownId: string; orderId: string }> {
  const contentKey = `tiktok:video:${randomUUID()}`;
  const takedownId = takedownIdOf(contentKey);
  const reportId = randomUUID();
  await takedowns.join({ takedownId, contentKey, platform: of, product: 'tiktok', provisional: false }, joining({ reportId }), { causationId: `event:${reportId}`, correlationId: reportId, by });
  return { takedownId, orderId: `${takedownId}.1` };
}

async function history(takedownId: string): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  for await (const event of record.store.read(`takedown-${takedownId}`)) events.push(event);
  return events;
}

const typesOf = async (takedownId: string): Promise<string[]> => (await history(takedownId)).slice(3).map(({ type }) => type);
const delivered = (takedownId: string): Promise<unknown> => eventually(async () => (await typesOf(takedownId)).includes('OrderDelivered'));
const withdrawn = (takedownId: string, orderId: string): Promise<unknown> =>
  takedowns.act(takedownId, { causationId: randomUUID(), correlationId: orderId, by }, (state) => withdraw(state, { reason: 'Mistaken', withdrawnBy: 'kominfo' }));

describe('the courier', () => {
  it('posts the exact body of the record, signed, with the id of its event, and records the delivery', async () => {
    const { takedownId, orderId } = await order();
    await delivered(takedownId);
    const issued = (await history(takedownId)).find(({ type }) => type === 'OrderIssued');
    const [one] = endpoint.received;
    expect([one?.id, one?.body]).toEqual([issued?.id, issued?.metadata.message?.body]);
    expect(verify({ headers: one?.headers ?? {}, body: one?.body ?? '', secrets: [{ keyId: 'k', secret: ordersSecret }], now: new Date() })).toMatchObject({ valid: true });
    const last = (await history(takedownId)).at(-1);
    expect(last).toMatchObject({ type: 'OrderDelivered', data: { orderId, via: 'webhook', webhookId: issued?.id, attempt: 1 }, metadata: { causationId: `delivery:${issued?.id}/1` } });
    await eventually(async () => (await courier.queue.standing(id)).pending === 0);
    expect((await courier.queue.standing(id)).lastSuccessAt).not.toBeNull();
  });

  it('delivers hundreds of orders once each, with two instances at work', async () => {
    const other = await start(pool);
    const orders = await Promise.all(Array.from({ length: 100 }, () => order()));
    for (const { takedownId } of orders) await delivered(takedownId);
    await other.stop();
    expect(endpoint.received).toHaveLength(100);
    expect(new Set(endpoint.received.map((one) => one.id)).size).toBe(100);
  });

  it('records each failure with its cause and side and tries again by the schedule until it is delivered', async () => {
    endpoint.answer = () => (endpoint.received.length < 2 ? { status: 500 } : { status: 200 });
    const { takedownId } = await order();
    await delivered(takedownId);
    expect(await typesOf(takedownId)).toEqual(['OrderDeliveryFailed', 'OrderDeliveryFailed', 'OrderDelivered']);
    const [first, second, third] = (await history(takedownId)).slice(3);
    expect(first?.data).toMatchObject({ attempt: 1, side: 'platform', cause: 'http-500', httpStatus: 500 });
    expect(Date.parse(second?.metadata.at ?? '') - Date.parse(first?.metadata.at ?? '')).toBeGreaterThanOrEqual(5_000);
    expect(third?.data).toMatchObject({ attempt: 3 });
    expect(new Set(endpoint.received.map((one) => one.id)).size).toBe(1);
  });

  it('tells a connection that is refused, one that is reset and one that hangs from each other', async () => {
    const hanging = await newPlatform(endpoint.url);
    endpoint.answer = () => 'hang';
    const resetting = await startEndpoint();
    endpoints.push(resetting);
    resetting.answer = () => 'reset';
    const reset = await newPlatform(resetting.url);
    const closed = await startEndpoint();
    await closed.close();
    const refusing = await newPlatform(closed.url);
    const orders = { timeout: await order(hanging.platform), 'connection-reset': await order(reset.platform), 'connection-refused': await order(refusing.platform) };
    for (const [cause, { takedownId }] of Object.entries(orders)) {
      const failed = await eventually(async () => (await history(takedownId)).find(({ type }) => type === 'OrderDeliveryFailed') ?? false);
      expect(failed.data).toMatchObject({ side: 'platform', cause });
    }
  });

  it('keeps nobody waiting behind a platform that hangs', async () => {
    const slow = await startEndpoint();
    endpoints.push(slow);
    slow.answer = () => 'hang';
    const { platform: hanging } = await newPlatform(slow.url);
    await Promise.all(Array.from({ length: 40 }, () => order(hanging)));
    const { takedownId } = await order();
    await delivered(takedownId);
  });

  it('does not send an order that was withdrawn before it arrived, and sends the notice of it', async () => {
    endpoint.answer = ({ body }) => ({ status: body.includes('order.issued') ? 503 : 200 });
    const { takedownId, orderId } = await order();
    await eventually(() => endpoint.received.length > 0);
    await withdrawn(takedownId, orderId);
    await eventually(async () => (await typesOf(takedownId)).includes('NoticeDelivered'));
    const attempts = endpoint.received.filter(({ body }) => body.includes('"order.issued"')).length;
    offsetMs += minutes(60);
    const later = await order();
    endpoint.answer = () => ({ status: 200 });
    await delivered(later.takedownId);
    expect(endpoint.received.filter(({ body }) => body.includes('"order.issued"') && body.includes(orderId))).toHaveLength(attempts);
    expect((await pool.query('SELECT status FROM delivery WHERE order_id = $1 ORDER BY sequence', [orderId])).rows).toEqual([{ status: 'superseded' }, { status: 'delivered' }]);
  });

  it('never tries an order that was withdrawn before its first attempt, and sends the notice of it', async () => {
    await stop();
    const { takedownId, orderId } = await order();
    await withdrawn(takedownId, orderId);
    ({ courier, stop } = await start(pool));
    await eventually(async () => (await typesOf(takedownId)).includes('NoticeDelivered'));
    expect(endpoint.received.map(({ body }) => (JSON.parse(body) as { type: string }).type)).toEqual(['order.withdrawn']);
    await eventually(async () => expect((await pool.query('SELECT status, attempts FROM delivery WHERE order_id = $1 ORDER BY sequence', [orderId])).rows).toEqual([{ status: 'superseded', attempts: 0 }, { status: 'delivered', attempts: 1 }]));
  });

  it('sends what waits at once when the endpoint answers again', async () => {
    endpoint.answer = () => ({ status: 503, headers: { 'retry-after': '3600' } });
    const waiting = await Promise.all(Array.from({ length: 5 }, () => order()));
    for (const { takedownId } of waiting) await eventually(async () => (await typesOf(takedownId)).includes('OrderDeliveryFailed'));
    await pool.query(`UPDATE delivery SET due_at = due_at + interval '1 day' WHERE platform = $1`, [id]);
    endpoint.answer = () => ({ status: 200 });
    const { takedownId } = await order();
    for (const one of [...waiting, { takedownId }]) await delivered(one.takedownId);
  });

  it('sends nothing twice after the database was lost, and counts the attempts on', async () => {
    const { takedownId } = await order();
    await delivered(takedownId);
    endpoint.answer = () => ({ status: 500 });
    const failing = await order();
    await eventually(async () => (await typesOf(failing.takedownId)).includes('OrderDeliveryFailed'));
    await stop();
    const sent = endpoint.received.filter(({ body }) => body.includes(takedownId)).length;
    endpoint.answer = () => ({ status: 200 });
    pool = await newSchema();
    ({ courier, stop } = await start(pool));
    await delivered(failing.takedownId);
    const last = (await history(failing.takedownId)).at(-1);
    expect((last?.data as { attempt: number }).attempt).toBe((await typesOf(failing.takedownId)).length);
    expect(endpoint.received.filter(({ body }) => body.includes(takedownId))).toHaveLength(sent);
  });
});

describe('an endpoint that fails', () => {
  it('does not dodge the clock: after a quarter of an hour and three failures the order is deemed delivered', async () => {
    endpoint.answer = () => ({ status: 500 });
    const { takedownId, orderId } = await order();
    await eventually(async () => (await typesOf(takedownId)).length >= 3);
    expect(await typesOf(takedownId)).not.toContain('OrderDeemedDelivered');
    offsetMs += minutes(15);
    await eventually(async () => (await typesOf(takedownId)).includes('OrderDeemedDelivered'));
    const deemed = (await history(takedownId)).find(({ type }) => type === 'OrderDeemedDelivered');
    expect(deemed?.data).toMatchObject({ orderId, causes: ['http-500'] });
    endpoint.answer = () => ({ status: 200 });
    offsetMs += minutes(5);
    await delivered(takedownId);
  });

  it('is not to blame while two platforms were tried and none answered', async () => {
    await endpoint.close();
    const other = await startEndpoint();
    await other.close();
    const second = await newPlatform(other.url);
    const orders = [await order(), await order(second.platform)];
    for (const { takedownId } of orders) await eventually(async () => (await typesOf(takedownId)).length >= 3);
    offsetMs += minutes(14);
    for (const { takedownId } of orders) await eventually(async () => (await history(takedownId)).some(({ metadata }, i, all) => Date.parse(metadata.at) - Date.parse(all[0]?.metadata.at ?? '') > minutes(15)), { withinMs: 30_000 });
    for (const { takedownId } of orders) expect(await typesOf(takedownId)).not.toContain('OrderDeemedDelivered');
  });

  it('is paused after three times 410, probed each minute, and resumed by the first success', async () => {
    endpoint.answer = () => ({ status: 410 });
    const orders = await Promise.all([order(), order(), order()]);
    const paused = (): boolean => directory.find(id)?.endpoint?.paused === true;
    await eventually(paused);
    const { takedownId } = await order();
    await eventually(async () => (await typesOf(takedownId)).filter((type) => type === 'OrderDeliveryFailed').length === 3, { withinMs: 20_000 });
    expect(endpoint.received.some(({ body }) => body.includes(takedownId))).toBe(false);
    offsetMs += minutes(15);
    await eventually(async () => (await typesOf(takedownId)).includes('OrderDeemedDelivered'));
    endpoint.answer = () => ({ status: 200 });
    offsetMs += minutes(1);
    await eventually(() => !paused());
    for (const one of [...orders, { takedownId }]) await delivered(one.takedownId);
    expect(endpoint.received.some(({ body }) => body.includes('"endpoint.ping"'))).toBe(true);
  });

  it('is given up to an operator at the end of the schedule, with what waits behind, until somebody tries again', async () => {
    endpoint.answer = () => ({ status: 500 });
    const { takedownId, orderId } = await order();
    // Once its first attempt has ended, from which the schedule counts.
    await eventually(async () => (await pool.query('UPDATE delivery SET attempts = 11 WHERE order_id = $1 AND last_attempt_at IS NOT NULL AND claimed_until IS NULL', [orderId])).rowCount === 1);
    offsetMs += minutes(25 * 60);
    await eventually(async () => (await courier.queue.standing(id)).parked === 1);
    await withdrawn(takedownId, orderId);
    await eventually(async () => (await courier.queue.standing(id)).parked === 2);
    endpoint.answer = () => ({ status: 200 });
    const { rows } = await pool.query<{ id: string }>('SELECT webhook_id AS id FROM delivery WHERE order_id = $1 ORDER BY sequence', [orderId]);
    expect(await courier.queue.retry(rows[0]?.id ?? '', clock.now())).toEqual({ platform: id });
    await eventually(async () => (await typesOf(takedownId)).includes('NoticeDelivered'));
  });
});

describe('a platform without an endpoint', () => {
  it('gets what still waits for it by its feed when its endpoint is removed', async () => {
    endpoint.answer = () => ({ status: 500 });
    const { takedownId, orderId } = await order();
    await eventually(async () => (await typesOf(takedownId)).includes('OrderDeliveryFailed'));
    await transact(platform, id, { causationId: 'remove', correlationId: 'remove', by }, () => [{ type: 'EndpointRemoved', data: { platform: id } }]);
    await delivered(takedownId);
    expect((await history(takedownId)).at(-1)?.data).toMatchObject({ orderId, via: 'feed' });
    await withdrawn(takedownId, orderId);
    expect((await typesOf(takedownId)).slice(-2)).toEqual(['OrderWithdrawn', 'NoticeDelivered']);
    await eventually(async () => (await courier.queue.standing(id)).pending === 0);
  });
});
