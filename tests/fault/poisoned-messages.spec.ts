import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { logBus, toEnvelope, type BusMessage } from '@sejam/bus';
import { eventually } from '@sejam/testkit';
import { deliveredCase } from '../stack/cases.js';
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

  it('holds its stream, is shown to the operator, and leaves all others alone', async () => {
    const stream = `takedown-${crypto.randomUUID()}`;
    await publish(opening(stream), poison(stream, 1), harmless(stream, 2));
    const [shown] = await eventually(async () => {
      const found = await ofStream(stream);
      return found.length >= 1 ? found : false;
    });
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
    const before = await eventually(async () => {
      const found = await ofStream(stream);
      return found.length > 0 ? found : false;
    });
    await stack.process('sla').kill();
    await stack.process('sla').startAgain();
    await stack.ready();
    await publish(harmless(stream, 2));
    await deliveredCase(stack, { platform: 'meta' });
    await eventually(async () => expect((await ofStream(stream)).map(({ cause }) => cause as string)).toContain('queued'));
    expect(heads(await ofStream(stream)).map(({ id }) => id as string).sort()).toEqual(expect.arrayContaining(before.map(({ id }) => id as string).sort()));
    for (const { id } of heads(await ofStream(stream))) expect((await stack.as('operator').post(`/v1/parked/${id}/skip`, { reason: 'Written by a test' })).status).toBe(200);
    await eventually(async () => expect(await ofStream(stream)).toEqual([]));
  }, 60_000);
});
