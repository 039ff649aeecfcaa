import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createLogger, hostSettings, readConfig, startService, type RunningService } from '@sejam/service-host';
import { eventually } from '@sejam/testkit';
import { createSender, generateSecret, generateSigningKeyPair, parseAllowList, sign, verify } from '@sejam/webhooks';
import type { Credentials } from './credentials.js';
import { openKeyFile } from './answer/key-file.js';
import { openJournal } from './journal.js';
import { platforms, type Platform } from './order/order.js';
import { access, SandboxModule } from './sandbox.module.js';
import type { Behaviour } from './script/behaviour.js';
import { defaultScript, type Script } from './script/script.js';

interface Arrived {
  readonly path: string;
  readonly answerId: string;
  readonly body: { type: string; data: Record<string, unknown>; answerId?: string };
  readonly text: string;
  readonly status: number;
  readonly proof?: 'shared' | 'asymmetric';
}

/** The clearing house's side of the contract, as far as the sandbox can tell: signatures, ids, effects, and the feed. */
class ClearingHouse {
  readonly arrived: Arrived[] = [];
  readonly feed = new Map<string, { webhookId: string; body: string }[]>();
  /** Statuses to answer before the first sensible one. */
  trouble: number[] = [];
  #server!: Server;
  url = '';
  /** What it publishes as its own keys; without any, there is no document. */
  ownKeys: { keyId: string; publicKey: string; validUntil?: string }[] = [];
  /** By platform, what was registered for its answers. */
  readonly answerKeys = new Map<Platform, string>();

  constructor(private readonly credentials: Credentials['of']) {}

  async open(): Promise<this> {
    this.#server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const url = new URL(request.url ?? '/', 'http://x');
      const platform = url.pathname.split('/')[3] as Platform;
      const authorised = request.headers.authorization === `Bearer key-of-${platform}`;
      if (url.pathname === '/.well-known/sejam-webhook-keys.json') {
        response.writeHead(this.ownKeys.length > 0 ? 200 : 404, { 'content-type': 'application/json', etag: '"1"' }).end(JSON.stringify({ keys: this.ownKeys }));
        return;
      }
      if (request.method === 'PUT') {
        if (authorised) this.answerKeys.set(platform, (JSON.parse(Buffer.concat(chunks).toString()) as { publicKey: string }).publicKey);
        response.writeHead(authorised ? 200 : 401, { 'content-type': 'application/json' }).end('{}');
        return;
      }
      if (request.method === 'GET') {
        const messages = this.feed.get(platform) ?? [];
        const from = messages.findIndex(({ webhookId }) => webhookId === url.searchParams.get('after')) + 1;
        response.writeHead(authorised ? 200 : 401, { 'content-type': 'application/json' }).end(JSON.stringify({ items: messages.slice(from, from + Number(url.searchParams.get('limit'))) }));
        return;
      }
      const body = Buffer.concat(chunks);
      const own = this.answerKeys.get(platform);
      const secrets = [{ keyId: 'answers', secret: this.credentials[platform].answersSecret }, ...(own === undefined ? [] : [{ keyId: 'own', secret: own }])];
      const verdict = verify({ headers: request.headers, body, secrets, now: new Date() });
      const proven = verdict.valid || authorised;
      const status = this.trouble.shift() ?? (proven ? 202 : 401);
      const parsed = JSON.parse(body.toString()) as Arrived['body'];
      const effect = this.arrived.some(({ text }) => text === body.toString()) ? 'recorded' : 'applied';
      this.arrived.push({ path: url.pathname, answerId: parsed.answerId ?? String(request.headers['webhook-id']), body: parsed, text: body.toString(), status, ...(verdict.valid ? { proof: verdict.proof } : {}) });
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(status === 202 ? { eventId: 'e', effect } : { code: 'no' }));
    });
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return this;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const secrets = Object.fromEntries(platforms.map((platform) => [platform, { ordersSecret: generateSecret(), answersSecret: generateSecret(), apiKey: `key-of-${platform}` }])) as Credentials['of'];
/** A thousand domain seconds pass in one. */
const SPEED = 1_000;
const all = (behaviour: string | Behaviour, more: object = {}): Script => ({ seed: 7, platforms: { '*': { overrides: [{ behaviour }], ...more } } });
const orderBody = (orderId: string, over: object = {}) =>
  JSON.stringify({ type: 'order.issued', timestamp: '2024-11-27T05:00:00.000Z', data: { orderId, sequence: 1, content: { contentKey: 'tiktok:video:1' }, requestedAction: 'removed', terms: { acknowledgeWithinMinutes: 1, resolveWithinMinutes: 5 }, ...over } });
const noticeBody = (type: string, orderId: string, over: object = {}) => JSON.stringify({ type, timestamp: '2024-11-27T05:10:00.000Z', data: { orderId, sequence: 2, ...over } });

describe('the sandbox', () => {
  let house: ClearingHouse;
  let sandbox: RunningService;
  let folder: string;
  let end = new AbortController();
  const sender = createSender({ allow: parseAllowList('127.0.0.0/8'), timeoutMs: 700 });

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sejam-sandbox-'));
    house = await new ClearingHouse(secrets).open();
  });
  afterEach(async () => {
    end.abort();
    await sandbox.close();
    await house.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function start(script: Script, { speed = SPEED, withAnswerKey = [] as Platform[] } = {}): Promise<void> {
    end = new AbortController();
    const log = createLogger({ name: 'sandbox', level: 'silent' });
    const journal = openJournal(join(folder, 'data', 'sandbox.ndjson'));
    const answerKeys = openKeyFile(withAnswerKey, join(folder, 'data', 'answer-keys.json'));
    const parts = { script, journal, answerKeys, log, credentials: { baseUrl: house.url, of: secrets }, settings: { gatewayUrl: house.url, speed, closing: end.signal } };
    sandbox = await startService({ name: 'sandbox', module: SandboxModule.with(parts), config: readConfig(hostSettings({ port: 0 }), {}), log, access, readiness: {} });
  }

  const deliver = (body: string, { webhookId = crypto.randomUUID() as string, secret = secrets.tiktok.ordersSecret, own = [] as string[], at = new Date() } = {}) =>
    sender.send({ url: `${sandbox.url}/platforms/tiktok/orders`, body, headers: { ...sign({ webhookId, at, body, secrets: [secret, ...own] }) } });
  const get = async (path: string) => ((await (await fetch(`${sandbox.url}${path}`)).json()) as { items: Record<string, unknown>[] }).items;
  const types = () => house.arrived.filter(({ status }) => status === 202).map(({ body }) => body.type);

  it('takes an order, acknowledges it and acts on it, each answer signed', async () => {
    await start(all('prompt'));
    expect(await deliver(orderBody('t1.1'))).toMatchObject({ kind: 'answered', status: 200 });
    await eventually(() => expect(types()).toEqual(['order.acknowledged', 'order.actioned']));
    expect(house.arrived[1]).toMatchObject({ path: '/v1/platforms/tiktok/webhooks', body: { data: { orderId: 't1.1', action: 'removed', actionedAt: expect.stringMatching(/^2024-11-27T05:00:0[4-8]/) } } });
    expect(await get('/orders?platform=tiktok')).toMatchObject([{ orderId: 't1.1', type: 'order.issued', contentKey: 'tiktok:video:1', behaviour: 'prompt', attempts: 1, via: 'webhook' }]);
    await eventually(async () => expect(await get('/answers?orderId=t1.1&state=accepted')).toHaveLength(2));
    expect((await get('/answers'))[0]).toMatchObject({ type: 'order.actioned', state: 'accepted', httpStatuses: [202], effect: 'applied' });
  });

  it('turns away what the clearing house did not sign, and remembers nothing of it', async () => {
    await start(all('prompt'));
    expect(await deliver(orderBody('t1.1'), { secret: secrets.meta.ordersSecret })).toMatchObject({ status: 401, body: expect.stringContaining('webhook.not-authentic') });
    expect(await deliver(orderBody('t1.1'), { at: new Date(Date.now() - 400_000) })).toMatchObject({ status: 401 });
    expect(await deliver('{"type":"order.issued"}')).toMatchObject({ status: 422, body: expect.stringContaining('webhook.malformed') });
    expect(await sender.send({ url: `${sandbox.url}/platforms/unknown/orders`, headers: {}, body: '{}' })).toMatchObject({ status: 404 });
    expect(await get('/orders')).toEqual([]);
  });

  it('sees by the published keys that an order is the clearing house\'s own, and takes none with a signature of another', async () => {
    const [key, next] = [generateSigningKeyPair(), generateSigningKeyPair()];
    await start(all('never'));
    const proofOf = async (webhookId: string) => (await get('/orders')).find((order) => order['webhookId'] === webhookId)?.['proof'];
    house.ownKeys = [{ keyId: 'sejam-0', publicKey: generateSigningKeyPair().publicKey, validUntil: '2024-11-27T00:00:00.000Z' }, { keyId: 'sejam-1', publicKey: key.publicKey }];
    expect(await deliver(orderBody('t1.1'), { webhookId: 'w1', own: [next.privateKey, key.privateKey] })).toMatchObject({ status: 200 });
    expect(await proofOf('w1')).toBe('asymmetric');
    expect(await deliver(orderBody('t2.1'), { webhookId: 'w2' })).toMatchObject({ status: 200 });
    expect(await proofOf('w2')).toBe('shared');
    expect(await deliver(orderBody('t3.1'), { webhookId: 'w3', own: [next.privateKey] })).toMatchObject({ status: 401 });
    expect(await get('/orders')).toHaveLength(2);
  });

  it('takes orders by the shared secret while no published keys can be read', async () => {
    await start(all('never'));
    expect(await deliver(orderBody('t1.1'), { own: [generateSigningKeyPair().privateKey] })).toMatchObject({ status: 200 });
    expect(await get('/orders')).toMatchObject([{ proof: 'shared' }]);
  });

  it('proves answers by a key of the platform, once that is registered, and by the same one after a restart', async () => {
    const script = all({ answers: [{ after: { seconds: [0, 0] }, answer: 'order.acknowledged' }] });
    for (const orderId of ['t1.1', 't2.1']) {
      await start(script, { withAnswerKey: ['tiktok'] });
      const before = house.answerKeys.get('tiktok');
      if (before === undefined) await eventually(() => expect(house.answerKeys.get('tiktok')).toMatch(/^whpk_/));
      await eventually(async () => {
        await deliver(orderBody(orderId));
        expect(house.arrived.some(({ body, proof }) => body.data['orderId'] === orderId && proof === 'asymmetric')).toBe(true);
      });
      if (before !== undefined) expect(house.answerKeys.get('tiktok')).toBe(before);
      end.abort();
      await sandbox.close();
    }
    expect(statSync(join(folder, 'data', 'answer-keys.json')).mode & 0o777).toBe(0o600);
    await start(script);
  });

  it('does once what is delivered fifty times at once', async () => {
    await start(all('prompt'));
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => deliver(orderBody('t1.1'), { webhookId: 'same' })));
    expect(outcomes.every((outcome) => outcome.kind === 'answered' && outcome.status === 200)).toBe(true);
    await eventually(() => expect(types()).toHaveLength(2));
    expect(await get('/orders')).toHaveLength(1);
    expect(await get('/answers')).toHaveLength(2);
  });

  it('asks, and goes on when the clarification comes', async () => {
    await start(all('clarification'));
    await deliver(orderBody('t1.1'));
    await eventually(() => expect(types()).toEqual(['order.clarification_requested']));
    await deliver(noticeBody('clarification.provided', 't1.1', { answer: 'at 0:12' }));
    await eventually(() => expect(types()).toEqual(['order.clarification_requested', 'order.actioned']));
  });

  it('sends duplicates under one id, and once more under another', async () => {
    await start(all('duplicated'));
    await deliver(orderBody('t1.1'));
    await eventually(() => expect(types()).toHaveLength(7));
    const actioned = house.arrived.filter(({ body }) => body.type === 'order.actioned').map(({ answerId }) => answerId);
    expect(new Set(actioned.slice(0, 3)).size).toBe(1);
    expect(actioned[3]).not.toBe(actioned[0]);
  });

  it('is turned away with a bad and a stale signature, and does not insist', async () => {
    await start(all('bad_signature'));
    await deliver(orderBody('t1.1'));
    await eventually(() => expect(types()).toEqual(['order.acknowledged', 'order.actioned']));
    expect(house.arrived.filter(({ status }) => status === 401)).toHaveLength(2);
    await eventually(async () => expect(await get('/answers?state=refused')).toHaveLength(2));
  });

  it('fails in every way before it works', async () => {
    await start(all('failing'));
    const attempt = () => deliver(orderBody('t1.1'), { webhookId: 'w1' });
    expect(await attempt()).toMatchObject({ status: 500 });
    expect(await attempt()).toMatchObject({ status: 503, retryAfter: '20' });
    expect(await attempt()).toMatchObject({ kind: 'failed', fault: 'timeout' });
    expect(await get('/orders')).toEqual([]);
    // The sender repeats a reset once by itself: the repeat is the attempt that works.
    expect(await attempt()).toMatchObject({ status: 200 });
    expect(await get('/orders')).toMatchObject([{ attempts: 5 }]);
    await eventually(() => expect(types()).toEqual(['order.acknowledged', 'order.actioned']));
  });

  it('answers before it has taken the order in, when the script is hasty', async () => {
    await start(all({ receive: [{ status: 202, delaySeconds: 400 }], answers: [{ after: { seconds: [0, 0] }, answer: 'order.acknowledged' }] }));
    const delivery = deliver(orderBody('t1.1'));
    await eventually(() => expect(types()).toEqual(['order.acknowledged']));
    expect(await Promise.race([delivery, Promise.resolve('still open')])).toBe('still open');
    expect(await delivery).toMatchObject({ status: 202 });
  });

  it('tries an answer again until the clearing house has decided on it, with the same id and body', async () => {
    await start(all({ answers: [{ after: { seconds: [0, 0] }, answer: 'order.acknowledged' }] }));
    house.trouble = [503, 429, 500];
    await deliver(orderBody('t1.1'));
    await eventually(() => expect(house.arrived.map(({ status }) => status)).toEqual([503, 429, 500, 202]));
    expect(new Set(house.arrived.map(({ answerId, text }) => answerId + text)).size).toBe(1);
    await eventually(async () => expect(await get('/answers')).toMatchObject([{ attempts: 4, state: 'accepted' }]));
  });

  it('says no more to an order that is withdrawn, but brings content back when asked', async () => {
    await start(all({
      answers: [
        { after: { seconds: [1, 1] }, answer: 'order.acknowledged' },
        { after: { seconds: [100_000, 100_000] }, answer: 'order.actioned' },
        { on: 'order.withdrawn.reinstate', after: { seconds: [1, 1] }, answer: 'content.reinstated' },
      ],
    }));
    await deliver(orderBody('t1.1'));
    await eventually(() => expect(types()).toEqual(['order.acknowledged']));
    await deliver(noticeBody('order.withdrawn', 't1.1', { reinstate: true }));
    await eventually(() => expect(types()).toEqual(['order.acknowledged', 'content.reinstated']));
    expect(await get('/answers?state=cancelled')).toMatchObject([{ type: 'order.actioned' }]);
  });

  it('takes in a notice about an order that it never received', async () => {
    await start(all('fast'));
    expect(await deliver(noticeBody('order.withdrawn', 'unknown.1'))).toMatchObject({ status: 200 });
    expect(await deliver(JSON.stringify({ type: 'endpoint.ping', timestamp: '2024-11-27T05:00:00Z', data: {} }))).toMatchObject({ status: 200 });
    expect(await deliver(noticeBody('order.painted', 't1.1'))).toMatchObject({ status: 200 });
    expect(await get('/answers')).toEqual([]);
  });

  it('forgets nothing when it is killed: what is due is sent under its old id, what was sent is not sent again', async () => {
    const script = all({ answers: [{ after: { seconds: [0, 0] }, answer: 'order.acknowledged' }, { after: { seconds: [2_000, 2_000] }, answer: 'order.actioned' }] });
    await start(script);
    await deliver(orderBody('t1.1'), { webhookId: 'w1' });
    await eventually(async () => expect(await get('/answers?state=accepted')).toHaveLength(1));
    const planned = (await get('/answers?state=planned'))[0];
    end.abort();
    await sandbox.close();

    await start(defaultScript);
    await deliver(orderBody('t1.1'), { webhookId: 'w1' });
    await eventually(() => expect(types()).toEqual(['order.acknowledged', 'order.actioned']));
    expect(house.arrived.at(-1)?.answerId).toBe(planned?.['answerId']);
    expect(await get('/orders')).toMatchObject([{ attempts: 2 }]);
  });

  it('fetches its messages and answers by key, for a platform without an endpoint', async () => {
    house.feed.set('line', Array.from({ length: 130 }, (_, i) => ({ webhookId: `w${i}`, body: orderBody(`t${i}.1`) })));
    await start({ seed: 1, platforms: { line: { via: 'feed', overrides: [{ behaviour: { answers: [{ after: { seconds: [0, 0] }, answer: 'order.acknowledged' }] } }] } } });
    await eventually(() => expect(types()).toHaveLength(130));
    expect(house.arrived.map(({ path }) => path)).toContain('/v1/platforms/line/orders/t129.1/answers');
    expect(house.arrived[0]?.body).toMatchObject({ answerId: expect.stringMatching(/^answer-[0-9a-f]{32}$/), type: 'order.acknowledged', data: { orderId: expect.any(String) } });
    house.feed.get('line')!.push({ webhookId: 'later', body: orderBody('later.1') });
    await eventually(() => expect(types()).toHaveLength(131));
    expect(await get('/orders?limit=1')).toMatchObject([{ platform: 'line', via: 'feed', orderId: 'later.1' }]);
  });

  it('takes another script over HTTP for the orders to come, and refuses a faulty one', async () => {
    await start(all('never'));
    await deliver(orderBody('t1.1'));
    const put = (body: object) => fetch(`${sandbox.url}/script`, { method: 'PUT', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    const faulty = await put({ platforms: { '*': { mix: { nice: 1 } } } });
    expect([faulty.status, await faulty.json()]).toMatchObject([422, { code: 'sandbox.script-malformed', errors: [{ pointer: '/platforms/*/mix/nice' }] }]);
    expect((await put({ platforms: { '*': { mix: { prompt: 1 } } } })).status).toBe(200);
    expect(await (await fetch(`${sandbox.url}/script`)).json()).toEqual({ seed: 1, platforms: { '*': { mix: { prompt: 1 } } } });
    await deliver(orderBody('t2.1'));
    await eventually(() => expect(types()).toHaveLength(2));
    expect(house.arrived.every(({ body }) => body.data['orderId'] === 't2.1')).toBe(true);
    expect(Object.keys((await (await fetch(`${sandbox.url}/behaviours`)).json()) as object)).toContain('out_of_order');
    expect((await fetch(`${sandbox.url}/health/ready`)).status).toBe(200);
  });
});
