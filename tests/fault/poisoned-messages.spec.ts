import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { logBus, toEnvelope, type BusMessage } from '@sejam/bus';
import type { Pool } from '@sejam/postgres';
import { eventually } from '@sejam/testkit';
import { answers, deliveredCase, type ReportedCase } from '../stack/cases.js';
import type { Json } from '../stack/caller.js';
import { Stack } from '../stack/stack.js';

const topic = 'sejam.takedown.v1';

describe('a poisoned message on a topic', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start({ speed: 1, services: ['intake', 'routing', 'sla', 'reporting'] });
  }, 180_000);
  afterAll(() => stack.stop(), 60_000);

  const parked = async (): Promise<Json[]> => (await stack.as('operator').get('/v1/parked')).body.items as Json[];
  const publish = async (...messages: readonly Pick<BusMessage, 'subject' | 'sequence' | 'type' | 'data'>[]): Promise<void> => {
    const { recordId } = stack.credentials;
    await logBus({ store: stack.store }).publish(topic, messages.map((message) => toEnvelope({ id: crypto.randomUUID(), source: `sejam://${recordId}/routing`, time: new Date().toISOString(), ...message })));
  };
  const ofStream = async (subject: string): Promise<Json[]> => (await parked()).filter((one) => JSON.stringify(one).includes(subject));
  const poison = (subject: string, sequence: number) => ({ subject, sequence, type: `${topic}.OrderIssued`, data: { orderId: { nested: ['wrong'] }, terms: 'none' } });
  const told = (subject: string) => ({ takedown: { id: subject.slice('takedown-'.length), platform: 'tiktok', product: 'tiktok', contentKey: 'tiktok:video:1', category: 'scam_exploiting_election', status: 'awaiting_delivery', round: 0 } });
  const opening = (subject: string) => {
    const { takedown } = told(subject);
    const url = 'https://www.tiktok.com/@x/video/1';
    return { subject, sequence: 0, type: `${topic}.TakedownOpened`, data: { takedown, takedownId: takedown.id, contentKey: takedown.contentKey, platform: 'tiktok', product: 'tiktok', submittedUrl: url, canonicalUrl: url, category: takedown.category, provisional: false } };
  };
  /** Of a later version of routing. */
  const harmless = (subject: string, sequence: number) => ({ subject, sequence, type: `${topic}.SomethingNewer`, data: told(subject) });
  const heads = (items: readonly Json[]): Json[] => items.filter((one: Json) => one.cause !== 'queued');
  /** All that consume the topic have parked something of the stream: what one of them has not come to yet cannot be skipped. */
  const parkedByAll = (stream: string, cause?: string): Promise<Json[]> => eventually(async () => {
    const found = await ofStream(stream);
    const by = (consumer: string): boolean => found.some((one) => one.consumer === consumer && (cause === undefined || one.cause === cause));
    return by('sla') && by('reporting') ? found : false;
  }, { withinMs: 30_000 });

  it('holds its stream, is shown to the operator, and leaves all others alone', async () => {
    const stream = `takedown-${crypto.randomUUID()}`;
    await publish(opening(stream), poison(stream, 1), harmless(stream, 2));
    const [shown] = await parkedByAll(stream);
    expect(shown.id).toMatch(/^(sla|reporting):/);
    await deliveredCase(stack);

    expect(await stack.as('operator').post(`/v1/parked/${shown.id}/replay`, {})).toMatchObject({ status: 200, body: { outcome: 'waits' } });
    expect((await stack.as('operator').post(`/v1/parked/${shown.id}/skip`, {})).status).toBe(422);
    expect((await stack.as('bawaslu').post(`/v1/parked/${shown.id}/skip`, { reason: 'Not mine' })).status).toBe(403);
    for (const { id } of heads(await ofStream(stream))) expect((await stack.as('operator').post(`/v1/parked/${id}/skip`, { reason: 'Written by a test' })).status).toBe(200);
    await eventually(async () => expect(await ofStream(stream)).toEqual([]));
    await publish(harmless(stream, 3));
    await deliveredCase(stack, { platform: 'google' });
    expect(await ofStream(stream)).toEqual([]);
  }, 60_000);

  it('that is only early is repaired by its predecessor', async () => {
    const stream = `takedown-${crypto.randomUUID()}`;
    await publish(opening(stream), harmless(stream, 2));
    await eventually(async () => expect((await ofStream(stream)).length).toBeGreaterThan(0));
    await publish(harmless(stream, 1));
    await eventually(async () => expect(await ofStream(stream)).toEqual([]));
  }, 40_000);

  it('outlives a restart of the service that holds it, in the same order', async () => {
    const stream = `takedown-${crypto.randomUUID()}`;
    await publish(opening(stream), poison(stream, 1));
    const before = await parkedByAll(stream);
    await stack.process('sla').kill();
    await stack.process('sla').startAgain();
    await stack.ready();
    await publish(harmless(stream, 2));
    await deliveredCase(stack, { platform: 'meta' });
    await parkedByAll(stream, 'queued');
    expect(heads(await ofStream(stream)).map(({ id }) => id as string).sort()).toEqual(expect.arrayContaining(before.map(({ id }) => id as string).sort()));
    for (const { id } of heads(await ofStream(stream))) expect((await stack.as('operator').post(`/v1/parked/${id}/skip`, { reason: 'Written by a test' })).status).toBe(200);
    await eventually(async () => expect(await ofStream(stream)).toEqual([]));
  }, 60_000);

  describe('that the code did not understand', () => {
    /** The code of reporting that fails on one takedown: what a handler with a fault, or one older than the message, does. */
    const stumbles = async (takedownId: string): Promise<void> => {
      await reporting().query(`CREATE FUNCTION stumble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'This takedown is beyond me'; END $$`);
      await reporting().query(`CREATE TRIGGER stumbles BEFORE INSERT OR UPDATE ON takedown FOR EACH ROW WHEN (NEW.id = '${takedownId}') EXECUTE FUNCTION stumble()`);
    };
    const understands = () => reporting().query('DROP FUNCTION stumble() CASCADE');
    const reporting = (): Pool => (pool ??= stack.pool('reporting'));
    let pool: Pool | undefined;

    /** A case that reporting has told half of when its code begins to stumble over it. */
    const halfTold = async (platform: string) => {
      const held = await deliveredCase(stack, { platform });
      await eventually(async () => expect((await stack.as('bawaslu').get(`/v1/reports/${held.reportId}/outcome`)).body).toMatchObject({ contents: [{ status: 'delivered' }] }));
      await stumbles(held.takedownId);
      for (const [type, data] of [answers.acknowledged(held.orderId), answers.objected(held.orderId), answers.actioned(held.orderId)]) expect((await stack.answer(platform, type, data)).status).toBe(202);
      await eventually(async () => expect((await ofStream(`takedown-${held.takedownId}`)).map(({ cause, sequence }) => [cause as string, sequence as number])).toEqual([['not-understood', 4], ['queued', 5], ['queued', 6]]));

      const other = await deliveredCase(stack, { platform });
      expect((await stack.answer(platform, ...answers.refused(other.orderId))).status).toBe(202);
      await outcomeIs(other, 'refused');
      await outcomeIs(held, 'delivered');
      return held;
    };
    const outcomeIs = ({ reportId }: ReportedCase, status: string) => eventually(async () => expect((await stack.as('bawaslu').get(`/v1/reports/${reportId}/outcome`)).body).toMatchObject({ contents: [{ status }] }), { withinMs: 30_000 });

    it('is made up for by an operator\'s replay, with all that waited behind it, in order', async () => {
      const held = await halfTold('telegram');
      const [head] = heads(await ofStream(`takedown-${held.takedownId}`));
      expect(await stack.as('operator').post(`/v1/parked/${head.id}/replay`, {})).toMatchObject({ status: 200, body: { outcome: 'waits', parked: { cause: 'not-understood', attempts: 2 } } });
      await understands();
      expect(await stack.as('operator').post(`/v1/parked/${head.id}/replay`, {})).toMatchObject({ status: 200, body: { id: head.id, outcome: 'handled' } });
      await eventually(async () => expect(await parked()).toEqual([]));
      await outcomeIs(held, 'actioned');
      expect(await stack.as('operator').post(`/v1/parked/${head.id}/replay`, {})).toMatchObject({ status: 404, body: { code: 'parked.not-found' } });
    }, 90_000);

    it('is made up for by itself when the service starts with code that does', async () => {
      const held = await halfTold('snackvideo');
      await stack.process('reporting').kill();
      await understands();
      expect((await stack.answer('snackvideo', ...answers.reinstated(held.orderId))).status).toBe(202);
      await stack.process('reporting').startAgain();
      await stack.ready();
      await outcomeIs(held, 'reinstated');
      await eventually(async () => expect(await parked()).toEqual([]));
    }, 90_000);
  });
});
