import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Message } from '../order/order.js';
import { behaviours, planAnswers, type Behaviour, type PlannedAnswer } from './behaviour.js';
import { randomNamed } from './random.js';

const issued: Message = {
  type: 'order.issued',
  timestamp: '2024-11-27T05:00:00.000Z',
  data: {
    orderId: 't1.1', sequence: 3, content: { contentKey: 'tiktok:video:7' }, requestedAction: 'labelled', clarificationUrl: 'https://cekfakta.example/7',
    terms: { acknowledgeWithinMinutes: 10, resolveWithinMinutes: 30 },
  },
};
const notice = (type: string, data: object = {}): Message => ({ type, timestamp: '2024-11-27T05:10:00.000Z', data: { orderId: 't1.1', ...data } });
const plan = (behaviour: Behaviour, message: Message = issued, seed = 'seed', order = issued) =>
  planAnswers({ message, order, behaviour, randomFor: (step) => randomNamed(`${seed}/${step}`) });
const inTime = (answers: PlannedAnswer[]) => [...answers].sort((a, b) => a.afterSeconds - b.afterSeconds).map(({ type }) => type);
const data = (answer: PlannedAnswer | undefined) => (JSON.parse(answer!.body) as { data: Record<string, unknown> }).data;

describe('a behaviour', () => {
  const seeds = fc.string();

  it('named fast answers within the terms of the order, whatever they are', () => {
    fc.assert(fc.property(seeds, fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 240 }), (seed, acknowledgeWithinMinutes, resolveWithinMinutes) => {
      const order = { ...issued, data: { ...issued.data, terms: { acknowledgeWithinMinutes, resolveWithinMinutes } } };
      const [acknowledged, actioned] = plan(behaviours.fast, order, seed, order);
      expect(acknowledged!.afterSeconds).toBeLessThan(acknowledgeWithinMinutes * 60);
      expect(actioned!.afterSeconds).toBeLessThan(resolveWithinMinutes * 60);
    }));
  });

  it('named late misses both terms', () => {
    fc.assert(fc.property(seeds, (seed) => {
      const [acknowledged, actioned] = plan(behaviours.late, issued, seed);
      expect(acknowledged!.afterSeconds).toBeGreaterThan(600);
      expect(actioned!.afterSeconds).toBeGreaterThan(1800);
    }));
  });

  it('named out_of_order acts before it acknowledges', () => {
    fc.assert(fc.property(seeds, (seed) => expect(inTime(plan(behaviours.out_of_order, issued, seed))).toEqual(['order.actioned', 'order.acknowledged'])));
  });

  it('named never says nothing, also when it is urged', () => {
    for (const message of [issued, notice('deadline.missed'), notice('order.escalated'), notice('something.new')]) expect(plan(behaviours.never, message)).toEqual([]);
  });

  it('named urged acts on a letter', () => {
    expect(plan(behaviours.urged).map(({ type }) => type)).toEqual(['order.acknowledged']);
    expect(plan(behaviours.urged, notice('order.escalated')).map(({ type }) => type)).toEqual(['order.actioned']);
  });

  it('named clarification asks, and goes on when it is told', () => {
    expect(plan(behaviours.clarification).map(({ type }) => type)).toEqual(['order.clarification_requested']);
    expect(plan(behaviours.clarification, notice('clarification.provided')).map(({ type }) => type)).toEqual(['order.actioned']);
  });

  it('named objection acts when it is dismissed and rests when it is upheld', () => {
    expect(inTime(plan(behaviours.objection))).toEqual(['order.acknowledged', 'order.objected']);
    expect(plan(behaviours.objection, notice('objection.ruled', { ruling: 'dismissed' })).map(({ type }) => type)).toEqual(['order.actioned']);
    expect(plan(behaviours.objection, notice('objection.ruled', { ruling: 'upheld' }))).toEqual([]);
  });

  it('named contested brings the content back only when it is asked to', () => {
    expect(plan(behaviours.contested, notice('order.withdrawn', { reinstate: false }))).toEqual([]);
    expect(plan(behaviours.contested, notice('order.withdrawn', { reinstate: true })).map(({ type }) => type)).toEqual(['content.reinstated']);
  });

  it('carries the faults it is to commit', () => {
    expect(plan(behaviours.duplicated).map(({ copies }) => copies)).toEqual([3, 3, 1]);
    expect(plan(behaviours.bad_signature).map(({ fault }) => fault)).toEqual(['bad_signature', 'stale', undefined, undefined]);
  });

  it('fills in what the contract asks of each answer', () => {
    const actioned = plan(behaviours.fast)[1];
    expect(JSON.parse(actioned!.body)).toMatchObject({ type: 'order.actioned', timestamp: data(actioned)['actionedAt'], data: { orderId: 't1.1', action: 'labelled', labelUrl: 'https://cekfakta.example/7', automated: expect.any(String) } });
    expect(Date.parse(String(data(actioned)['actionedAt']))).toBeCloseTo(Date.parse(issued.timestamp) + actioned!.afterSeconds * 1000, -1);
    expect(data(plan(behaviours.otherwise)[1])['action']).toBe('demoted');
    expect(data(plan(behaviours.refused)[1])).toMatchObject({ reason: expect.any(String), explanation: expect.any(String) });
    expect(data(plan(behaviours.clarification)[0])).toMatchObject({ question: expect.any(String) });
    expect(data(plan(behaviours.objection)[1])).toMatchObject({ grounds: expect.any(String) });
    expect(data(plan(behaviours.contested, notice('order.withdrawn', { reinstate: true }))[0])).toMatchObject({ reason: expect.any(String) });
    const blocked = { ...issued, data: { ...issued.data, requestedAction: 'access_disabled', territories: ['ID'] } };
    expect(data(plan(behaviours.fast, blocked, 's', blocked)[1])).toMatchObject({ action: 'access_disabled', territories: ['ID'] });
  });

  it('gives the same bodies at the same times again, and others for another seed', () => {
    for (const behaviour of Object.values(behaviours)) expect(plan(behaviour)).toEqual(plan(behaviour));
    expect(plan(behaviours.fast, issued, 'a')).not.toEqual(plan(behaviours.fast, issued, 'b'));
  });
});
