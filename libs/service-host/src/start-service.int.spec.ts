import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Body, Controller, Get, HttpCode, Module, Param, Post, Query } from '@nestjs/common';
import { Type } from 'class-transformer';
import { ArrayMaxSize, IsArray, IsIn, IsInt, IsString, Length, Max, ValidateNested } from 'class-validator';
import { DomainError, StoreUnavailable } from '@sejam/event-sourcing';
import {
  Caller,
  createLogger,
  currentContext,
  hostSettings,
  IdentityDirectory,
  MayBeAbsent,
  newApiKey,
  readConfig,
  RequestCause,
  startService,
  type AccessRow,
  type Problem,
  type RunningService,
  type ServiceOptions,
} from './index.js';

class Part {
  @IsString() @Length(1, 20) url!: string;
}
class NewThing {
  @IsString() @Length(1, 64) reference!: string;
  @IsIn(['a', 'b']) category!: string;
  @IsArray() @ArrayMaxSize(3) @ValidateNested({ each: true }) @Type(() => Part) contents!: Part[];
  @MayBeAbsent() @IsString() note?: string;
  @MayBeAbsent() @ValidateNested() @Type(() => Part) main?: Part;
}
class ThingQuery {
  @MayBeAbsent() @Type(() => Number) @IsInt() @Max(200) limit?: number;
}

let release: () => void = () => undefined;
const held = new Promise<void>((resolve) => (release = resolve));

@Controller()
class ThingController {
  @Post('/v1/things')
  submit(@Body() body: NewThing, @Caller() caller: Caller, @RequestCause() cause: RequestCause) {
    return { body, caller, cause, context: currentContext() };
  }
  @Post('/v1/reports/batch')
  @HttpCode(207)
  batch(@Body() body: NewThing) {
    return body;
  }
  @Get('/v1/things')
  list(@Query() query: ThingQuery, @Caller() caller: Caller) {
    return { items: [], query, scope: caller.scope };
  }
  @Get('/v1/things/:id')
  fail(@Param('id') id: string): never {
    if (id === 'absent') throw new DomainError('thing.not-found', 'not-found', 'There is no such thing');
    if (id === 'clash') throw new DomainError('thing.clash', 'conflict', 'It was decided before', { pointer: '/decision' });
    if (id === 'away') throw new StoreUnavailable('no connection');
    throw new Error('secret detail of the inside');
  }
  @Get('/v1/slow')
  async slow() {
    await held;
    return { done: true };
  }
  @Get('/v1/platforms/:platform/messages')
  messages(@Param('platform') platform: string) {
    return { platform };
  }
  @Post('/v1/platforms/:platform/webhooks')
  @HttpCode(202)
  webhook(@Param('platform') platform: string) {
    return { platform };
  }
}
@Module({ controllers: [ThingController] })
class ThingModule {}

const access: readonly AccessRow[] = [
  { method: 'POST', path: '/v1/things', roles: ['reporter'] },
  { method: 'POST', path: '/v1/reports/batch', roles: ['reporter'] },
  { method: 'GET', path: '/v1/things', roles: ['reporter', 'auditor'] },
  { method: 'GET', path: '/v1/things/:id', roles: ['reporter', 'auditor'] },
  { method: 'GET', path: '/v1/slow', roles: 'public' },
  { method: 'GET', path: '/v1/platforms/:platform/messages', roles: ['platform', 'operator'], ownParameter: 'platform' },
  { method: 'POST', path: '/v1/platforms/:platform/webhooks', roles: 'signature', limitBy: 'platform' },
];

const keys = { agency: newApiKey('bawaslu'), partner: newApiKey('partner'), auditor: newApiKey('auditor'), meta: newApiKey('meta'), old: newApiKey('old'), gone: newApiKey('gone') };

function directoryWithKeys(): IdentityDirectory {
  const directory = new IdentityDirectory();
  const holders = { agency: ['agency', 'reporter'], partner: ['partner', 'reporter'], auditor: ['auditor', 'auditor'], meta: ['platform', 'platform'], old: ['agency', 'reporter'], gone: ['agency', 'reporter'] } as const;
  for (const [name, [kind, role]] of Object.entries(holders)) {
    directory.apply({ type: 'OrganisationRegistered', data: { organisation: name, kind, name } });
    const { keyId, sha256 } = keys[name as keyof typeof keys];
    const expiresAt = name === 'old' ? { expiresAt: '2020-01-01T00:00:00.000Z' } : {};
    directory.apply({ type: 'KeyIssued', data: { organisation: name, keyId, holder: `system:${name}`, roles: [role], secretSha256: sha256, ...expiresAt } });
  }
  directory.apply({ type: 'KeyRevoked', data: { organisation: 'gone', keyId: 'gone' } });
  return directory.alwaysFresh();
}

const lines: string[] = [];
const base = (): ServiceOptions => ({
  name: 'things',
  module: ThingModule,
  config: readConfig(hostSettings({ port: 0, internalPort: 0 }), {}),
  log: createLogger({ name: 'things', level: 'debug', destination: { write: (line) => void lines.push(line) } }),
  access,
  directory: directoryWithKeys(),
  readiness: { record: () => Promise.resolve() },
});

const good = { reference: 'R-1', category: 'a', contents: [{ url: 'https://x' }] };

describe('a running service', () => {
  let service: RunningService;
  beforeAll(async () => {
    service = await startService(base());
  });
  afterAll(async () => {
    release();
    await service.close();
  });

  const call = async (path: string, { key = keys.agency.key, ...init }: RequestInit & { key?: string | null } = {}) => {
    const headers = new Headers(init.headers);
    if (key !== null) headers.set('authorization', `Bearer ${key}`);
    const response = await fetch(`${service.url}${path}`, { ...init, headers });
    return { status: response.status, headers: response.headers, body: (await response.json()) as Record<string, unknown> & Problem };
  };
  const post = (body: string | Uint8Array<ArrayBuffer> | object, { path = '/v1/things', key, headers = {} }: { path?: string; key?: string; headers?: Record<string, string> } = {}) =>
    call(path, {
      method: 'POST',
      body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
      headers: { 'content-type': 'application/json', ...headers },
      ...(key === undefined ? {} : { key }),
    });

  it('hands a valid body, the caller, the cause and the ids to the handler', async () => {
    const answer = await post(good, { headers: { 'idempotency-key': 'k1', 'x-request-id': 'req-1', traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` } });
    expect(answer.status).toBe(201);
    expect(answer.headers.get('x-request-id')).toBe('req-1');
    expect(answer.body).toMatchObject({
      body: good,
      caller: { organisation: 'agency', kind: 'agency', holder: 'system:agency', keyId: 'bawaslu', roles: ['reporter'], scope: 'all' },
      cause: { causationId: 'request:agency:k1', by: { organisation: 'agency', holder: 'system:agency', keyId: 'bawaslu' }, correlationId: 'req-1' },
      context: { requestId: 'req-1', correlationId: 'req-1', traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` },
    });
  });

  it('gives the same fingerprint to the same request in another order of fields, and another one to another body', async () => {
    const fingerprintOf = async (body: object) => ((await post(body, { headers: { 'idempotency-key': 'k2' } })).body['cause'] as RequestCause).request?.sha256;
    const first = await fingerprintOf(good);
    expect(first).toMatch(/^[0-9a-f]{64}$/);
    expect(await fingerprintOf({ contents: good.contents, category: 'a', reference: 'R-1' })).toBe(first);
    expect(await fingerprintOf({ ...good, reference: 'R-2' })).not.toBe(first);
  });

  it.each<[string, string | Uint8Array<ArrayBuffer>, number, string]>([
    ['malformed JSON', '{"reference": ', 400, 'request.malformed-json'],
    ['invalid UTF-8', new Uint8Array([0x7b, 0x22, 0xc3, 0x28, 0x22, 0x3a, 0x31, 0x7d]), 400, 'request.not-utf8'],
    ['a __proto__ field', '{"__proto__": {"admin": true}}', 400, 'request.forbidden-key'],
    ['an escaped __proto__ field', '{"\\u005f_proto__": {"admin": true}}', 400, 'request.forbidden-key'],
    ['a constructor field', '{"contents": [{"constructor": {}}]}', 400, 'request.forbidden-key'],
    ['deep nesting', `{"note":${'['.repeat(5000)}${']'.repeat(5000)}}`, 400, 'request.too-deep'],
    ['an array', '[]', 422, 'request.invalid'],
    ['null', 'null', 422, 'request.invalid'],
    ['no bytes at all', '', 422, 'request.invalid'],
    ['two megabytes', JSON.stringify({ note: 'x'.repeat(2_000_000) }), 413, 'request.too-large'],
  ])('refuses %s', async (_, body, status, code) => {
    const answer = await post(body);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect(answer.body).toMatchObject({ status, code, type: `urn:sejam:problem:${code}`, requestId: answer.headers.get('x-request-id') });
    expect(answer.status).toBe(status);
  });

  it('refuses another media type', async () => {
    expect(await post('<a/>', { headers: { 'content-type': 'text/xml' } })).toMatchObject({ status: 415, body: { code: 'request.unsupported-media-type' } });
  });

  it('names every fault of a body with a pointer', async () => {
    const { status, body } = await post({ category: 'c', contents: [{ url: 42, 'x/y': 1 }, { url: '' }], note: null, main: {}, surprise: 1 });
    expect(status).toBe(422);
    expect(body.errors?.map(({ pointer, code }) => [pointer, code])).toEqual(
      expect.arrayContaining([
        ['/surprise', 'unknown-field'],
        ['/reference', 'required'],
        ['/category', 'is-in'],
        ['/contents/0/x~1y', 'unknown-field'],
        ['/contents/0/url', 'is-string'],
        ['/contents/1/url', 'is-length'],
        ['/note', 'is-string'],
        ['/main/url', 'required'],
      ]),
    );
  });

  it('accepts eight megabytes where batches go, and not more', async () => {
    expect(await post({ note: 'x'.repeat(2_000_000) }, { path: '/v1/reports/batch' })).toMatchObject({ status: 422 });
    expect(await post({ note: 'x'.repeat(8_400_000) }, { path: '/v1/reports/batch' })).toMatchObject({ status: 413 });
  });

  it('refuses a bad query parameter and an unknown one', async () => {
    expect(await call('/v1/things?limit=20')).toMatchObject({ status: 200, body: { query: { limit: 20 } } });
    expect(await call('/v1/things?limit=999&page=2')).toMatchObject({
      status: 400,
      body: { code: 'request.invalid-parameter', errors: expect.arrayContaining([expect.objectContaining({ pointer: '?limit' }), expect.objectContaining({ pointer: '?page' })]) as unknown },
    });
  });

  it('answers unknown addresses, wrong methods and malformed addresses with a problem', async () => {
    expect(await call('/v1/nothing')).toMatchObject({ status: 404, body: { code: 'request.unknown-route' } });
    const wrong = await call('/v1/things/7', { method: 'DELETE' });
    expect(wrong).toMatchObject({ status: 405, body: { code: 'request.method-not-allowed' } });
    expect(wrong.headers.get('allow')).toBe('GET, HEAD');
    expect(await call('/v1/things/%zz')).toMatchObject({ status: 400, body: { code: 'request.malformed' } });
  });

  it.each([
    ['no HTTP at all', 'HELO clearing house\r\n\r\n', '400 Bad Request', 'request.malformed'],
    ['headers of 100 kB', `GET /health/live HTTP/1.1\r\nhost: x\r\nx-long: ${'x'.repeat(100_000)}\r\n\r\n`, '431 Request Header Fields Too Large', 'request.too-large'],
  ])('answers %s with a problem', async (_, bytes, status, code) => {
    const socket = connect(Number(new URL(service.url).port), '127.0.0.1');
    socket.on('error', () => undefined); // the server may hang up while we still speak
    socket.write(bytes);
    let answer = '';
    for await (const chunk of socket.setEncoding('utf8')) answer += String(chunk);
    expect(answer).toContain(`HTTP/1.1 ${status}`);
    expect(answer).toContain(`"code":"${code}"`);
  });

  it.each([
    ['absent', 404, 'thing.not-found'],
    ['clash', 409, 'thing.clash'],
    ['away', 503, 'service.unavailable'],
    ['broken', 500, 'service.defect'],
  ])('maps what a handler throws: %s', async (id, status, code) => {
    const answer = await call(`/v1/things/${id}`);
    expect(answer).toMatchObject({ status, body: { code } });
    expect(answer.headers.has('retry-after')).toBe(status === 503);
    expect(JSON.stringify(answer.body)).not.toContain('secret detail');
  });

  it('logs a defect with its request id, and never a key', async () => {
    await call('/v1/things/broken', { headers: { 'x-request-id': 'defect-1' } });
    expect(lines.filter((line) => line.includes('defect-1')).join('')).toContain('secret detail of the inside');
    expect(lines.join('')).not.toContain(keys.agency.key);
  });

  it.each([
    ['no key', null, 401, 'key.missing'],
    ['an unknown key', newApiKey('nobody').key, 401, 'key.unknown'],
    ['a known id with another secret', newApiKey('bawaslu').key, 401, 'key.unknown'],
    ['something that is no key', 'hello', 401, 'key.unknown'],
    ['a revoked key', keys.gone.key, 401, 'key.unknown'],
    ['an expired key', keys.old.key, 401, 'key.expired'],
    ['a key without the role', keys.auditor.key, 403, 'key.role-missing'],
  ])('refuses %s before it reads the body', async (_, key, status, code) => {
    const answer = await call('/v1/things', { method: 'POST', body: '{"broken', headers: { 'content-type': 'application/json' }, key });
    expect(answer).toMatchObject({ status, body: { code } });
    expect(answer.headers.has('www-authenticate')).toBe(status === 401);
  });

  it('tells a handler what the caller may see, and hides what it may not', async () => {
    expect(await call('/v1/things', { key: keys.partner.key })).toMatchObject({ body: { scope: 'own' } });
    expect(await call('/v1/platforms/meta/messages', { key: keys.meta.key })).toMatchObject({ status: 200 });
    expect(await call('/v1/platforms/google/messages', { key: keys.meta.key })).toMatchObject({ status: 404 });
  });

  it('shows health, figures and its part of the API', async () => {
    expect(await call('/health/live')).toMatchObject({ status: 200 });
    expect(await call('/health/ready')).toMatchObject({ status: 200, body: { status: 'ready' } });
    expect(await (await fetch(`${service.internalUrl}/metrics`)).text()).toContain('sejam_http_request_seconds');
    expect((await fetch(`${service.url}/metrics`)).status).toBe(404);
    const { body } = await call('/internal/openapi.json');
    const document = body as unknown as { paths: Record<string, Record<string, { parameters?: { name: string }[]; security?: unknown }>>; components: { schemas: Record<string, unknown> } };
    expect(document.components.schemas['NewThing']).toMatchObject({
      required: ['reference', 'category', 'contents'],
      properties: {
        reference: { type: 'string', minLength: 1, maxLength: 64 },
        category: { enum: ['a', 'b'] },
        contents: { type: 'array', maxItems: 3, items: { $ref: '#/components/schemas/Part' } },
      },
    });
    expect(document.paths['/v1/things']?.['get']?.parameters?.map(({ name }) => name)).toEqual(['limit']);
    expect(document.paths['/v1/things']?.['post']?.security).toEqual([{ key: [] }]);
    expect(document.paths['/v1/platforms/{platform}/webhooks']?.['post']?.security).toBeUndefined();
  });
});

describe('a service', () => {
  const withService = async (options: Partial<ServiceOptions>, work: (service: RunningService) => Promise<void>) => {
    const service = await startService({ ...base(), ...options });
    try {
      await work(service);
    } finally {
      await service.close();
    }
  };
  const bearer = { authorization: `Bearer ${keys.agency.key}` };

  it('does not start with a route that the access table does not name', async () => {
    await expect(startService({ ...base(), access: access.slice(1) })).rejects.toThrow('no row for POST /v1/things');
  });

  it('does not start with a row that no controller serves', async () => {
    await expect(startService({ ...base(), access: [...access, { method: 'GET', path: '/v1/ghost', roles: 'public' }] })).rejects.toThrow('GET /v1/ghost');
  });

  it('does not start with a body that would not be validated', async () => {
    @Controller()
    class Careless {
      @Post('/v1/careless')
      take(@Body() body: { anything: string }) {
        return body;
      }
    }
    @Module({ controllers: [Careless] })
    class CarelessModule {}
    const rows: AccessRow[] = [{ method: 'POST', path: '/v1/careless', roles: 'public' }];
    await expect(startService({ ...base(), module: CarelessModule, access: rows })).rejects.toThrow('Careless.take takes a body that would not be validated');
  });

  it('writes nothing while it does not know which keys are good, and still reads', async () => {
    const directory = directoryWithKeys();
    Object.defineProperty(directory, 'fresh', { value: false });
    await withService({ directory }, async ({ url }) => {
      const write = await fetch(`${url}/v1/things`, { method: 'POST', headers: { ...bearer, 'content-type': 'application/json' }, body: JSON.stringify(good) });
      expect(write.status).toBe(503);
      expect(write.headers.get('retry-after')).toBe('5');
      expect(await write.json()).toMatchObject({ code: 'key.directory-stale' });
      expect((await fetch(`${url}/v1/things`, { headers: bearer })).status).toBe(200);
    });
  });

  it('slows down a key and a platform that ask too much, each on its own', async () => {
    const config = readConfig(hostSettings({ port: 0 }), { RATE_LIMIT_PER_KEY: '1', RATE_LIMIT_WEBHOOKS: '1', RATE_LIMIT_BURST: '2' });
    await withService({ config }, async ({ url }) => {
      const asks = [];
      for (let count = 0; count < 4; count++) asks.push(await fetch(`${url}/v1/things`, { headers: bearer }));
      expect(asks.map(({ status }) => status)).toEqual([200, 200, 429, 429]);
      expect(asks[3]?.headers.get('retry-after')).toBe('1');
      expect(await asks[3]?.json()).toMatchObject({ code: 'rate-limited' });
      expect((await fetch(`${url}/v1/things`, { headers: { authorization: `Bearer ${keys.auditor.key}` } })).status).toBe(200);
      const hook = async (platform: string) => (await fetch(`${url}/v1/platforms/${platform}/webhooks`, { method: 'POST' })).status;
      expect([await hook('meta'), await hook('meta'), await hook('meta'), await hook('google')]).toEqual([202, 202, 429, 202]);
    });
  });

  it('is degraded without the bus, and not ready without what a request needs, which it names', async () => {
    const record = () => ({ recordId: 'r1', speed: 60, now: new Date('2024-11-27T01:00:00Z') });
    await withService({ record, bus: () => Promise.resolve({ connected: false, lag: 7 }) }, async ({ url }) => {
      const ready = await fetch(`${url}/health/ready`);
      expect(ready.status).toBe(200);
      expect(await ready.json()).toMatchObject({ status: 'degraded', bus: { lag: 7 }, record: { id: 'r1', speed: 60, domainTime: '2024-11-27T01:00:00.000Z' } });
    });
    await withService({ readiness: { record: () => Promise.reject(new Error('does not answer')) } }, async ({ url, internalUrl }) => {
      const ready = await fetch(`${url}/health/ready`);
      expect(ready.status).toBe(503);
      expect(await ready.json()).toMatchObject({ status: 'unavailable', missing: { record: 'does not answer' } });
      expect((await fetch(`${internalUrl}/health/ready`)).status).toBe(503);
      expect((await fetch(`${url}/health/live`)).status).toBe(200);
    });
  });

  it('finishes a request in flight before it ends, and takes no new connection', async () => {
    const service = await startService(base());
    const inFlight = fetch(`${service.url}/v1/slow`);
    await fetch(`${service.url}/health/live`);
    const closed = service.close();
    release();
    expect(await (await inFlight).json()).toEqual({ done: true });
    await closed;
    const { port } = new URL(service.url);
    await expect(new Promise((resolve, reject) => connect(Number(port), '127.0.0.1').once('connect', resolve).once('error', reject))).rejects.toThrow('ECONNREFUSED');
  });

  it('gives up a port that is in use with an error that names it, leaving nothing behind', async () => {
    await withService({}, async ({ url }) => {
      const config = readConfig(hostSettings(), { PORT: new URL(url).port });
      await expect(startService({ ...base(), config })).rejects.toMatchObject({ code: 'EADDRINUSE', port: Number(new URL(url).port) });
    });
  });
});
