import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually, testKafka } from '@sejam/testkit';
import { answers, approval, approvedCase, delivered, deliveredCase, newContent, reportBody, statusIs, takedownOf, type ReportedCase } from '../stack/cases.js';
import { recomputedClocks } from '../stack/recomputed-clocks.js';
import { Stack } from '../stack/stack.js';

type Clock = { kind: string; status: string; startedAt: string; dueAt: string };

const kafka = await testKafka();
const buses = [['the log bus', undefined], ...(kafka === undefined ? [] : [['Kafka', kafka.brokers] as const])] as const;

describe.each(buses)('the life of a report, over %s', (_, brokers) => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start({ speed: 1, ...(brokers === undefined ? {} : { brokers }) });
  }, 180_000);
  afterAll(async () => {
    expect(stack.desk.deliveries.filter(({ verified }) => !verified)).toEqual([]);
    await stack.stop();
  }, 60_000);

  const clocksOf = async (query: string): Promise<Record<string, Clock>> => {
    const { body } = await stack.as('kominfo').get(`/v1/clocks?${query}`);
    return Object.fromEntries((body.items as Clock[]).map((clock) => [clock.kind, clock]));
  };
  const clockStates = async ({ orderId }: Pick<ReportedCase, 'orderId'>): Promise<Record<string, string>> =>
    Object.fromEntries(Object.entries(await clocksOf(`orderId=${orderId}`)).map(([kind, { status }]) => [kind, status]));
  const types = async (takedownId: string): Promise<string[]> => (await stack.events(`takedown-${takedownId}`)).map(({ type }) => type);

  it('leads from an agency over HTTP to the platform, and with its answer back onto the record', async () => {
    const url = newContent('tiktok');
    const submitted = await stack.as('bawaslu').post('/v1/reports', reportBody({ urls: [`${url}?_r=1&utm_source=x`] }));
    expect(submitted).toMatchObject({ status: 201, body: { status: 'submitted', reportedBy: 'bawaslu', contents: [{ canonicalUrl: url, platform: 'tiktok', product: 'tiktok', decision: 'pending' }] } });
    const { id, contents: [{ takedownId, contentKey }] } = submitted.body as { id: string; contents: [{ takedownId: string; contentKey: string }] };

    const approved = await stack.as('bawasluReviewer').post(`/v1/reports/${id}/approval`, approval);
    expect(approved).toMatchObject({ status: 200, body: { status: 'approved' } });
    const order = await delivered(stack, { orderId: `${takedownId}.1` });
    expect(order).toMatchObject({
      platform: 'tiktok', verified: true,
      data: { takedownId, round: 1, content: { contentKey, canonicalUrl: url }, requestedAction: 'removed', decidedBy: 'bawaslu', issuedBy: 'kominfo', terms: { acknowledgeWithinMinutes: 10, resolveWithinMinutes: 60 } },
    });

    const answered = await stack.answer('tiktok', ...answers.actioned(order.orderId));
    expect(answered).toMatchObject({ status: 202, body: { effect: 'applied' } });
    const takedown = await statusIs(stack, { takedownId }, 'actioned');
    expect(takedown).toMatchObject({ platform: 'tiktok', verification: 'claimed', answers: [{ type: 'ContentActioned', eventId: answered.body.eventId, by: { organisation: 'tiktok' } }] });

    const recorded = await stack.events(`takedown-${takedownId}`);
    expect(recorded.map(({ type }) => type)).toEqual(['TakedownOpened', 'ReportJoined', 'OrderIssued', 'OrderDelivered', 'ContentActioned']);
    expect(recorded[4]?.metadata.signed?.body).toContain(order.orderId);
    await eventually(async () => expect(await clockStates(order)).toEqual({ dispatch: 'met', acknowledgement: 'met', resolution: 'met' }));
    expect((await clocksOf(`reportId=${id}`))['decision']).toMatchObject({ status: 'met' });
  }, 60_000);

  it('fans one report out over all platforms, and over those contents alone that were approved', async () => {
    const platforms = ['tiktok', 'google', 'meta', 'telegram', 'snackvideo', 'line'];
    const submitted = await stack.as('kpu').post('/v1/reports', reportBody({ urls: [...platforms.map((platform) => newContent(platform)), newContent('tiktok'), 'https://blog.example/post'] }));
    expect(submitted.status).toBe(201);
    const contents = submitted.body.contents as { contentKey?: string; takedownId?: string; platform?: string; refused?: { code: string } }[];
    expect(contents.map(({ platform, refused }) => platform ?? refused?.code)).toEqual([...platforms, 'tiktok', expect.any(String)]);
    const declined = contents[6] as { contentKey: string; takedownId: string };
    const approvedOnes = contents.slice(0, 6) as { contentKey: string; takedownId: string; platform: string }[];

    const first = await stack.as('kpuReviewer').post(`/v1/reports/${submitted.body.id}/decline`, { reason: 'This one is satire', contents: [declined.contentKey] });
    expect(first.body).toMatchObject({ status: 'submitted' });
    const second = await stack.as('kpuReviewer').post(`/v1/reports/${submitted.body.id}/approval`, { ...approval, contents: approvedOnes.map(({ contentKey }) => contentKey) });
    expect(second.body).toMatchObject({ status: 'approved' });
    for (const { takedownId, platform } of approvedOnes) expect(await delivered(stack, { orderId: `${takedownId}.1` })).toMatchObject({ platform, data: { decidedBy: 'kpu', issuedBy: 'kominfo' } });
    expect(await stack.events(`takedown-${declined.takedownId}`)).toEqual([]);
  }, 60_000);

  it('asks for four eyes, for another agency where one is reported on, and for one decision', async () => {
    const { body: { id } } = await stack.as('bawasluReviewer').post('/v1/reports', reportBody()).then(async (refused) => {
      expect(refused).toMatchObject({ status: 403 });
      return stack.as('bawaslu').post('/v1/reports', reportBody());
    });
    expect(await stack.as('bawaslu').post(`/v1/reports/${id}/approval`, approval)).toMatchObject({ status: 403, body: { code: 'report.four-eyes' } });
    expect(await stack.as('partner').post(`/v1/reports/${id}/approval`, approval)).toMatchObject({ status: 403 });
    expect(await stack.as('bawasluReviewer').post(`/v1/reports/${id}/decline`, { reason: 'Not false' })).toMatchObject({ status: 200, body: { status: 'declined' } });
    expect(await stack.as('bawasluReviewer').post(`/v1/reports/${id}/decline`, { reason: 'Not false' })).toMatchObject({ status: 200 });
    expect(await stack.as('kpuReviewer').post(`/v1/reports/${id}/approval`, approval)).toMatchObject({ status: 409, body: { code: 'report.already-decided' } });

    const own = await stack.as('bawaslu').post('/v1/reports', reportBody({ category: 'hoax.organiser', target: 'organiser:bawaslu' }));
    expect(await stack.as('bawasluReviewer').post(`/v1/reports/${own.body.id}/approval`, approval)).toMatchObject({ status: 403, body: { code: 'report.self-interest' } });
    expect(await stack.as('kpuReviewer').post(`/v1/reports/${own.body.id}/approval`, approval)).toMatchObject({ status: 200, body: { status: 'approved' } });
  }, 30_000);

  it('takes the same reference once, and another report under it not at all', async () => {
    const body = reportBody({ reporter: { name: 'Siti', contact: '+62 812 0000' } });
    const [first, ...repeats] = await Promise.all([stack.as('kpu').post('/v1/reports', body), ...Array.from({ length: 5 }, () => stack.as('kpu').post('/v1/reports', body))]);
    expect([first, ...repeats].map(({ status }) => status).sort()).toEqual([200, 200, 200, 200, 200, 201]);
    expect(new Set([first, ...repeats].map(({ body: { id, eventId } }) => `${id} ${eventId}`)).size).toBe(1);
    expect(await stack.as('kpu').post('/v1/reports', { ...body, reporter: { name: 'Another' } })).toMatchObject({ status: 200 });
    expect(await stack.as('kpu').post('/v1/reports', { ...body, summary: 'Something else' })).toMatchObject({ status: 409, body: { code: 'report.reference-conflict' } });
    expect(await stack.as('kominfo').post('/v1/reports', body)).toMatchObject({ status: 201 });
    const stored = JSON.stringify(await stack.events(`report-${first.body.id}`));
    expect(stored).not.toContain('Siti');
  }, 30_000);

  it('lets a second report of the same content join, without a second order', async () => {
    const url = newContent('google');
    const first = await deliveredCase(stack, { platform: 'google', url });
    const second = await approvedCase(stack, { url: `${url}&feature=shared`, reporter: 'kpu', reviewer: 'kpuReviewer' });
    expect(second.takedownId).toBe(first.takedownId);
    await eventually(async () => expect(((await takedownOf(stack.as('kominfo'), first.takedownId)).reports as unknown[]).length).toBe(2));
    expect((await types(first.takedownId)).filter((type) => type === 'OrderIssued')).toHaveLength(1);
    expect(stack.desk.of(first.takedownId)).toHaveLength(1);
    const partner = await stack.as('partner').get(`/v1/takedowns/${first.takedownId}`);
    expect(partner.status).toBe(404);
  }, 30_000);

  it('hears every answer of the contract', async () => {
    const acknowledged = await deliveredCase(stack, { platform: 'meta' });
    expect(await stack.answer('meta', ...answers.acknowledged(acknowledged.orderId))).toMatchObject({ status: 202, body: { effect: 'applied' } });
    await statusIs(stack, acknowledged, 'acknowledged');
    expect(await stack.answer('meta', ...answers.refused(acknowledged.orderId))).toMatchObject({ status: 202, body: { effect: 'applied' } });
    await statusIs(stack, acknowledged, 'refused');
    const otherwise = await deliveredCase(stack, { platform: 'meta' });
    await stack.answer('meta', ...answers.actioned(otherwise.orderId, { action: 'demoted' }));
    const { timeline } = await statusIs(stack, otherwise, 'actioned');
    expect(timeline.at(-1)).toMatchObject({ type: 'ContentActioned', data: { action: 'demoted', asRequested: false } });
    await stack.answer('meta', ...answers.reinstated(otherwise.orderId));
    await statusIs(stack, otherwise, 'reinstated');
    await eventually(async () => expect(await clockStates(acknowledged)).toMatchObject({ acknowledgement: 'met', resolution: 'met' }));
  }, 30_000);

  it('ends the same whatever the order and number of the answers', async () => {
    const found = await approvedCase(stack, { platform: 'snackvideo' });
    await delivered(stack, found);
    const [type, data] = answers.actioned(found.orderId);
    const first = await stack.answer('snackvideo', type, data, { webhookId: `once-${found.orderId.replaceAll('.', '-')}` });
    const again = await stack.answer('snackvideo', type, data, { webhookId: `once-${found.orderId.replaceAll('.', '-')}` });
    expect([first.status, again.status, again.body]).toEqual([202, 202, first.body]);
    expect(await stack.answer('snackvideo', type, { ...data, action: 'labelled' }, { webhookId: `once-${found.orderId.replaceAll('.', '-')}` })).toMatchObject({ status: 409, body: { code: 'webhook.id-reused' } });
    expect(await stack.answer('snackvideo', ...answers.acknowledged(found.orderId))).toMatchObject({ status: 202, body: { effect: 'recorded' } });
    expect(await stack.answer('snackvideo', ...answers.actioned(found.orderId))).toMatchObject({ status: 202, body: { effect: 'recorded' } });
    expect(await stack.answer('snackvideo', ...answers.refused(found.orderId))).toMatchObject({ status: 202, body: { effect: 'recorded' } });
    await statusIs(stack, found, 'actioned');
    expect((await types(found.takedownId)).filter((one) => one === 'ContentActioned')).toHaveLength(2);
    expect((await types(found.takedownId)).filter((one) => one === 'OrderDelivered')).toHaveLength(1);
  }, 30_000);

  it('moves the due time by as long as a question waits', async () => {
    const found = await deliveredCase(stack, { platform: 'telegram' });
    const before = await eventually(async () => (await clocksOf(`orderId=${found.orderId}`))['resolution'] ?? false);
    await stack.answer('telegram', ...answers.clarification(found.orderId));
    const asked = await eventually(async () => {
      const clock = (await clocksOf(`orderId=${found.orderId}`))['resolution'] as Clock;
      return clock.dueAt === before.dueAt ? false : clock;
    });
    expect(Date.parse(asked.dueAt) - Date.parse(before.dueAt)).toBe(30 * 60_000);
    expect((await stack.as('kominfo').post(`/v1/takedowns/${found.takedownId}/clarification`, { answer: 'The passage at 0:12' })).status).toBeLessThan(300);
    expect(await eventually(() => stack.desk.of(found.takedownId, 'clarification.provided')[0] ?? false)).toMatchObject({ verified: true, data: { answer: 'The passage at 0:12' } });
    await eventually(async () => {
      const [resolution] = recomputedClocks(await stack.events(`takedown-${found.takedownId}`)).filter(({ clock }) => clock === 'resolution');
      const { dueAt } = (await clocksOf(`orderId=${found.orderId}`))['resolution'] as Clock;
      expect(dueAt).toBe(resolution?.due.toISOString());
      expect(Date.parse(dueAt)).toBeLessThan(Date.parse(asked.dueAt));
    });
    await statusIs(stack, found, 'acknowledged');
  }, 30_000);

  it('withdraws the order when an objection is upheld, and lets the clock run again when it is dismissed', async () => {
    const [upheld, dismissed] = [await deliveredCase(stack, { platform: 'tiktok' }), await deliveredCase(stack, { platform: 'tiktok' })];
    for (const { orderId } of [upheld, dismissed]) expect(await stack.answer('tiktok', ...answers.objected(orderId))).toMatchObject({ status: 202, body: { effect: 'applied' } });
    const ruling = (takedownId: string, key: string, how: string) => stack.as(key).post(`/v1/takedowns/${takedownId}/objection-ruling`, { ruling: how, reason: 'Read again by another officer' });
    expect(await ruling(upheld.takedownId, 'bawasluReviewer', 'upheld')).toMatchObject({ status: 403 });
    expect((await ruling(upheld.takedownId, 'kpuReviewer', 'upheld')).status).toBeLessThan(300);
    expect((await ruling(dismissed.takedownId, 'kpuReviewer', 'dismissed')).status).toBeLessThan(300);

    expect(await statusIs(stack, upheld, 'withdrawn')).toMatchObject({ objection: 'upheld' });
    expect(await eventually(() => stack.desk.of(upheld.takedownId, 'order.withdrawn')[0] ?? false)).toMatchObject({ verified: true, orderId: upheld.orderId });
    expect(await eventually(() => stack.desk.of(dismissed.takedownId, 'objection.ruled')[0] ?? false)).toMatchObject({ data: { ruling: 'dismissed' } });
    await eventually(async () => {
      const { body } = await stack.as('kominfo').get(`/v1/clocks?orderId=${dismissed.orderId}`);
      expect((body.items as (Clock & { run: number })[]).filter(({ kind }) => kind === 'resolution').map(({ run, status }) => [run, status]).sort()).toEqual([[1, 'met'], [2, 'running']]);
    });
  }, 30_000);

  it('withdraws the order with the last report, and opens a new round when the content is reported again', async () => {
    const url = newContent('line');
    const found = await deliveredCase(stack, { platform: 'line', url });
    expect(await stack.as('bawaslu').post(`/v1/reports/${found.reportId}/withdrawal`, { reason: 'Reported by mistake' })).toMatchObject({ status: 200, body: { status: 'withdrawn' } });
    await statusIs(stack, found, 'withdrawn');
    expect(await eventually(() => stack.desk.of(found.takedownId, 'order.withdrawn')[0] ?? false)).toMatchObject({ orderId: found.orderId });
    await eventually(async () => expect(await clockStates(found)).toMatchObject({ acknowledgement: 'stopped', resolution: 'stopped' }));
    const again = await approvedCase(stack, { platform: 'line', url, reporter: 'kpu', reviewer: 'kpuReviewer', round: 2 });
    expect(again.takedownId).toBe(found.takedownId);
    expect(await delivered(stack, again)).toMatchObject({ data: { round: 2 } });
    const sequences = stack.desk.of(found.takedownId).map(({ data }) => data.sequence);
    expect(sequences).toEqual([...sequences].sort((a, b) => a - b));
  }, 30_000);

  it('shows a platform its own orders alone, and nobody who reported them', async () => {
    const found = await deliveredCase(stack, { platform: 'google' });
    expect(await stack.as('tiktok').get(`/v1/platforms/google/orders/${found.orderId}`)).toMatchObject({ status: 404 });
    expect(await stack.answer('tiktok', ...answers.acknowledged(found.orderId))).toMatchObject({ status: 404, body: { code: 'order.unknown' } });
    const own = await stack.as('google').get(`/v1/platforms/google/orders/${found.orderId}`);
    expect(own.status).toBe(200);
    expect(JSON.stringify([own.body, stack.desk.of(found.takedownId)])).not.toMatch(/bawaslu-|holder|reporter/i);
  }, 30_000);

  it('stands on the board while it is open, and in statistics, outcomes and the feed of events as it went', async () => {
    const open = await deliveredCase(stack, { platform: 'meta' });
    const [reports, takedowns] = [await stack.streams('report-'), await stack.streams('takedown-')];
    const orders = [...takedowns.values()].flat().filter(({ type }) => type === 'OrderIssued').length;
    const endings = await Promise.all([...takedowns.keys()].map(async (stream) => (await takedownOf(stack.as('auditor'), stream.slice('takedown-'.length))).status as string));
    await eventually(async () => {
      const { body: volume } = await stack.as('auditor').get('/v1/statistics/volume');
      expect(volume.total ?? volume).toMatchObject({ reports: reports.size, orders });
      const { body: compliance } = await stack.as('auditor').get('/v1/statistics/compliance?groupBy=platform');
      expect(compliance).toMatchObject({ issued: orders, undelivered: 0, refused: endings.filter((status) => status === 'refused').length });
      expect((compliance.groups as { issued: number }[]).reduce((sum, { issued }) => sum + issued, 0)).toBe(orders);
      const { body: board } = await stack.as('kominfo').get('/v1/board?limit=200');
      expect((board.items as { orderId: string }[]).map(({ orderId }) => orderId)).toContain(open.orderId);
      expect(board.items as unknown[]).toHaveLength(endings.filter((status) => ['awaiting_delivery', 'delivered', 'acknowledged', 'clarification_requested'].includes(status)).length);
    });
    const { body: outcome } = await stack.as('bawaslu').get(`/v1/reports/${open.reportId}/outcome`);
    expect(JSON.stringify(outcome)).toContain(open.takedownId);

    const { body: { text } } = await stack.as('consumer').get('/v1/events?topic=sejam.takedown.v1');
    const told = String(text).trim().split('\n').map((line) => JSON.parse(line) as { id: string; subject: string; sequence: string });
    const ids = [...takedowns.values()].flat().map(({ id }) => id);
    expect(ids.filter((id) => !told.some((one) => one.id === id))).toEqual([]);
    const csv = await stack.as('auditor').get('/v1/exports/takedowns.csv');
    expect(String(csv.body.text).trim().split('\n').length).toBeGreaterThan(takedowns.size);
  }, 60_000);
});
