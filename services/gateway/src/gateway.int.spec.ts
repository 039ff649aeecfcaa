import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Parser } from '@asyncapi/parser';
import { createLogger, hostSettings, readConfig, startService, type Problem, type RunningService } from '@sejam/service-host';
import { eventually } from '@sejam/testkit';
import { gatewayAccess } from './access.js';
import { GatewayModule } from './gateway.module.js';
import { JointReadiness, type Upstreams } from './upstream/upstreams.js';

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** A service behind the gateway: keeps what reaches it, and answers as the test says. */
class Upstream {
  readonly seen: Seen[] = [];
  answer: (request: IncomingMessage, response: ServerResponse) => void = (_, response) => response.end('{}');
  ready: object = { status: 'ready', bus: { connected: true, lag: 0 } };
  openApi: object = { openapi: '3.0.0', info: {}, paths: {}, components: { schemas: {} } };
  readonly #server: Server = createServer((request, response) => void this.#handle(request, response));

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async start(port = 0): Promise<this> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('content-type', 'application/json');
    if (request.url === '/health/ready') return void response.writeHead((this.ready as { status: string }).status === 'unavailable' ? 503 : 200).end(JSON.stringify(this.ready));
    if (request.url === '/internal/openapi.json') return void response.end(JSON.stringify(this.openApi));
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    this.seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks) });
    this.answer(request, response);
  }
}

let intake: Upstream;
let routing: Upstream;
let gateway: RunningService;
let closing: AbortController;

async function startGateway(upstreams: Upstreams): Promise<RunningService> {
  const readiness = new JointReadiness(upstreams);
  const log = createLogger({ name: 'gateway', level: 'silent' });
  return startService({
    name: 'gateway',
    module: GatewayModule.with({ upstreams, forwarding: { log, closing: closing.signal, answerTimeoutMs: 1_000 }, page: { credentialsHint: '/tmp/"><script>alert(1)</script>', sandboxUrl: undefined } }),
    config: readConfig(hostSettings({ port: 0 }), {}),
    log,
    access: gatewayAccess,
    exposed: true,
    readiness: readiness.checks(),
    parts: () => readiness.parts(),
    bus: () => readiness.bus(),
    record: () => readiness.record(),
    graceMs: 500,
  });
}

beforeAll(async () => {
  closing = new AbortController();
  intake = await new Upstream().start();
  routing = await new Upstream().start();
  // Reporting has an address at which nobody listens.
  gateway = await startGateway({ intake: intake.url, routing: routing.url, reporting: 'http://127.0.0.1:9' });
});
afterAll(async () => {
  await gateway.close();
  await Promise.all([intake.stop(), routing.stop()]);
});
beforeEach(() => {
  for (const one of [intake, routing]) {
    one.seen.length = 0;
    one.answer = (_, response) => response.end('{}');
    one.ready = { status: 'ready', bus: { connected: true, lag: 0 } };
  }
});

const problemOf = async (response: Response): Promise<Problem> => (await response.json()) as Problem;

/** What a client may send that `fetch` would not. */
async function raw(text: string): Promise<string> {
  const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1');
  socket.end(text);
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}

describe('a forwarded request', () => {
  it('arrives as the very bytes and with the headers it was sent with, since signatures are over bytes', async () => {
    const body = Buffer.concat([Buffer.from('{ "type" :\r\n\t"order.actioned",  "é": "\\u00e9"}\n'), Buffer.from([0xff, 0xfe, 0x00])]);
    const response = await fetch(`${gateway.url}/v1/platforms/tiktok/webhooks?b=2&a=%20x`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json;  charset=UTF-8', 'webhook-id': 'm1', 'webhook-timestamp': '17', 'webhook-signature': 'v1,abc= v1a,def=' },
    });
    expect(response.status).toBe(200);
    const [seen] = routing.seen;
    expect(seen?.body).toEqual(body);
    expect(seen).toMatchObject({
      method: 'POST',
      url: '/v1/platforms/tiktok/webhooks?b=2&a=%20x',
      headers: { 'content-type': 'application/json;  charset=UTF-8', 'webhook-id': 'm1', 'webhook-timestamp': '17', 'webhook-signature': 'v1,abc= v1a,def=', 'content-length': String(body.length) },
    });
  });

  it('keeps the key, the idempotency key and the ids that tie the work together', async () => {
    const headers = { authorization: 'Bearer sjm_x', 'idempotency-key': 'k-1', 'x-request-id': 'r-1', 'x-correlation-id': 'c-1', traceparent: '00-11111111111111111111111111111111-2222222222222222-01' };
    const response = await fetch(`${gateway.url}/v1/reports`, { method: 'POST', body: '{}', headers: { ...headers, 'content-type': 'application/json' } });
    expect(intake.seen[0]?.headers).toMatchObject(headers);
    expect(response.headers.get('x-request-id')).toBe('r-1');
  });

  it('gets a request id and a trace where it has none', async () => {
    const response = await fetch(`${gateway.url}/v1/reports`);
    const { 'x-request-id': id, traceparent } = intake.seen[0]?.headers ?? {};
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    expect(response.headers.get('x-request-id')).toBe(id);
    expect(traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  });

  it('carries the answer back as it is: status, headers and bytes', async () => {
    intake.answer = (_, response) => response.writeHead(207, { 'content-type': 'application/json', location: '/v1/reports/1', 'retry-after': '7', 'x-own': 'a' }).end('{"é":1} ');
    const response = await fetch(`${gateway.url}/v1/reports/1`);
    expect(response.status).toBe(207);
    expect(Object.fromEntries(response.headers)).toMatchObject({ location: '/v1/reports/1', 'retry-after': '7', 'x-own': 'a' });
    expect(await response.text()).toBe('{"é":1} ');
  });

  it.each(['GET', 'HEAD', 'DELETE', 'PUT', 'POST'])('may be a %s without a body', async (method) => {
    const response = await fetch(`${gateway.url}/v1/takedowns`, { method });
    expect(response.status).toBe(200);
    expect(routing.seen[0]).toMatchObject({ method, body: Buffer.alloc(0) });
    expect(routing.seen[0]?.headers['content-type']).toBeUndefined();
  });

  it('is sent once, also when the service says that it cannot now', async () => {
    intake.answer = (_, response) => response.writeHead(503, { 'retry-after': '0', 'content-type': 'application/problem+json' }).end('{"code":"record.unavailable"}');
    const response = await fetch(`${gateway.url}/v1/reports`);
    expect(response.status).toBe(503);
    expect(await problemOf(response)).toMatchObject({ code: 'record.unavailable' });
    expect(intake.seen).toHaveLength(1);
  });

  it('of a client that waits for 100 Continue goes through', async () => {
    const sent = httpRequest(`${gateway.url}/v1/reports`, { method: 'POST', headers: { expect: '100-continue', 'content-type': 'application/json', 'content-length': 2 } });
    sent.on('continue', () => sent.end('{}'));
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(200);
    response.resume();
    expect(intake.seen[0]?.body.toString()).toBe('{}');
  });
});

describe('a body', () => {
  it('of more than 1 MiB is refused before any service sees it', async () => {
    const response = await fetch(`${gateway.url}/v1/reports`, { method: 'POST', body: Buffer.alloc(1024 * 1024 + 1, 32), headers: { 'content-type': 'application/json' } });
    expect(response.status).toBe(413);
    expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(await problemOf(response)).toMatchObject({ code: 'request.too-large', status: 413 });
    expect(intake.seen).toHaveLength(0);
  });

  it('of a batch may be 8 MiB, and not a byte more', async () => {
    const send = (bytes: number) => fetch(`${gateway.url}/v1/reports/batch`, { method: 'POST', body: Buffer.alloc(bytes, 32), headers: { 'content-type': 'application/json' } });
    expect((await send(8 * 1024 * 1024)).status).toBe(200);
    expect(intake.seen[0]?.body).toHaveLength(8 * 1024 * 1024);
    expect((await send(8 * 1024 * 1024 + 1)).status).toBe(413);
    expect(intake.seen).toHaveLength(1);
  });

  it('whose length cannot be told for certain is refused', async () => {
    const answer = await raw('POST /v1/reports HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /internal/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(intake.seen).toHaveLength(0);
  });
});

describe('what is not for the outside', () => {
  it.each([
    '/internal/openapi.json',
    '/v1/reports/../../internal/openapi.json',
    '/v1/reports/%2e%2e/%2e%2e/internal/openapi.json',
    '/v1/reports/..%2f..%2finternal/openapi.json',
    '/v1/reports/..%5c..%5cinternal/openapi.json',
    '//internal/openapi.json',
    'http://elsewhere.example/internal/openapi.json',
    '/v1/../internal/openapi.json',
    '/metrics',
  ])('is not reached by %s', async (path) => {
    const answer = await raw(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 (400|404) /);
    expect(answer).not.toContain('"info":{}');
    expect([...intake.seen, ...routing.seen]).toHaveLength(0);
  });

  it('stays hidden from a client that names headers to be dropped', async () => {
    await raw('GET /v1/reports HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sjm_x\r\nConnection: close, x-request-id\r\nX-Request-Id: r-9\r\n\r\n');
    expect(intake.seen[0]?.headers).toMatchObject({ authorization: 'Bearer sjm_x', 'x-request-id': 'r-9' });
  });

  it('is 404 with a problem document where no service owns the address', async () => {
    const response = await fetch(`${gateway.url}/v1/nothing`);
    expect(response.status).toBe(404);
    expect(await problemOf(response)).toMatchObject({ code: 'request.unknown-route', requestId: expect.any(String) });
  });

  it('is refused under a method that nobody serves', async () => {
    const response = await fetch(`${gateway.url}/v1/reports`, { method: 'PATCH', body: '{}', headers: { 'content-type': 'application/json' } });
    expect([404, 405]).toContain(response.status);
    expect(intake.seen).toHaveLength(0);
  });
});

describe('a service that does not answer', () => {
  it.each([['reporting', '/v1/board'], ['sla', '/v1/clocks']])('is 503 with Retry-After: %s', async (service, path) => {
    const response = await fetch(`${gateway.url}${path}`);
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('2');
    expect(await problemOf(response)).toMatchObject({ code: 'service.unavailable', detail: expect.stringContaining(service) });
  });

  it('in time is 503 too, and the others go on', async () => {
    intake.answer = () => undefined;
    const [slow, quick] = await Promise.all([fetch(`${gateway.url}/v1/reports`), fetch(`${gateway.url}/v1/takedowns`)]);
    expect([slow.status, quick.status]).toEqual([503, 200]);
  });

  it('any further in the middle of an answer leaves the client in no doubt that it is not whole', async () => {
    intake.answer = (_, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('half');
      setTimeout(() => response.destroy(), 20);
    };
    const response = await fetch(`${gateway.url}/v1/reports`);
    await expect(response.text()).rejects.toThrow();
  });
});

describe('an answer that streams', () => {
  let open: ServerResponse | undefined;
  afterEach(() => void open?.destroy());

  const reader = async (path: string, type: string) => {
    routing.answer = (_, response) => {
      open = response;
      response.writeHead(200, { 'content-type': type });
      response.write('data: 1\n\n');
    };
    const leave = new AbortController();
    const response = await fetch(`${gateway.url}${path}`, { signal: leave.signal });
    return { body: (response.body as ReadableStream<Uint8Array>).getReader(), leave };
  };

  it('arrives piece by piece while it goes on', async () => {
    const { body, leave } = await reader('/v1/takedowns', 'text/event-stream');
    expect(Buffer.from((await body.read()).value ?? []).toString()).toBe('data: 1\n\n');
    open?.write('data: 2\n\n');
    expect(Buffer.from((await body.read()).value ?? []).toString()).toBe('data: 2\n\n');
    leave.abort();
  });

  it('ends at the service when its reader has gone', async () => {
    const { body, leave } = await reader('/v1/takedowns', 'text/event-stream');
    await body.read();
    const closed = once(open as ServerResponse, 'close');
    leave.abort();
    await closed;
    expect(open?.writableFinished).toBe(false);
  });

  it('may be long: 64 MiB of lines arrive whole', async () => {
    const line = Buffer.from(`${'x'.repeat(1023)}\n`);
    routing.answer = (_, response) => {
      response.writeHead(200, { 'content-type': 'application/x-ndjson' });
      let left = 64 * 1024;
      const go = (): void => {
        while (left-- > 0) if (!response.write(line)) return void response.once('drain', go);
        response.end();
      };
      go();
    };
    const response = await fetch(`${gateway.url}/v1/takedowns`);
    let bytes = 0;
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) bytes += chunk.length;
    expect(bytes).toBe(64 * 1024 * 1024);
  });

  it('does not keep the gateway from ending', async () => {
    const { body } = await reader('/v1/takedowns', 'text/event-stream');
    await body.read();
    closing.abort();
    await expect((async () => {
      for (;;) if ((await body.read()).done) throw new Error('ended');
    })()).rejects.toThrow();
    closing = new AbortController();
  });
});

describe('the joint readiness', () => {
  const small = async (upstreams: Upstreams, look: (url: string) => Promise<void>): Promise<void> => {
    const one = await startGateway(upstreams);
    try {
      await look(one.url);
    } finally {
      await one.close();
    }
  };

  it('is what every service says of itself', async () => {
    intake.ready = { status: 'ready', bus: { connected: true, lag: 3 }, record: { id: 'rec-1', speed: 60, domainTime: '2024-11-27T00:00:00.000Z' } };
    await small({ intake: intake.url, routing: routing.url }, async (url) => {
      const response = await fetch(`${url}/health/ready`);
      expect(response.status).toBe(200);
      expect(await response.json()).toMatchObject({
        status: 'ready',
        record: { id: 'rec-1', speed: 60, domainTime: expect.stringMatching(/^2024-11-27T00:0/) },
        bus: { connected: true, lag: 3 },
        parts: { intake: { status: 'ready' }, routing: { status: 'ready' } },
      });
    });
  });

  it('is 503 and names the service that is not ready, or away', async () => {
    routing.ready = { status: 'unavailable', missing: { record: 'cannot be reached' } };
    await small({ intake: intake.url, routing: routing.url, reporting: 'http://127.0.0.1:9' }, async (url) => {
      const response = await fetch(`${url}/health/ready`);
      expect(response.status).toBe(503);
      expect(await response.json()).toMatchObject({
        status: 'unavailable',
        missing: { routing: 'record cannot be reached', reporting: 'does not answer' },
        parts: { intake: { status: 'ready' }, routing: { status: 'unavailable' }, reporting: { status: 'away' } },
      });
    });
  });

  it('is degraded, and 200, while a bus is away', async () => {
    routing.ready = { status: 'degraded', bus: { connected: false } };
    await small({ intake: intake.url, routing: routing.url }, async (url) => {
      const response = await fetch(`${url}/health/ready`);
      expect(response.status).toBe(200);
      expect(await response.json()).toMatchObject({ status: 'degraded', bus: { connected: false } });
    });
  });

  it('does not wait for the sandbox, but shows it', async () => {
    await small({ intake: intake.url, sandbox: 'http://127.0.0.1:9' }, async (url) => {
      const response = await fetch(`${url}/health/ready`);
      expect(response.status).toBe(200);
      expect(await response.json()).toMatchObject({ parts: { sandbox: { status: 'away' } } });
    });
  });

  it('says that the gateway lives, whatever the others do', async () => {
    expect((await fetch(`${gateway.url}/health/live`)).status).toBe(200);
  });
});

describe('parked messages', () => {
  const list = (items: object[], next?: string) => (_: IncomingMessage, response: ServerResponse) => void response.end(JSON.stringify({ items, ...(next === undefined ? {} : { next }) }));

  it('of every service stand in one list under ids that say whose they are, and a service that is away is named', async () => {
    intake.answer = list([{ id: '4', stream: 'report-1' }], 'more');
    routing.answer = list([{ id: 'routing:9', stream: 'takedown-1' }]);
    const page = (await (await fetch(`${gateway.url}/v1/parked?limit=5`, { headers: { authorization: 'Bearer sjm_x' } })).json()) as { items: object[]; next: string; unavailable: string[] };
    expect(page.items).toEqual([{ id: 'intake:4', stream: 'report-1' }, { id: 'routing:9', stream: 'takedown-1' }]);
    expect(page.unavailable).toEqual(['reporting']);
    expect(intake.seen[0]).toMatchObject({ url: '/v1/parked?limit=5', headers: { authorization: 'Bearer sjm_x' } });

    routing.seen.length = 0;
    await fetch(`${gateway.url}/v1/parked?cursor=${page.next}`);
    expect(intake.seen[1]?.url).toBe('/v1/parked?cursor=more');
    expect(routing.seen).toHaveLength(0);
  });

  it('are refused by what the services say of the key', async () => {
    intake.answer = (_, response) => response.writeHead(403, { 'content-type': 'application/problem+json' }).end(JSON.stringify({ status: 403, code: 'key.role-missing', detail: 'This needs a key with the role operator' }));
    const response = await fetch(`${gateway.url}/v1/parked`);
    expect(response.status).toBe(403);
    expect(await problemOf(response)).toMatchObject({ code: 'key.role-missing' });
  });

  it.each(['!!', Buffer.from('[1]').toString('base64url'), Buffer.from('{"intake":1}').toString('base64url')])('refuse the cursor %s', async (cursor) => {
    const response = await fetch(`${gateway.url}/v1/parked?cursor=${cursor}`);
    expect(response.status).toBe(400);
    expect(await problemOf(response)).toMatchObject({ code: 'request.invalid-cursor' });
  });

  it('are replayed by the service whose they are', async () => {
    await fetch(`${gateway.url}/v1/parked/routing:9/replay`, { method: 'POST' });
    expect(routing.seen[0]?.url).toBe('/v1/parked/routing:9/replay');
  });
});

describe('the documents', () => {
  const schema = (type: string) => ({ type });

  it('of all services are one, without what is not reached here and with both meanings of one name', async () => {
    intake.openApi = {
      paths: { '/v1/reports': { get: { responses: { 200: { $ref: '#/components/schemas/Page' } } } }, '/v1/takedowns': { get: { hidden: true } }, '/internal/x': { get: {} } },
      components: { schemas: { Page: schema('object'), Problem: schema('object') } },
    };
    routing.openApi = {
      paths: { '/v1/takedowns': { get: { responses: { 200: { $ref: '#/components/schemas/Page' } } } } },
      components: { schemas: { Page: schema('array'), Problem: schema('object') } },
    };
    const document = (await (await fetch(`${gateway.url}/openapi.json`)).json()) as { paths: Record<string, { get: unknown }>; components: { schemas: object } };
    expect(Object.keys(document.paths)).toEqual(['/health/live', '/health/ready', '/v1/parked', '/v1/reports', '/v1/takedowns']);
    expect(document.components.schemas).toMatchObject({ Page: schema('object'), 'routing.Page': schema('array'), Problem: schema('object') });
    expect(document.paths['/v1/takedowns']?.get).toEqual({ responses: { 200: { $ref: '#/components/schemas/routing.Page' } } });
  });

  it('describe topics and webhooks so that the AsyncAPI parser has nothing to say against it', async () => {
    const text = await (await fetch(`${gateway.url}/asyncapi.json`)).text();
    const { document, diagnostics } = await new Parser().parse(text);
    expect(diagnostics.filter(({ severity }) => Number(severity) === 0).map(({ message, path }) => `${path.join('/')}: ${message}`)).toEqual([]);
    const channels = document?.allChannels().all().map((channel) => channel.id()) ?? [];
    expect(channels.sort()).toEqual(['answers', 'orders', 'sejam.identity.v1', 'sejam.intake.v1', 'sejam.sla.v1', 'sejam.takedown.v1']);
    expect(document?.allMessages().all().map((message) => message.name())).toEqual(expect.arrayContaining(['sejam.takedown.v1.OrderIssued', 'order.issued', 'order.actioned']));
  });

  it('are shown by a page that needs nothing from elsewhere', async () => {
    const page = await fetch(`${gateway.url}/docs`);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    const html = await page.text();
    const files = [...html.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, path]) => path ?? '');
    expect(files).toEqual(expect.arrayContaining(['/docs/swagger-ui.css', '/docs/swagger-ui-bundle.js', '/docs/docs.js']));
    for (const file of files) expect((await fetch(`${gateway.url}${file}`)).status).toBe(200);
    expect(html).not.toMatch(/https?:\/\//);
  });

  it.each(['package.json', '..%2fpackage.json', '%2e%2e%2f%2e%2e%2fpackage.json', 'index.html'])('hold no file %s', async (name) => {
    expect((await fetch(`${gateway.url}/docs/${name}`)).status).toBeGreaterThanOrEqual(400);
  });
});

describe('the first page', () => {
  it('is in Indonesian and English, and loads nothing from elsewhere', async () => {
    const response = await fetch(gateway.url);
    const html = await response.text();
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(response.headers.get('content-security-policy')).toContain("script-src 'self'; style-src 'self';");
    expect(html.match(/lang="id"/g)?.length).toBeGreaterThan(20);
    expect(html.match(/lang="en"/g)?.length).toBe((html.match(/lang="id"/g)?.length ?? 0) - 1);
    expect(html).not.toMatch(/(src|href)="(https?:)?\/\//);
    for (const [, path] of html.matchAll(/(?:src|href)="(\/page\/[^"]+)"/g)) expect((await fetch(`${gateway.url}${path}`)).status).toBe(200);
  });

  it('shows where the keys lie, as text whatever the folder is called', async () => {
    const html = await (await fetch(gateway.url)).text();
    expect(html).toContain('data-credentials="/tmp/&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"');
  });

  it('is not sent again to whom it has been sent', async () => {
    const etag = (await fetch(gateway.url)).headers.get('etag') ?? '';
    expect((await fetch(gateway.url, { headers: { 'if-none-match': etag } })).status).toBe(304);
  });
});

it('comes back by itself when a service does', async () => {
  const { port } = new URL(intake.url);
  await intake.stop();
  expect((await fetch(`${gateway.url}/v1/reports`)).status).toBe(503);
  const again = await new Upstream().start(Number(port));
  try {
    await eventually(async () => expect((await fetch(`${gateway.url}/v1/reports`)).status).toBe(200));
  } finally {
    await again.stop();
  }
});
