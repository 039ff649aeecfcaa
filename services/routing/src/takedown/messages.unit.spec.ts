import { describe, expect, it } from '@jest/globals';
import { specFor } from '@sejam/event-sourcing/testing';
import fc from 'fast-check';
import { join } from './joining.js';
import { addressed, MESSAGE_BYTES_MAX } from './messages.js';
import { rule } from './order.js';
import { passDeadline } from './deadline.js';
import { takedown, type Evidence, type TakedownEvent } from './takedown.js';
import { asked, content, issued, issuing, joined, joining, minute, objected, opened, orderId, takedownId, underway } from './takedown.example.js';

const { given } = specFor(takedown);
const recipient = { hasEndpoint: true, desk: 'desk@sejam.example', redress: 'Object within the order.' };

type Message = { type: string; timestamp: string; data: Record<string, unknown> };
const bodyOf = (event: { metadata: { message?: { body: string } } } | undefined): Message => JSON.parse(event?.metadata.message?.body ?? 'null') as Message;
const evidence = (count: number): Evidence[] =>
  Array.from({ length: count }, (_, index) => ({ mediaType: 'image/png', sha256: index.toString(16).padStart(64, '0'), size: 48_211, uri: `https://evidence.example/${'x'.repeat(200)}/${index}.png` }));

describe('the message of an order', () => {
  it('says everything that the platform needs, and nobody\'s identity', () => {
    const report = joining({ note: 'at 0:12', language: 'id', evidence: evidence(1), territories: ['ID'], clarificationUrl: 'https://kpu.example/fact' });
    const [, , event] = given().when((state, context) => addressed(state, join(state, content, report, issuing(1)), context, recipient), { at: minute(1) }).events;
    expect(event?.metadata.message?.type).toBe('order.issued');
    expect(bodyOf(event)).toEqual({
      type: 'order.issued',
      timestamp: minute(1),
      data: {
        orderId, takedownId, round: 1, sequence: 3, test: false, platform: 'tiktok', product: 'tiktok',
        content: { url: report.submittedUrl, canonicalUrl: report.canonicalUrl, contentKey: content.contentKey, note: 'at 0:12' },
        category: 'hoax.voting_procedure', contentForm: 'video', language: 'id',
        legalBasis: [{ code: 'UU-10-2016:69-c', title: expect.stringContaining('69 huruf c') }],
        reasons: report.reasons, factCheck: report.factCheck, evidence: evidence(1), reports: 1, requestedAction: 'removed',
        clarificationUrl: 'https://kpu.example/fact', territories: ['ID'], decidedBy: 'bawaslu', decidedAt: minute(0), issuedBy: 'kominfo', issuedAt: minute(1),
        terms: { policy: 'default', version: 0, acknowledgeWithinMinutes: 10, resolveWithinMinutes: 60 },
        contact: { desk: 'desk@sejam.example' }, redress: { text: 'Object within the order.' },
      },
    });
    expect(event?.metadata.message?.body).not.toContain('officer:');
  });

  it('leaves out evidence that does not fit, and says how much', () => {
    const [, , event] = given().when((state, context) => addressed(state, join(state, content, joining({ evidence: evidence(100) }), issuing(1)), context, recipient)).events;
    const { data } = bodyOf(event);
    expect((data['evidence'] as Evidence[]).length + (data['evidenceOmitted'] as number)).toBe(100);
    expect(data['evidenceOmitted']).toBeGreaterThan(0);
  });

  it('never exceeds its size, whatever was reported', () => {
    const text = (maxLength: number) => fc.string({ unit: 'grapheme', minLength: maxLength - 5, maxLength });
    fc.assert(fc.property(text(2_000), text(2_000), text(2_000), fc.integer({ min: 0, max: 50 }), (reasons, note, statement, pieces) => {
      const [, , event] = given().when((state, context) => addressed(state, join(state, content, joining({ reasons, note, factCheck: { statement }, evidence: evidence(pieces) }), issuing(1)), context, recipient)).events;
      expect(Buffer.byteLength(event?.metadata.message?.body ?? '')).toBeLessThanOrEqual(MESSAGE_BYTES_MAX);
      expect(bodyOf(event).data['orderId']).toBe(orderId);
    }), { numRuns: 20 });
  });

  it('tells why a round was opened', () => {
    const reopened: TakedownEvent = { type: 'TakedownReopened', data: { round: 2, cause: 'reappeared', reason: 'Seen again', reopenedBy: 'kominfo' } };
    const [, event] = given(...underway).when((state, context) => addressed(state, [reopened, issued(2, minute(9))], context, recipient)).events;
    expect(bodyOf(event).data).toMatchObject({ round: 2, sequence: 6, reopening: { cause: 'reappeared', reason: 'Seen again' } });
  });
});

describe('the notices to a platform', () => {
  it('carry rising sequences and the due times that follow', () => {
    const history = [...underway, asked(minute(5))];
    const [event] = given(...history).when((state, context) => addressed(state, [{ type: 'ClarificationProvided', data: { orderId, answer: 'At 0:12', providedBy: 'kominfo' } }], context, recipient), { at: minute(15) }).events;
    expect(bodyOf(event)).toMatchObject({ type: 'clarification.provided', data: { sequence: 6, question: 'Which minute?', answer: 'At 0:12', resolveBy: minute(70), orderId } });
  });

  it('of an upheld objection are two: the ruling and the withdrawal', () => {
    const upheld = { ruling: 'upheld', reason: 'Parody', ruledBy: 'kpu', holder: 'officer:third' } as const;
    const events = given(...underway, objected(minute(5))).when((state, context) => addressed(state, rule(state, upheld), context, recipient)).events;
    expect(events.map(bodyOf).map(({ type, data }) => [type, data['sequence']])).toEqual([['objection.ruled', 6], ['order.withdrawn', 7]]);
  });

  it('of a dismissed objection say until when to resolve', () => {
    const dismissed = { ruling: 'dismissed', reason: 'No parody', ruledBy: 'kpu', holder: 'officer:third' } as const;
    const [event] = given(...underway, objected(minute(5))).when((state, context) => addressed(state, rule(state, dismissed), context, recipient), { at: minute(50) }).events;
    expect(bodyOf(event)).toMatchObject({ type: 'objection.ruled', data: { ruling: 'dismissed', resolveBy: minute(110) } });
  });

  it('of a missed deadline are the notice and the reminder; what officers must do is not sent', () => {
    const events = given(...underway).when((state, context) => addressed(state, passDeadline(state, { clock: 'resolution', orderId, run: 1, due: minute(60) }), context, recipient)).events;
    expect(events.map(({ metadata }) => metadata.message?.type)).toEqual(['deadline.missed', 'order.escalated', undefined]);
    const [ruling] = given(...underway, objected(minute(0))).when((state, context) => addressed(state, passDeadline(state, { clock: 'ruling', orderId, run: 1, due: minute(1440) }), context, recipient)).events;
    expect([ruling?.type, ruling?.metadata.message]).toEqual(['DeadlinePassed', undefined]);
  });

  it('stand delivered in the same append for a platform without an endpoint', () => {
    const events = given(...underway).when((state, context) => addressed(state, passDeadline(state, { clock: 'resolution', orderId, run: 1, due: minute(60) }), context, { ...recipient, hasEndpoint: false })).events;
    expect(events.map(({ type }) => type)).toEqual(['DeadlinePassed', 'NoticeDelivered', 'EscalationDue', 'NoticeDelivered', 'EscalationDue']);
    expect(events[1]?.data).toEqual({ orderId, webhookId: events[0]?.id, via: 'feed' });
    expect(bodyOf(events[2]).data['sequence']).toBe((events[2]?.revision ?? 0) + 1);
    const order = given(opened, joined).when((state, context) => addressed(state, [issued()], context, { ...recipient, hasEndpoint: false })).events;
    expect(order[1]?.data).toEqual({ orderId, via: 'feed', webhookId: order[0]?.id });
  });
});
