import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '@sejam/testkit';
import { faultsInRecord } from '../stack/account.js';
import { answers, approvedCase, delivered, deliveredCase, reportBody, statusIs, takedownOf, type ReportedCase } from '../stack/cases.js';
import type { Json } from '../stack/caller.js';
import { Stack } from '../stack/stack.js';

/** An hour in ten seconds. */
const speed = 360;

describe('passing time', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start({ speed });
  }, 180_000);
  afterAll(() => stack.stop(), 60_000);

  const typesOf = async ({ takedownId }: ReportedCase): Promise<string[]> => (await stack.events(`takedown-${takedownId}`)).map(({ type }) => type);
  const clock = async (query: string, kind: string): Promise<Json> => ((await stack.as('kominfo').get(`/v1/clocks?${query}`)).body.items as Json[]).find((one: Json) => one.kind === kind);

  it('warns an order that nobody answers, passes its deadlines, reminds its platform, and tells it each time', async () => {
    const found = await deliveredCase(stack, { platform: 'meta' });
    await eventually(async () => expect(await typesOf(found)).toEqual(expect.arrayContaining(['WarningIssued', 'EscalationDue'])), { withinMs: 30_000 });
    const events = await stack.events(`takedown-${found.takedownId}`);
    const passed = events.filter(({ type }) => type === 'DeadlinePassed').map(({ data }) => (data as { clock: string }).clock);
    expect(passed.filter((name) => name !== 'dispatch')).toEqual(['acknowledgement', 'resolution']);
    expect(events.filter(({ type }) => type === 'EscalationDue').map(({ data }) => (data as { level: number }).level)).toEqual([1, 2]);
    await eventually(() => expect(stack.desk.of(found.takedownId).map(({ type }) => type).filter((type) => type !== 'order.issued')).toEqual(['deadline.missed', 'deadline.approaching', 'deadline.missed', 'order.escalated']));
    await eventually(async () => expect(await clock(`orderId=${found.orderId}`, 'resolution')).toMatchObject({ status: 'missed' }));

    const letter = { level: 2, letterNumber: 'ST1-7', reason: 'The order was not answered' };
    expect((await stack.as('kominfo').post(`/v1/takedowns/${found.takedownId}/escalations`, letter)).status).toBeLessThan(300);
    expect((await stack.as('kominfo').post(`/v1/takedowns/${found.takedownId}/escalations/1/approval`, {})).status).toBe(403);
    expect((await stack.as('kominfoReviewer').post(`/v1/takedowns/${found.takedownId}/escalations/1/approval`, {})).status).toBeLessThan(300);
    await eventually(() => expect(stack.desk.of(found.takedownId, 'order.escalated')).toHaveLength(2));

    expect(await stack.answer('meta', ...answers.actioned(found.orderId))).toMatchObject({ status: 202, body: { effect: 'applied' } });
    await statusIs(stack, found, 'actioned');
    await eventually(async () => expect(await clock(`orderId=${found.orderId}`, 'resolution')).toMatchObject({ status: 'missed' }));
  }, 60_000);

  it('passes the deadline of a decision that nobody takes', async () => {
    const { body: { id } } = await stack.as('kpu').post('/v1/reports', reportBody());
    await eventually(async () => expect((await stack.events(`report-${id}`)).map(({ type }) => type)).toEqual(['ReportSubmitted', 'DeadlinePassed']), { withinMs: 20_000 });
    await eventually(async () => expect(await clock(`reportId=${id}`, 'decision')).toMatchObject({ status: 'missed' }));
  }, 40_000);

  it('brings an order to a platform whose endpoint fails with 500s, cut connections and silence before it works', async () => {
    const ways = [500, 'reset', 503, 'hang'] as const;
    const tried: string[] = [];
    stack.desk.take = ({ platform, type }) => (platform === 'google' && type === 'order.issued' && tried.length < ways.length ? ways[tried.push('once') - 1] ?? 204 : 204);
    const found = await approvedCase(stack, { platform: 'google' });
    await delivered(stack, found, 30_000);
    await stack.answer('google', ...answers.actioned(found.orderId));
    await statusIs(stack, found, 'actioned');
    const sent = stack.desk.of(found.takedownId, 'order.issued');
    expect(sent.map(({ taken }) => taken)).toEqual([...ways, 204]);
    expect(new Set(sent.map(({ body, webhookId }) => webhookId + body)).size).toBe(1);
    const recorded = (await stack.events(`takedown-${found.takedownId}`)).filter(({ type }) => type === 'OrderDeliveryFailed').map(({ data }) => data as { side: string; attempt: number; httpStatus?: number });
    // A connection that was kept alive and is cut may be tried again at once, as the same attempt.
    expect(recorded.map(({ side, attempt }) => [side, attempt])).toEqual(recorded.map((_, index) => ['platform', index + 1]));
    expect(recorded.flatMap(({ httpStatus }) => httpStatus ?? [])).toEqual([500, 503]);
    expect(recorded.length).toBeGreaterThanOrEqual(3);
  }, 60_000);

  it('deems an order delivered to a platform that fails for twenty minutes, and its clocks run', async () => {
    let failing = true;
    stack.desk.take = ({ platform }) => (platform === 'snackvideo' && failing ? 500 : 204);
    const healthy = await deliveredCase(stack, { platform: 'tiktok' });
    const found = await approvedCase(stack, { platform: 'snackvideo' });
    await eventually(async () => expect(await typesOf(found)).toContain('OrderDeemedDelivered'), { withinMs: 30_000 });
    const events = await stack.events(`takedown-${found.takedownId}`);
    const at = (type: string): number => Date.parse(events.find((event) => event.type === type)?.metadata.at ?? '');
    expect(at('OrderDeemedDelivered') - at('OrderIssued')).toBeGreaterThanOrEqual(15 * 60_000);
    expect(events.filter(({ type }) => type === 'OrderDeliveryFailed').length).toBeGreaterThanOrEqual(3);
    await eventually(async () => expect(await clock(`orderId=${found.orderId}`, 'acknowledgement')).toMatchObject({ startedAt: new Date(at('OrderDeemedDelivered')).toISOString() }));
    failing = false;
    await delivered(stack, found, 30_000);
    await eventually(async () => expect(await typesOf(found)).toContain('OrderDelivered'));
    await stack.answer('snackvideo', ...answers.acknowledged(found.orderId));
    await stack.answer('tiktok', ...answers.actioned(healthy.orderId));
    expect((await takedownOf(stack.as('kominfo'), found.takedownId)).orders[0]).toMatchObject({ deemed: true, delivered: true });
  }, 90_000);

  it('counts from the feed for a platform without an endpoint, which answers by its key', async () => {
    expect((await stack.as('line').delete('/v1/platforms/line/endpoint')).status).toBeLessThan(300);
    const found = await approvedCase(stack, { platform: 'line' });
    await statusIs(stack, found, 'delivered');
    const { body } = await stack.as('line').get('/v1/platforms/line/messages?limit=200');
    const messages = body.items as { webhookId: string; body: Json }[];
    expect(JSON.stringify(messages)).toContain(found.orderId);
    expect(stack.desk.of(found.takedownId)).toEqual([]);
    const answered = await stack.as('line').post(`/v1/platforms/line/orders/${found.orderId}/answers`, { answerId: 'line-1', type: 'order.refused', data: { reason: 'not_found', explanation: 'It is gone' } });
    expect(answered).toMatchObject({ status: 202, body: { effect: 'applied' } });
    await statusIs(stack, found, 'refused');
    await eventually(async () => expect(await clock(`orderId=${found.orderId}`, 'dispatch')).toMatchObject({ status: 'met' }));
  }, 40_000);

  it('leaves a record that holds: every verdict is what its events say', async () => {
    const settledAt = await stack.domainTime();
    await eventually(async () => expect(await faultsInRecord(stack, { reports: [], answers: [] }, settledAt)).toEqual([]), { withinMs: 30_000 });
  }, 40_000);
});
