import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { connect } from 'node:net';
import type { Answer, Json } from '../stack/caller.js';
import { answers, approval, approvedCase, deliveredCase, newContent, reportBody } from '../stack/cases.js';
import { Stack } from '../stack/stack.js';

/** Every address that takes a body, by the key that may use it. Ids are those of things that exist. */
interface Address {
  readonly method: 'POST' | 'PUT';
  readonly path: string;
  readonly key: string;
  readonly body: Json;
  /** Fields whose text may not be of any length. */
  readonly texts: readonly string[];
  /** Nothing at all means something here. */
  readonly mayBeAbsent?: true;
}

const nested = (depth: number): string => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;

describe('bad input', () => {
  let stack: Stack;
  let addresses: readonly Address[];
  let documented: readonly string[];
  beforeAll(async () => {
    stack = await Stack.start({ speed: 1, services: ['intake', 'routing', 'sla', 'reporting'] });
    const found = await deliveredCase(stack);
    const pending = (await stack.as('bawaslu').post('/v1/reports', reportBody())).body.id as string;
    const takedown = `/v1/takedowns/${found.takedownId}`;
    const { body: { items: keys } } = await stack.as('operator').get('/v1/organisations/tiktok/keys');
    addresses = [
      { method: 'POST', path: '/v1/reports', key: 'bawaslu', body: reportBody({ issue: { reference: 'ISU-1', title: 'Voting moved' } }), texts: ['reference', 'summary', 'region', 'category', 'target', 'language', 'issue.title'] },
      { method: 'POST', path: '/v1/reports/batch', key: 'bawaslu', body: { reports: [reportBody()] }, texts: [] },
      { method: 'POST', path: `/v1/reports/${pending}/approval`, key: 'bawasluReviewer', body: { ...approval, clarificationUrl: 'https://cekfakta.example/1' }, texts: ['reasons', 'requestedAction', 'clarificationUrl', 'factCheck.url'] },
      { method: 'POST', path: `/v1/reports/${pending}/decline`, key: 'bawasluReviewer', body: { reason: 'Satire' }, texts: ['reason'] },
      { method: 'POST', path: '/v1/reports/decisions', key: 'bawasluReviewer', body: { decisions: [{ reportId: pending, decline: { reason: 'Satire' } }] }, texts: [] },
      { method: 'POST', path: `/v1/reports/${pending}/amendment`, key: 'bawaslu', body: { changes: { summary: 'Another' }, reason: 'A slip of the pen' }, texts: ['reason', 'changes.summary'] },
      { method: 'POST', path: `/v1/reports/${pending}/withdrawal`, key: 'bawaslu', body: { reason: 'By mistake' }, texts: ['reason'] },
      { method: 'POST', path: '/v1/organisations', key: 'operator', body: { id: 'bssn', name: 'BSSN', kind: 'agency' }, texts: ['name', 'kind', 'id'] },
      { method: 'POST', path: '/v1/organisations/kpu/officers', key: 'operator', body: { name: 'Officer' }, texts: ['name'] },
      { method: 'POST', path: '/v1/organisations/kpu/keys', key: 'operator', body: { roles: ['reporter'], holder: 'kpu' }, texts: ['holder'] },
      { method: 'POST', path: `/v1/organisations/tiktok/keys/${keys[0].keyId}/rotation`, key: 'operator', body: { overlapMinutes: 10 }, texts: [] },
      { method: 'POST', path: '/v1/privacy/erasures', key: 'operator', body: { subject: { kind: 'reporter', reportId: pending }, reason: 'Asked for', reference: 'PDP-7' }, texts: ['reason', 'reference', 'subject.kind', 'subject.reportId'] },
      { method: 'POST', path: `/v1/privacy/erasures/report-${pending}.1/withdrawal`, key: 'operator', body: { reason: 'The wrong report' }, texts: ['reason'] },
      { method: 'POST', path: `${takedown}/clarification`, key: 'kominfo', body: { answer: 'At 0:12' }, texts: ['answer'] },
      { method: 'POST', path: `${takedown}/withdrawal`, key: 'kominfo', body: { reason: 'By mistake' }, texts: ['reason'] },
      { method: 'POST', path: `${takedown}/objection-ruling`, key: 'kpuReviewer', body: { ruling: 'upheld', reason: 'Read again' }, texts: ['ruling', 'reason'] },
      { method: 'POST', path: `${takedown}/reopening`, key: 'kominfo', body: { cause: 'still_online', reason: 'Seen again' }, texts: ['cause', 'reason'] },
      { method: 'POST', path: `${takedown}/observations`, key: 'kominfo', body: { seen: 'gone', note: 'Looked' }, texts: ['seen', 'note'] },
      { method: 'POST', path: `${takedown}/escalations`, key: 'kominfo', body: { level: 2, letterNumber: 'S-1', reason: 'No answer' }, texts: ['letterNumber', 'reason'] },
      { method: 'POST', path: `/v1/platforms/tiktok/orders/${found.orderId}/answers`, key: 'tiktok', body: { answerId: 'a-1', type: 'order.acknowledged', data: {} }, texts: ['answerId', 'type'] },
      { method: 'PUT', path: '/v1/platforms/tiktok/endpoint', key: 'operator', body: { url: 'https://orders.tiktok.example/sejam' }, texts: ['url'] },
      { method: 'POST', path: '/v1/platforms/tiktok/endpoint/rotation', key: 'operator', body: { direction: 'orders' }, texts: ['direction'], mayBeAbsent: true },
      { method: 'PUT', path: '/v1/platforms/tiktok/answer-key', key: 'operator', body: { publicKey: `whpk_${Buffer.alloc(32, 7).toString('base64')}` }, texts: ['publicKey'] },
      { method: 'POST', path: '/v1/webhook-keys/rotation', key: 'operator', body: { overlapMinutes: 60 }, texts: [], mayBeAbsent: true },
      { method: 'POST', path: '/v1/parked/sla:1/skip', key: 'operator', body: { reason: 'Never needed' }, texts: ['reason'] },
      { method: 'PUT', path: '/v1/sla-policies/quiet', key: 'operator', body: { acknowledgeWithinMinutes: 5, resolveWithinMinutes: 30, warningPercent: 75, clarificationCapMinutes: 30, effectiveFrom: '2030-01-01T00:00:00Z', reason: 'Quiet days' }, texts: ['reason', 'effectiveFrom', 'category', 'platform'] },
    ];
    const { body: { paths } } = await stack.as('operator').get('/openapi.json');
    documented = Object.entries(paths as Record<string, Record<string, { requestBody?: unknown }>>).flatMap(([path, methods]) =>
      Object.entries(methods).filter(([method, { requestBody }]) => ['post', 'put'].includes(method) && requestBody !== undefined).map(([method]) => `${method.toUpperCase()} ${path}`));
  }, 180_000);
  afterAll(() => stack.stop(), 60_000);

  const send = ({ method, path, key }: Pick<Address, 'method' | 'path' | 'key'>, body: string | Buffer, contentType = 'application/json') => stack.as(key).send(method, path, body, { 'content-type': contentType });
  const refused = (answer: Answer, address: Pick<Address, 'method' | 'path'>, statuses: readonly number[]): void => {
    const { status, body, headers } = answer;
    const seen = { address: `${address.method} ${address.path}`, status, code: body.code as unknown, type: String(headers['content-type']) };
    expect({ ...seen, status: statuses.includes(status) ? 'refused' : `${status} ${JSON.stringify(body)}` }).toEqual({ ...seen, status: 'refused', type: expect.stringContaining('application/problem+json'), code: expect.any(String) });
    expect(body).toMatchObject({ status, title: expect.any(String), requestId: expect.any(String) });
  };

  it('is tried at every address that takes a body', () => {
    const patterns = documented.map((path) => new RegExp(`^${path.replace(/\{[^}]+\}/g, '[^/]+')}$`));
    const untried = documented.filter((_, index) => !addresses.some(({ method, path }) => patterns[index]?.test(`${method} ${path}`)));
    expect(untried.filter((path) => path !== 'POST /v1/platforms/{platform}/webhooks')).toEqual([]);
    expect(documented.length).toBeGreaterThan(15);
  });

  it.each([
    ['text that is no JSON', '{"reference": "A', [400]],
    ['nothing', '', [400, 415, 422]],
    ['a list in place of an object', '[]', [400, 422]],
    ['a number', '42', [400, 422]],
    ['null', 'null', [400, 422]],
    ['text', '"text"', [400, 422]],
    ['an object ten thousand deep', nested(10_000), [400, 422]],
    ['a list a hundred thousand deep', `${'['.repeat(100_000)}${']'.repeat(100_000)}`, [400, 422]],
    ['__proto__', '{"__proto__": {"reference": "x", "polluted": true}}', [400, 422]],
    ['constructor.prototype', '{"constructor": {"prototype": {"polluted": true}}}', [400, 422]],
    ['invalid UTF-8', Buffer.concat([Buffer.from('{"reason": "'), Buffer.from([0xc3, 0x28, 0xff]), Buffer.from('"}')]), [400, 422]],
    ['ten megabytes', Buffer.alloc(10 * 1024 * 1024, 0x20), [413]],
  ] as const)('is refused when it is %s', async (_, body, statuses) => {
    for (const address of addresses) if (body !== '' || address.mayBeAbsent !== true) refused(await send(address, body as string | Buffer), address, statuses);
  }, 60_000);

  it('is refused in another media type', async () => {
    for (const address of addresses) {
      refused(await send(address, 'reason=x', 'application/x-www-form-urlencoded'), address, [415]);
      refused(await send(address, JSON.stringify(address.body), 'text/plain'), address, [415]);
    }
  }, 60_000);

  it('is refused when a field is unknown, and the field is named', async () => {
    for (const address of addresses) {
      if (address.path.endsWith('/batch') || address.path.endsWith('/decisions')) continue;
      const answer = await send(address, JSON.stringify({ ...address.body, surprise: 1 }));
      refused(answer, address, [422]);
      expect({ path: address.path, pointers: (answer.body.errors as { pointer: string }[]).map(({ pointer }) => pointer) }).toEqual({ path: address.path, pointers: expect.arrayContaining(['/surprise']) });
    }
  }, 60_000);

  it('is refused when a field has another type, and the field is named', async () => {
    for (const address of addresses) {
      if (address.path.endsWith('/batch') || address.path.endsWith('/decisions')) continue;
      for (const field of Object.keys(address.body as object)) {
        for (const wrong of [{ nested: true }, 12.5, null, [[]], true]) {
          const body = { ...address.body, [field]: wrong };
          if (typeof address.body[field] === 'object' && !Array.isArray(address.body[field]) && wrong !== null && typeof wrong === 'object' && !Array.isArray(wrong)) body[field] = 'text';
          const answer = await send(address, JSON.stringify(body));
          refused(answer, address, [400, 422]);
          expect(JSON.stringify(answer.body.errors)).toContain(`/${field}`);
        }
      }
    }
  }, 120_000);

  it('is refused when a text has ten thousand characters', async () => {
    for (const address of addresses) {
      for (const text of address.texts) {
        const [outer, inner] = text.split('.') as [string, string?];
        const long = 'x'.repeat(10_000);
        const body = inner === undefined ? { ...address.body, [outer]: long } : { ...address.body, [outer]: { ...address.body[outer], [inner]: long } };
        const answer = await send(address, JSON.stringify(body));
        refused(answer, address, [422]);
        expect(JSON.stringify(answer.body.errors)).toContain(`/${text.replace('.', '/')}`);
      }
    }
  }, 60_000);

  it('fails alone in a batch, and a batch has its limits', async () => {
    const batch = await stack.as('bawaslu').post('/v1/reports/batch', { reports: [reportBody(), { reference: 4 }, null, 'text', reportBody({ urls: ['https://blog.example/x'] }), reportBody({ urls: Array.from({ length: 51 }, () => newContent()) })] });
    expect(batch.status).toBe(207);
    expect((batch.body.results as { status: number }[]).map(({ status }) => status)).toEqual([201, 422, 422, 422, 422, 422]);
    expect(await stack.as('bawaslu').post('/v1/reports/batch', { reports: Array.from({ length: 1_001 }, () => ({})) })).toMatchObject({ status: 413 });
    const decisions = await stack.as('kpuReviewer').post('/v1/reports/decisions', { decisions: [{ reportId: 'none', approval }, 5] });
    expect(decisions.status).toBeLessThan(500);
  }, 30_000);

  it('in an address or a query is refused, or simply finds nothing', async () => {
    for (const path of ['/v1/reports/%00', '/v1/reports/..%2f..%2fhealth', '/v1/takedowns/not-an-id', '/v1/takedowns/%E0%A4%A', `/v1/reports/${'a'.repeat(5_000)}`, '/v1/reports?cursor=garbage', '/v1/reports?limit=-1', '/v1/reports?limit=1e9', '/v1/takedowns?cursor=%00&platform=%00', '/v1/takedowns?dueBefore=yesterday', '/v1/clocks?orderId=%27%3B--', '/v1/reports?submittedFrom=0', '/v1/events?topic=none', '/v1/statistics/compliance?from=x&to=y', '/v1/statistics/volume?from=1&to=', '/v1/takedowns?platform[]=a&platform[$ne]=b', '/v1/reports?reference=a&reference=b']) {
      const { status, body } = await stack.as('auditor').get(path);
      expect({ path, status: status < 500, body }).toEqual({ path, status: true, body });
    }
  }, 30_000);

  it('that is no HTTP ends the connection and nothing else', async () => {
    const { hostname, port } = new URL(stack.url);
    for (const text of ['\x00\x01\x02\r\n\r\n', 'POST /v1/reports HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 'GET / HTTP/9.9\r\n\r\n', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(100_000)}\r\n\r\n`]) {
      const heard = await new Promise<string>((resolve) => {
        let said = '';
        const socket = connect(Number(port), hostname, () => socket.write(text));
        socket.setTimeout(5_000, () => socket.destroy());
        socket.on('data', (chunk) => (said += chunk.toString())).on('error', () => undefined).on('close', () => resolve(said));
      });
      expect(heard).not.toMatch(/^HTTP\/1\.1 (2|5)/);
    }
    await stack.ready();
  }, 40_000);

  it('has left nothing behind', async () => {
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    const spoiled = [...(await stack.streams('report-', 'takedown-', 'organisation-', 'platform-', 'slapolicy-')).values()].flat().filter((event) => /polluted|surprise|\ufffd|x{10000}/.test(JSON.stringify(event.data)));
    expect(spoiled).toEqual([]);
    for (const { unexpectedEnds } of stack.processes.values()) expect(unexpectedEnds).toEqual([]);
  }, 30_000);

  describe('in webhooks', () => {
    it('is refused where the signature does not hold, and nothing is recorded', async () => {
      const found = await approvedCase(stack, { platform: 'tiktok' });
      const path = '/v1/platforms/tiktok/webhooks';
      const good = stack.desk.sign('tiktok', ...answers.actioned(found.orderId));
      const minutes = (count: number): Date => new Date(Date.now() + count * 60_000);
      const { 'webhook-signature': signature, 'webhook-id': id, 'webhook-timestamp': timestamp } = good.headers as Record<string, string>;
      const json = { 'content-type': 'application/json' };
      const spoiled: readonly (readonly [string, Record<string, string>, string | Buffer])[] = [
        ['another secret', stack.desk.sign('google', ...answers.actioned(found.orderId)).headers, stack.desk.sign('google', ...answers.actioned(found.orderId)).body],
        ['expired', ...signedAt(minutes(-6))],
        ['from the future', ...signedAt(minutes(6))],
        ['truncated signature', { ...good.headers, 'webhook-signature': signature?.slice(0, 20) ?? '' }, good.body],
        ['truncated body', good.headers, good.body.slice(0, -1)],
        ['changed body', good.headers, good.body.replace('removed', 'labelled')],
        ['replayed under another id', { ...good.headers, 'webhook-id': `${id}x` }, good.body],
        ['replayed at another time', { ...good.headers, 'webhook-timestamp': String(Number(timestamp) + 1) }, good.body],
        ['another version', { ...good.headers, 'webhook-signature': signature?.replace('v1,', 'v0,') ?? '' }, good.body],
        ['no signature', { ...json, 'webhook-id': id ?? '', 'webhook-timestamp': timestamp ?? '' }, good.body],
        ['no id', { ...json, 'webhook-timestamp': timestamp ?? '', 'webhook-signature': signature ?? '' }, good.body],
        ['nothing but the body', json, good.body],
        ['a key of the operator in place of a signature', { ...json, authorization: `Bearer ${stack.credentials.keys['operator']}` }, good.body],
        ['a heap of signatures', { ...good.headers, 'webhook-signature': Array.from({ length: 200 }, () => 'v1,AAAA').join(' ') }, good.body],
      ];
      function signedAt(at: Date): [Record<string, string>, string] {
        const { headers, body } = stack.desk.sign('tiktok', ...answers.actioned(found.orderId), { at });
        return [headers, body];
      }
      const before = (await stack.events(`takedown-${found.takedownId}`)).filter(({ type }) => type === 'ContentActioned').length;
      for (const [how, headers, body] of spoiled) {
        const { status, body: problem } = await stack.as('auditor').send('POST', path, body, headers);
        expect({ how, status, code: problem.code as unknown }).toEqual({ how, status: 401, code: 'webhook.not-authentic' });
      }
      expect((await stack.events(`takedown-${found.takedownId}`)).filter(({ type }) => type === 'ContentActioned').length).toBe(before);
    }, 30_000);

    it('is refused where the signature holds, with what is wrong, and kept for the operator', async () => {
      const found = await deliveredCase(stack, { platform: 'tiktok' });
      const order = { orderId: found.orderId };
      const wrong: readonly (readonly [string, object, number])[] = [
        ['order.celebrated', order, 422],
        ['order.actioned', order, 422],
        ['order.actioned', { ...order, action: 'obliterated', actionedAt: new Date().toISOString() }, 422],
        ['order.actioned', { ...order, action: 'removed', actionedAt: 'yesterday' }, 422],
        ['order.refused', { ...order, reason: 'because', explanation: 'x' }, 422],
        ['order.refused', { ...order, reason: 'not_found' }, 422],
        ['order.objected', { ...order, grounds: 'x'.repeat(10_001) }, 422],
        ['order.clarification_requested', { ...order, question: { nested: true } }, 422],
        ['order.acknowledged', {}, 422],
        ['order.acknowledged', { orderId: 'no.1' }, 404],
        ['order.acknowledged', { orderId: `${found.takedownId}.7` }, 404],
      ];
      for (const [type, data, status] of wrong) expect({ type, data, ...await stack.answer('tiktok', type, data).then((answer) => ({ status: answer.status, kind: String(answer.headers['content-type']) })) }).toEqual({ type, data, status, kind: expect.stringContaining('application/problem+json') });
      const { body } = await stack.as('operator').get('/v1/refused-webhooks');
      expect((body.items as unknown[]).length).toBeGreaterThanOrEqual(wrong.length);
      expect((await stack.events(`takedown-${found.takedownId}`)).map(({ type }) => type)).toEqual(['TakedownOpened', 'ReportJoined', 'OrderIssued', 'OrderDelivered']);
    }, 30_000);
  });

  it('or good, the same report or webhook fifty times at once has one effect and one answer', async () => {
    const body = reportBody();
    const submitted = await Promise.all(Array.from({ length: 50 }, () => stack.as('kpu').post('/v1/reports', body)));
    expect(submitted.map(({ status }) => status).sort()).toEqual([...Array.from({ length: 49 }, () => 200), 201]);
    expect(new Set(submitted.map(({ body: { id, eventId } }) => `${id} ${eventId}`)).size).toBe(1);
    expect(await stack.events(`report-${submitted[0]?.body.id}`)).toHaveLength(1);

    const found = await deliveredCase(stack);
    const [type, data] = answers.refused(found.orderId);
    const answered = await Promise.all(Array.from({ length: 50 }, () => stack.answer('tiktok', type, data, { webhookId: 'fifty-times', at: new Date(1_000 * Math.floor(Date.now() / 1_000)) })));
    expect(new Set(answered.map(({ status, body: { eventId, effect } }) => `${status} ${eventId} ${effect}`))).toEqual(new Set([`202 ${answered[0]?.body.eventId} applied`]));
    expect((await stack.events(`takedown-${found.takedownId}`)).filter((event) => event.type === 'OrderRefused')).toHaveLength(1);

    const keyed = await Promise.all(Array.from({ length: 50 }, () => stack.as('kominfo').post(`/v1/takedowns/${found.takedownId}/reopening`, { cause: 'refusal_disputed', reason: 'Read again' }, { 'idempotency-key': 'fifty' })));
    expect(new Set(keyed.map(({ status, body: { eventId } }) => `${status} ${eventId}`)).size).toBe(1);
    expect((await stack.events(`takedown-${found.takedownId}`)).filter((event) => event.type === 'TakedownReopened')).toHaveLength(1);
  }, 60_000);
});
