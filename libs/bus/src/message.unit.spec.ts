import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isDomainError } from '@sejam/event-sourcing';
import { fromEnvelope, isHeartbeat, toEnvelope, type BusMessage } from './message.js';

const text = fc.string({ minLength: 1, maxLength: 40 });
const anyMessage: fc.Arbitrary<BusMessage> = fc
  .record({
    id: text,
    type: text,
    source: text,
    subject: text,
    time: text,
    sequence: fc.nat(),
    correlationId: fc.option(text, { nil: undefined }),
    causationId: fc.option(text, { nil: undefined }),
    traceparent: fc.option(text, { nil: undefined }),
    data: fc.dictionary(text, fc.jsonValue()),
  })
  .map((made) => JSON.parse(JSON.stringify(made)) as BusMessage);

describe('A message', () => {
  it('is understood as it was meant, whatever it says', () => {
    fc.assert(fc.property(anyMessage, (message) => expect(fromEnvelope(toEnvelope(message))).toEqual(message)));
  });

  it('is keyed by its stream and carries its revision so that text order is number order', () => {
    const at = (sequence: number) => toEnvelope({ id: 'i', type: 't', source: 's', subject: 'takedown-1', time: 'now', sequence, data: {} });
    expect(at(7).key).toBe('takedown-1');
    expect(at(7).headers).toEqual({
      ce_specversion: '1.0',
      ce_id: 'i',
      ce_type: 't',
      ce_source: 's',
      ce_subject: 'takedown-1',
      ce_time: 'now',
      ce_sequence: '00000000000000000007',
      'content-type': 'application/json',
    });
    fc.assert(fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (a, b) => Math.sign(a - b) === Math.sign(at(a).headers['ce_sequence']!.localeCompare(at(b).headers['ce_sequence']!, 'en'))));
  });

  it('is a heartbeat only without a revision', () => {
    expect(isHeartbeat({ type: 'sejam.identity.v1.Heartbeat' })).toBe(true);
    expect(isHeartbeat({ type: 'sejam.identity.v1.Heartbeat', sequence: 0 })).toBe(false);
    expect(isHeartbeat({ type: 'sejam.identity.v1.KeyIssued' })).toBe(false);
  });

  it('is refused with its fault, and with nothing but that, when somebody else has written it', () => {
    const headers = fc.dictionary(fc.constantFrom('ce_specversion', 'ce_id', 'ce_type', 'ce_source', 'ce_subject', 'ce_time', 'ce_sequence', 'content-type', '__proto__'), fc.oneof(text, fc.constantFrom('1.0', '', 'application/json', '-1', '1e3', '99999999999999999999')));
    const value = fc.oneof(text, fc.json(), fc.constant(null), fc.constant('{"__proto__": 1}'));
    fc.assert(
      fc.property(headers, value, fc.option(text), (made, body, key) => {
        try {
          const message = fromEnvelope({ headers: made, value: body, key });
          expect(message.subject).toBe(key);
        } catch (error) {
          expect(isDomainError(error) && error.code).toBe('message.malformed');
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
