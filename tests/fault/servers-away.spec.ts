import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually, testCrashingKafka } from '@sejam/testkit';
import { faultsInRecord } from '../stack/account.js';
import { answers, approvedCase, delivered, deliveredCase, reportBody, statusIs } from '../stack/cases.js';
import type { Answer, Json } from '../stack/caller.js';
import { Stack } from '../stack/stack.js';

const services = ['intake', 'routing', 'sla', 'reporting'] as const;
const unstorable = (answer: Answer): void => {
  expect(answer).toMatchObject({ status: 503, body: { status: 503, code: expect.any(String) } });
  expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
};

describe('a server that is away for a while', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start({ speed: 1, ownPostgres: true, services });
  }, 180_000);
  afterAll(() => stack.stop(), 60_000);

  it('as the event store keeps anything from being accepted, says so, and everything goes on when it is back', async () => {
    const before = await deliveredCase(stack);
    await stack.process('event-store').kill();
    unstorable(await stack.as('kpu').post('/v1/reports', reportBody()));
    unstorable(await stack.answer('tiktok', ...answers.acknowledged(before.orderId)));
    expect((await stack.as('kpu').get('/health/ready')).status).toBe(503);
    expect((await stack.as('kpu').get('/health/live')).status).toBe(200);
    await stack.process('event-store').startAgain();
    await stack.ready();
    expect(await stack.answer('tiktok', ...answers.actioned(before.orderId))).toMatchObject({ status: 202 });
    await statusIs(stack, before, 'actioned');
    await deliveredCase(stack, { platform: 'google' });
  }, 90_000);

  it('as the event store that is there and says nothing is no different', async () => {
    stack.process('event-store').freeze();
    const waiting = stack.as('kpu').post('/v1/reports', reportBody({ reference: 'FROZEN-1' }));
    await delay(3_000);
    stack.process('event-store').thaw();
    expect([201, 503]).toContain((await waiting).status);
    expect((await stack.as('kpu').insist('POST', '/v1/reports', reportBody({ reference: 'FROZEN-2' }))).status).toBe(201);
    await stack.ready();
    await deliveredCase(stack, { platform: 'meta' });
  }, 90_000);

  it('as PostgreSQL keeps no report and no answer from being accepted, and no order from going out later', async () => {
    const before = await deliveredCase(stack, { platform: 'telegram' });
    await stack.kill('postgres');
    const submitted = await stack.as('bawaslu').post('/v1/reports', reportBody());
    expect(submitted.status).toBe(201);
    unstorable(await stack.as('bawaslu').post('/v1/reports', reportBody({ reporter: { name: 'Siti' } })));
    unstorable(await stack.as('bawaslu').get('/v1/takedowns'));
    const acknowledged = await stack.answer('telegram', ...answers.acknowledged(before.orderId));
    expect([202, 503]).toContain(acknowledged.status);
    await stack.process('postgres').startAgain();
    await stack.ready();
    expect((await stack.as('bawasluReviewer').insist('POST', `/v1/reports/${submitted.body.id}/decline`, { reason: 'Satire' })).status).toBe(200);
    await eventually(async () => expect((await stack.as('bawaslu').get(`/v1/reports?reference=${submitted.body.reference}`)).body).toMatchObject({ items: [{ status: 'declined' }] }));
    await deliveredCase(stack, { platform: 'line' });
  }, 90_000);

  it('as PostgreSQL that lost everything leads to nothing that goes out again, and to the same answers as before', async () => {
    const settled = await deliveredCase(stack, { platform: 'tiktok' });
    await stack.as('bawaslu').post(`/v1/reports/${settled.reportId}/withdrawal`, { reason: 'By mistake' });
    await eventually(() => stack.desk.of(settled.takedownId, 'order.withdrawn').length === 1);
    stack.desk.take = ({ platform }) => (platform === 'snackvideo' ? 500 : 204);
    const waiting = await approvedCase(stack, { platform: 'snackvideo' });
    await eventually(async () => expect((await stack.events(`takedown-${waiting.takedownId}`)).filter(({ type }) => type === 'OrderDeliveryFailed').length).toBeGreaterThanOrEqual(1));
    await eventually(async () => expect((await stack.events(`takedown-${settled.takedownId}`)).map(({ type }) => type)).toContain('NoticeDelivered'));
    const listed = async () => ((await stack.as('auditor').insist('GET', '/v1/takedowns?limit=200')).body.items as { id: string; status: string; round: number }[]).map(({ id, status, round }) => `${id} ${status} ${round}`).sort();
    const [takedownsBefore, deliveriesBefore] = [await listed(), stack.desk.deliveries.length];

    for (const name of services) await stack.process(name).kill();
    const pool = stack.pool('public');
    for (const schema of services) await pool.query(`DROP SCHEMA ${schema} CASCADE`);
    stack.desk.take = () => 204;
    await Promise.all(services.map((name) => stack.process(name).startAgain()));
    await stack.ready();

    expect(await delivered(stack, waiting, 40_000)).toMatchObject({ data: { round: 1 } });
    await statusIs(stack, waiting, 'delivered');
    const attempts = (await stack.events(`takedown-${waiting.takedownId}`)).filter(({ type }) => type === 'OrderDeliveryFailed').map(({ data }) => (data as { attempt: number }).attempt);
    expect(attempts).toEqual(attempts.map((_, index) => index + 1));
    await eventually(async () => expect((await listed()).filter((line) => !line.startsWith(waiting.takedownId))).toEqual(takedownsBefore.filter((line) => !line.startsWith(waiting.takedownId))));
    const sentAgain = stack.desk.deliveries.slice(deliveriesBefore).filter(({ data: { takedownId } }) => takedownId !== waiting.takedownId);
    expect(sentAgain.map(({ type, webhookId }) => `${type} ${webhookId}`)).toEqual([]);
    await deliveredCase(stack, { platform: 'google' });
  }, 120_000);

  it('as PostgreSQL that lost the kept secrets of a platform lets what must be signed wait, blames nobody for it, and all goes out with the backup', async () => {
    const { body: { secrets } } = await stack.as('operator').post('/v1/platforms/line/endpoint/rotation', {});
    stack.desk.knows({ ...stack.credentials.webhookSecrets, line: secrets });
    const before = await deliveredCase(stack, { platform: 'line' });
    const kept = stack.pool('routing');
    await kept.query(`CREATE TABLE backup AS SELECT * FROM webhook_secret WHERE platform = 'line'`);
    await stack.kill('routing');
    await kept.query(`DELETE FROM webhook_secret WHERE platform = 'line'`);
    await stack.process('routing').startAgain();
    await stack.ready();

    const waiting = await approvedCase(stack, { platform: 'line' });
    const delivery = await eventually(async () => {
      const { body: { items } } = await stack.as('operator').get('/v1/deliveries?platform=line');
      return ((items as Json[]).find((one: Json) => one.orderId === waiting.orderId && one.lastCause === 'secret-missing') ?? false) as Json;
    });
    unstorable(await stack.as('operator').post('/v1/platforms/line/endpoint/test', {}));
    unstorable(await stack.answer('line', ...answers.actioned(before.orderId)));
    await deliveredCase(stack, { platform: 'google' });
    expect((await stack.events(`takedown-${waiting.takedownId}`)).map(({ type }) => type)).toEqual(['TakedownOpened', 'ReportJoined', 'OrderIssued']);
    expect(stack.desk.of(waiting.takedownId)).toEqual([]);

    await kept.query('INSERT INTO webhook_secret SELECT * FROM backup ON CONFLICT DO NOTHING');
    expect((await stack.as('operator').post(`/v1/deliveries/${delivery.id}/retry`, {})).status).toBe(200);
    expect(await delivered(stack, waiting)).toMatchObject({ verified: true });
    expect((await stack.answer('line', ...answers.actioned(before.orderId))).status).toBe(202);
    await statusIs(stack, before, 'actioned');
  }, 90_000);

  it('leaves a record that holds', async () => {
    const settledAt = await stack.domainTime();
    await eventually(async () => expect(await faultsInRecord(stack, { reports: [], answers: [] }, settledAt)).toEqual([]), { withinMs: 30_000 });
    expect((await stack.as('operator').get('/v1/parked')).body).toMatchObject({ items: [] });
  }, 60_000);
});

const kafka = await testCrashingKafka();
const onKafka = kafka === undefined ? describe.skip : describe;

onKafka('a Kafka that crashes', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start({ speed: 1, services, ...(kafka === undefined ? {} : { brokers: kafka.brokers }) });
  }, 180_000);
  afterAll(() => stack.stop(), 60_000);

  it('keeps nothing from being accepted, and what waited goes out when it is back', async () => {
    await deliveredCase(stack);
    let back = false;
    const crashed = kafka?.crash(4_000).then(() => (back = true));
    const ids: string[] = [];
    while (!back) {
      const submitted = await stack.as('kpu').post('/v1/reports', reportBody());
      expect(submitted.status).toBe(201);
      ids.push(submitted.body.id as string);
      expect((await stack.as('kpu').get('/health/ready')).status).toBe(200);
      await delay(500);
    }
    await crashed;
    const found = await approvedCase(stack, { platform: 'google' });
    await delivered(stack, found, 60_000);
    for (const id of ids) await eventually(async () => expect((await stack.as('auditor').get(`/v1/clocks?reportId=${id}`)).body).toMatchObject({ items: [{ kind: 'decision' }] }), { withinMs: 60_000 });
  }, 150_000);
});
