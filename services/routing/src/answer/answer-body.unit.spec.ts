import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { answerTypes, readAnswer } from './answer-body.js';

const at = '2024-11-27T09:00:00+07:00';
const whole = {
  'order.acknowledged': {},
  'order.clarification_requested': { question: 'Which minute?' },
  'order.actioned': { action: 'access_disabled', territories: ['ID'], until: at, labelUrl: 'https://kpu.example/fact', automated: 'partly', actionedAt: at },
  'order.refused': { reason: 'protected_speech', explanation: 'Satire' },
  'order.objected': { grounds: 'Parody' },
  'content.reinstated': { reason: 'Appeal granted' },
} as const;

const pointersOf = (body: unknown): string[] => {
  const read = readAnswer(body);
  return 'faults' in read ? read.faults.map(({ pointer, code }) => `${pointer} ${code}`) : [];
};

describe('the body of an answer', () => {
  it.each(answerTypes)('of type %s is read whole', (type) => {
    const read = readAnswer({ type, timestamp: at, data: { orderId: 'o.1', ...whole[type] } });
    const times = type === 'order.actioned' ? { until: '2024-11-27T02:00:00.000Z', actionedAt: '2024-11-27T02:00:00.000Z' } : {};
    expect(read).toEqual({ orderId: 'o.1', answer: { type, ...whole[type], ...times } });
  });

  it('names every fault by a pointer', () => {
    expect(pointersOf(undefined)).toEqual([' required', '/type required']);
    expect(pointersOf({ type: 'order.unheard', data: {} })).toEqual(['/type is-in']);
    expect(pointersOf({ type: 'order.refused', data: { orderId: 7, reason: 'none', explanation: ' ' }, more: 1 })).toEqual([
      '/more unknown-field', '/data/orderId is-length', '/data/reason is-in', '/data/explanation is-length',
    ]);
    expect(pointersOf({ type: 'order.actioned', data: { orderId: 'o.1', action: 'removed', actionedAt: '27/11/2024', territories: ['Indonesia'], until: null, automated: true, labelUrl: 'javascript:0' } })).toEqual([
      '/data/actionedAt is-rfc3339', '/data/until is-rfc3339', '/data/labelUrl is-url', '/data/automated is-in', '/data/territories territories',
    ]);
  });

  it('allows further fields of the envelope where the caller names them', () => {
    expect(readAnswer({ type: 'order.acknowledged', answerId: 'a', data: { orderId: 'o.1' } }, ['answerId'])).toHaveProperty('orderId', 'o.1');
  });

  it('is a verdict whatever was sent, and never an exception', () => {
    const some = fc.oneof(fc.anything(), fc.record({ type: fc.constantFrom<string>(...answerTypes, 'x'), data: fc.oneof(fc.anything(), fc.dictionary(fc.constantFrom('orderId', 'action', 'actionedAt', 'reason', '__proto__', 'a/b~c'), fc.anything())) }));
    fc.assert(fc.property(some, (body) => {
      const read = readAnswer(body);
      expect('faults' in read ? read.faults.length > 0 : typeof read.orderId === 'string').toBe(true);
    }), { numRuns: 500 });
  });
});
