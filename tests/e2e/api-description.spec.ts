import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import { eventually } from '@sejam/testkit';
import type { Json } from '../stack/caller.js';
import { answers, deliveredCase, reportBody, statusIs, type ReportedCase } from '../stack/cases.js';
import { Stack } from '../stack/stack.js';

/** The addresses of the contract that are read or written by JSON or lines; `*` is an id. */
const contract = `
POST /v1/reports, GET /v1/reports, POST /v1/reports/batch, GET /v1/reports/*, POST /v1/reports/*/approval, POST /v1/reports/*/decline, POST /v1/reports/*/amendment,
POST /v1/reports/*/withdrawal, POST /v1/reports/decisions, POST /v1/organisations, GET /v1/organisations, POST /v1/organisations/*/officers, POST /v1/organisations/*/keys,
GET /v1/organisations/*/keys, POST /v1/organisations/*/keys/*/rotation, DELETE /v1/organisations/*/keys/*,
GET /v1/takedowns, GET /v1/takedowns/*, POST /v1/takedowns/*/clarification, POST /v1/takedowns/*/withdrawal, POST /v1/takedowns/*/objection-ruling, POST /v1/takedowns/*/reopening,
POST /v1/takedowns/*/observations, POST /v1/takedowns/*/escalations, POST /v1/takedowns/*/escalations/*/approval, GET /v1/platforms/*, PUT /v1/platforms/*/endpoint,
DELETE /v1/platforms/*/endpoint, POST /v1/platforms/*/endpoint/test, POST /v1/platforms/*/endpoint/resume, POST /v1/platforms/*/endpoint/rotation, GET /v1/platforms/*/messages,
GET /v1/platforms/*/orders, GET /v1/platforms/*/orders/*, POST /v1/platforms/*/orders/*/answers, POST /v1/platforms/*/webhooks, GET /v1/deliveries, POST /v1/deliveries/*/retry,
GET /v1/parked, POST /v1/parked/*/replay, POST /v1/parked/*/skip, GET /v1/refused-webhooks, GET /v1/clocks, GET /v1/sla-policies, PUT /v1/sla-policies/*,
GET /v1/board, GET /v1/board/stream, GET /v1/reports/*/outcome, GET /v1/statistics/compliance, GET /v1/statistics/volume, GET /v1/exports/takedowns.csv, GET /v1/exports/takedowns.ndjson,
GET /v1/transparency/*, GET /v1/events, GET /v1/audit/checkpoint, GET /v1/audit/consistency, GET /v1/audit/events, GET /v1/audit/proofs/*, GET /v1/audit/takedowns/*
`.split(',').map((address) => address.trim());

describe('the description of the API', () => {
  let stack: Stack;
  let openApi: Json;
  let found: ReportedCase;
  beforeAll(async () => {
    stack = await Stack.start({ speed: 1 });
    found = await deliveredCase(stack);
    openApi = (await stack.as('auditor').get('/openapi.json')).body;
  }, 180_000);
  afterAll(() => stack.stop(), 60_000);

  const operations = (): { name: string; operation: Json }[] => Object.entries(openApi.paths as Record<string, Record<string, Json>>)
    .flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, operation })));

  it('names every address of the contract', () => {
    const described = operations().map(({ name }) => name.replaceAll(/\{[^}]+\}/g, '*'));
    expect(contract.filter((address) => !described.includes(address))).toEqual([]);
  });

  it('says of every address what it answers, and which problems may be met', () => {
    const silent: string[] = [];
    for (const { name, operation } of operations()) {
      const responses = operation.responses as Record<string, { content?: Record<string, { schema?: object }> }>;
      const good = Object.entries(responses).filter(([status]) => status.startsWith('2'));
      const said = good.some(([status, { content = {} }]) => status === '204' || Object.values(content).some(({ schema }) => schema !== undefined && Object.keys(schema).length > 0));
      if (!said) silent.push(name);
      if (!name.includes(' /v1/') || operation.tags?.includes('gateway')) continue;
      const expected = [...(operation.security === undefined ? [] : ['401', '403', '429']), ...(name.includes('{') ? ['404'] : []), ...(name.startsWith('GET') ? [] : ['409']), '400', '422', '503'];
      expect({ name, missing: expected.filter((status) => responses[status]?.content?.['application/problem+json'] === undefined) }).toEqual({ name, missing: [] });
    }
    expect(silent).toEqual([]);
  });

  it('points to nothing that is not there', () => {
    const references = [...JSON.stringify(openApi).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map(([, name = '']) => name);
    expect(references.length).toBeGreaterThan(50);
    expect(references.filter((name) => openApi.components.schemas[name] === undefined)).toEqual([]);
  });

  it('is what the addresses do answer, to the last field', async () => {
    expect((await stack.answer('tiktok', ...answers.clarification(found.orderId))).status).toBe(202);
    expect((await stack.as('kominfo').post(`/v1/takedowns/${found.takedownId}/clarification`, { answer: 'At 0:12' })).status).toBeLessThan(300);
    expect((await stack.answer('tiktok', ...answers.objected(found.orderId))).status).toBe(202);
    expect((await stack.answer('tiktok', ...answers.actioned(found.orderId))).status).toBe(202);
    await statusIs(stack, found, 'actioned');
    const open = await deliveredCase(stack, { platform: 'google', issue: { reference: 'ISU-17', title: 'Voting moved' } });
    await eventually(async () => expect(((await stack.as('kominfo').get('/v1/board')).body.items as Json[]).map(({ orderId }) => orderId)).toEqual([open.orderId]));
    const validator = new Ajv({ strict: false, allErrors: true });
    addFormats.default(validator);
    validator.addSchema({ $id: 'openapi', ...JSON.parse(JSON.stringify(strict(openApi.components)).replaceAll('"#/components', '"openapi#')) });

    const { platform, takedownId, orderId, reportId } = found;
    const wrong: unknown[] = [];
    const holds = async (key: string, method: 'GET' | 'POST', path: string, described: string, body?: object): Promise<void> => {
      const caller = stack.as(key);
      const answer = await (method === 'GET' ? caller.get(path) : caller.post(path, body ?? {}));
      const content = openApi.paths[described]?.[method.toLowerCase()]?.responses[String(answer.status)]?.content ?? {};
      const schema = content['application/json']?.schema ?? content['application/problem+json']?.schema;
      expect({ path, status: answer.status, described: schema !== undefined }).toEqual({ path, status: answer.status, described: true });
      const pointed = JSON.parse(JSON.stringify(strict(schema)).replaceAll('"#/components', '"openapi#')) as object;
      if (!validator.validate(pointed, answer.body)) wrong.push({ path, faults: validator.errors?.map(({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`) });
    };
    const { body: report } = await stack.as('auditor').get(`/v1/reports/${reportId}`);
    const { eventId: _, ...incomplete } = report as Record<string, Json>;
    for (const [body, good] of [[report, true], [{ ...report, surprise: 1 }, false], [incomplete, false], [{ ...report, submittedAt: 5 }, false]] as const) expect(validator.validate({ $ref: 'openapi#/schemas/ReportDocument' }, body)).toBe(good);

    await holds('bawaslu', 'POST', '/v1/reports', '/v1/reports', reportBody());
    await holds('bawaslu', 'POST', '/v1/reports', '/v1/reports', { reference: 1 });
    await holds('bawaslu', 'POST', '/v1/reports/batch', '/v1/reports/batch', { reports: [reportBody(), {}] });
    await holds('auditor', 'GET', '/v1/reports', '/v1/reports');
    await holds('auditor', 'GET', `/v1/reports/${reportId}`, '/v1/reports/{id}');
    await holds('bawaslu', 'GET', `/v1/reports/${reportId}/outcome`, '/v1/reports/{id}/outcome');
    await holds('operator', 'GET', '/v1/organisations', '/v1/organisations');
    await holds('operator', 'GET', '/v1/organisations/kpu/keys', '/v1/organisations/{id}/keys');
    await holds('auditor', 'GET', '/v1/takedowns', '/v1/takedowns');
    await holds('auditor', 'GET', `/v1/takedowns/${takedownId}`, '/v1/takedowns/{id}');
    await holds('kpuReviewer', 'POST', `/v1/takedowns/${takedownId}/objection-ruling`, '/v1/takedowns/{id}/objection-ruling', { ruling: 'dismissed', reason: 'Read again' });
    await holds('kominfo', 'POST', `/v1/takedowns/${takedownId}/observations`, '/v1/takedowns/{id}/observations', { seen: 'gone' });
    await holds('operator', 'GET', `/v1/platforms/${platform}`, '/v1/platforms/{platform}');
    await holds('operator', 'POST', `/v1/platforms/${platform}/endpoint/test`, '/v1/platforms/{platform}/endpoint/test');
    await holds(platform, 'GET', `/v1/platforms/${platform}/messages`, '/v1/platforms/{platform}/messages');
    await holds(platform, 'GET', `/v1/platforms/${platform}/orders`, '/v1/platforms/{platform}/orders');
    await holds(platform, 'GET', `/v1/platforms/${platform}/orders/${orderId}`, '/v1/platforms/{platform}/orders/{orderId}');
    await holds('operator', 'GET', '/v1/deliveries', '/v1/deliveries');
    await holds('operator', 'GET', '/v1/refused-webhooks', '/v1/refused-webhooks');
    await holds('operator', 'GET', '/v1/parked', '/v1/parked');
    await holds('auditor', 'GET', `/v1/clocks?orderId=${orderId}`, '/v1/clocks');
    await holds('auditor', 'GET', '/v1/sla-policies', '/v1/sla-policies');
    await holds('kominfo', 'GET', '/v1/board', '/v1/board');
    await holds('auditor', 'GET', '/v1/statistics/compliance?groupBy=platform', '/v1/statistics/compliance');
    await holds('auditor', 'GET', '/v1/statistics/volume', '/v1/statistics/volume');
    await holds('auditor', 'GET', `/v1/transparency/${new Date().toISOString().slice(0, 7)}`, '/v1/transparency/{period}');
    await holds('auditor', 'GET', '/v1/audit/consistency?from=1', '/v1/audit/consistency');
    await holds('auditor', 'GET', '/v1/audit/keys', '/v1/audit/keys');
    await holds('auditor', 'GET', `/v1/audit/takedowns/${takedownId}`, '/v1/audit/takedowns/{id}');
    expect(wrong).toEqual([]);
  }, 60_000);
});

/** A field that is not described is a fault too, and null as OpenAPI 3.0 has it becomes null as JSON Schema has it. */
function strict(schema: Json): Json {
  if (Array.isArray(schema)) return schema.map((one: Json) => strict(one));
  if (typeof schema !== 'object' || schema === null) return schema;
  const { nullable, ...rest } = Object.fromEntries(Object.entries(schema as Record<string, Json>).map(([name, inner]) => [name, strict(inner)])) as Record<string, Json>;
  if (rest['type'] === 'object' && rest['properties'] !== undefined) rest['additionalProperties'] ??= false;
  return nullable === true ? { anyOf: [rest, { type: 'null' }] } : rest;
}
