import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually, testKafka } from '@sejam/testkit';
import { faultsInRecord } from '../stack/account.js';
import { Caller, type Json } from '../stack/caller.js';
import { approval, newContent, reportBody, takedownOf } from '../stack/cases.js';
import { recomputedClocks } from '../stack/recomputed-clocks.js';
import { Stack } from '../stack/stack.js';

/** An hour in ten seconds. */
const speed = 360;
const kafka = await testKafka();
const buses = [['the log bus', undefined], ...(kafka === undefined ? [] : [['Kafka', kafka.brokers] as const])] as const;

/** What the sandbox is told to do with one content each, and on which platform. */
const plan = {
  fast: 'tiktok', late: 'tiktok', never: 'tiktok', out_of_order: 'tiktok', duplicated: 'tiktok', hasty: 'google',
  refused: 'google', otherwise: 'google', reinstated: 'meta', clarification: 'meta', objection: 'telegram', contested: 'telegram',
  bad_signature: 'telegram', failing: 'snackvideo', acknowledged_only: 'line',
} as const;
type Behaviour = keyof typeof plan;
const behaviours = Object.keys(plan) as Behaviour[];

describe.each(buses)('platforms that the sandbox plays, over %s', (_, brokers) => {
  let stack: Stack;
  let sandbox: Caller;
  let reportId: string;
  const takedowns = new Map<Behaviour, string>();
  const of = (behaviour: Behaviour): string => takedowns.get(behaviour) as string;
  const types = async (behaviour: Behaviour): Promise<string[]> => (await stack.events(`takedown-${of(behaviour)}`)).map(({ type }) => type);
  const count = async (behaviour: Behaviour, type: string): Promise<number> => (await types(behaviour)).filter((one) => one === type).length;
  const becomes = (behaviour: Behaviour, status: string): Promise<Json> => eventually(async () => {
    const takedown = await takedownOf(stack.as('auditor'), of(behaviour));
    if (takedown['status'] !== status) throw new Error(`What is ${behaviour} is ${takedown['status']}, not ${status}`);
    return takedown;
  }, { withinMs: 60_000 });
  const resolution = async (behaviour: Behaviour) => recomputedClocks(await stack.events(`takedown-${of(behaviour)}`)).find(({ clock }) => clock === 'resolution')?.verdict.outcome;

  beforeAll(async () => {
    stack = await Stack.start({ speed, sandbox: true, ...(brokers === undefined ? {} : { brokers }) });
    sandbox = new Caller(stack.sandboxUrl);
    expect((await stack.as('operator').delete('/v1/platforms/line/endpoint')).status).toBe(200);

    const submitted = await stack.as('bawaslu').post('/v1/reports', reportBody({ urls: behaviours.map((behaviour) => newContent(plan[behaviour])) }));
    const contents = submitted.body.contents as { contentKey: string; takedownId: string }[];
    const script: Record<string, { via?: string; overrides: object[] }> = { line: { via: 'feed', overrides: [] } };
    for (const [index, behaviour] of behaviours.entries()) {
      takedowns.set(behaviour, contents[index]?.takedownId as string);
      (script[plan[behaviour]] ??= { overrides: [] }).overrides.push({ contentKey: contents[index]?.contentKey, behaviour });
    }
    expect((await sandbox.put('/script', { seed: 60, platforms: script })).status).toBe(200);
    reportId = submitted.body.id as string;
    expect((await stack.as('bawasluReviewer').post(`/v1/reports/${reportId}/approval`, approval)).status).toBe(200);
  }, 180_000);
  afterAll(() => stack.stop(), 60_000);

  it('act, refuse and act otherwise, and their answers stand in the record with their proof', async () => {
    await becomes('fast', 'actioned');
    const events = await stack.events(`takedown-${of('fast')}`);
    const { items: [answer] } = (await sandbox.get(`/answers?orderId=${of('fast')}.1&state=accepted`)).body;
    const recorded = events.find(({ metadata }) => metadata.causationId === `webhook:tiktok:${answer.answerId}`);
    expect(JSON.parse(recorded?.metadata.signed?.body ?? '{}')).toEqual(answer.body);
    expect(await becomes('refused', 'refused')).toMatchObject({ answers: expect.arrayContaining([expect.objectContaining({ type: 'OrderRefused' })]) });
    const { timeline } = await becomes('otherwise', 'actioned');
    expect((timeline as Json[]).find(({ type }) => type === 'ContentActioned')).toMatchObject({ data: { action: 'demoted', asRequested: false } });
  }, 90_000);

  it('ask and are told', async () => {
    await becomes('clarification', 'clarification_requested');
    expect((await stack.as('kominfo').post(`/v1/takedowns/${of('clarification')}/clarification`, { answer: 'The passage at 0:12' })).status).toBeLessThan(300);
    await becomes('clarification', 'actioned');
  }, 90_000);

  it('object, and do as the ruling says', async () => {
    for (const [behaviour, ruling] of [['objection', 'dismissed'], ['contested', 'upheld']] as const) {
      await eventually(async () => expect(await types(behaviour)).toContain('ObjectionRaised'), { withinMs: 60_000 });
      expect((await stack.as('kpuReviewer').post(`/v1/takedowns/${of(behaviour)}/objection-ruling`, { ruling, reason: 'Read again by another officer' })).status).toBeLessThan(300);
    }
    await becomes('objection', 'actioned');
    await becomes('contested', 'reinstated');
    expect(await types('contested')).toEqual(expect.arrayContaining(['ContentActioned', 'ObjectionUpheld', 'OrderWithdrawn', 'ContentReinstated']));
  }, 90_000);

  it('answer in the wrong order, several times, before their 2xx and with bad signatures, and end as they should', async () => {
    for (const behaviour of ['out_of_order', 'duplicated', 'hasty', 'bad_signature'] as const) await becomes(behaviour, 'actioned');
    await eventually(async () => expect(await count('duplicated', 'ContentActioned')).toBe(2), { withinMs: 30_000 });
    expect(await count('duplicated', 'OrderAcknowledged')).toBe(1);
    await eventually(async () => expect(await types('out_of_order')).toContain('OrderAcknowledged'));
    expect(await types('hasty')).toEqual(expect.arrayContaining(['OrderDelivered', 'OrderAcknowledged']));
    const { items } = (await sandbox.get(`/answers?orderId=${of('bad_signature')}.1&state=refused`)).body;
    expect((items as Json[]).length).toBe(2);
    expect(await count('bad_signature', 'OrderAcknowledged')).toBeLessThanOrEqual(1);
  }, 90_000);

  it('fail before they work, or have no endpoint at all', async () => {
    await becomes('failing', 'actioned');
    expect(await count('failing', 'OrderDeliveryFailed')).toBeGreaterThanOrEqual(3);
    await becomes('acknowledged_only', 'acknowledged');
    expect((await stack.events(`takedown-${of('acknowledged_only')}`)).find(({ type }) => type === 'OrderDelivered')).toMatchObject({ data: { via: 'feed' } });
  }, 90_000);

  it('are late or never answer, which is missed, and bring content back', async () => {
    await becomes('late', 'actioned');
    await becomes('reinstated', 'reinstated');
    await eventually(async () => expect(await types('never')).toEqual(expect.arrayContaining(['DeadlinePassed', 'EscalationDue'])), { withinMs: 30_000 });
    for (const behaviour of ['late', 'never'] as const) expect(await resolution(behaviour)).toBe('missed');
  }, 90_000);

  it('leave the board to what they did not answer, and the report with the outcome of each', async () => {
    await eventually(async () => {
      const { body: board } = await stack.as('kominfo').get('/v1/board');
      expect((board.items as Json[]).map(({ orderId, status, missed }) => [orderId, status, missed]).sort()).toEqual([[`${of('never')}.1`, 'delivered', true], [`${of('acknowledged_only')}.1`, 'acknowledged', true]].sort());
      const { body: outcome } = await stack.as('bawaslu').get(`/v1/reports/${reportId}/outcome`);
      const statuses = Object.fromEntries((outcome.contents as Json[]).map(({ takedownId, status }) => [behaviours.find((one) => of(one) === takedownId), status]));
      expect(statuses).toEqual({
        fast: 'actioned', late: 'actioned', never: 'delivered', out_of_order: 'actioned', duplicated: 'actioned', hasty: 'actioned', refused: 'refused', otherwise: 'actioned',
        reinstated: 'reinstated', clarification: 'actioned', objection: 'actioned', contested: 'reinstated', bad_signature: 'actioned', failing: 'actioned', acknowledged_only: 'acknowledged',
      });
      const { body: compliance } = await stack.as('auditor').get('/v1/statistics/compliance?groupBy=platform');
      expect(compliance).toMatchObject({ issued: behaviours.length, undelivered: 0, refused: 1, reinstated: 2 });
    }, { withinMs: 60_000 });
    const settledAt = await stack.domainTime();
    await eventually(async () => expect(await faultsInRecord(stack, { reports: [], answers: [] }, settledAt)).toEqual([]), { withinMs: 30_000 });
    expect((await stack.as('operator').get('/v1/parked')).body).toMatchObject({ items: [] });
  }, 120_000);
});
