import { describe, expect, it } from '@jest/globals';
import { fold, isDomainError, type DecisionContext, type RecordedEvent } from '@sejam/event-sourcing';
import fc from 'fast-check';
import { answer, type Answer } from '../answer/answer.js';
import { passDeadline, warn } from './deadline.js';
import { identify, join, leave, releaseHold, reopen, type ContentOfTakedown } from './joining.js';
import { addressed } from './messages.js';
import { clocksOf } from './order-clocks.js';
import { deem, deliver, failDelivery } from './order-delivery.js';
import { approveEscalation, clarify, observe, proposeEscalation, rule, withdraw } from './order.js';
import { isOpen, takedown, type KnownTakedown, type Takedown, type TakedownEvent } from './takedown.js';
import { content, issuing, joining, minute, shortLink, startMs } from './takedown.example.js';

type Step = { readonly minutes: number; readonly holder: string } & (
  | { readonly act: 'join' | 'leave'; readonly report: number }
  | { readonly act: 'answer'; readonly round: number; readonly given: Answer }
  | { readonly act: 'deliver' | 'fail' | 'deem'; readonly round: number }
  | { readonly act: 'clarify' | 'withdraw' | 'reopen' | 'observe' | 'escalate' | 'approve' | 'hold' | 'identify' | 'deadlines' | 'warn' }
  | { readonly act: 'rule'; readonly ruling: 'upheld' | 'dismissed' }
);

const given = fc.constantFrom<Answer>(
  { type: 'order.acknowledged' }, { type: 'order.clarification_requested', question: 'Where?' }, { type: 'order.actioned', action: 'removed', actionedAt: minute(1) },
  { type: 'order.refused', reason: 'other', explanation: 'No' }, { type: 'order.objected', grounds: 'Parody' }, { type: 'content.reinstated', reason: 'Appeal' },
);
const round = fc.integer({ min: 1, max: 3 });
const what = fc.oneof(
  fc.record({ act: fc.constantFrom('join' as const, 'leave' as const), report: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ act: fc.constant('answer' as const), round, given }),
  fc.record({ act: fc.constantFrom('deliver' as const, 'fail' as const, 'deem' as const), round }),
  fc.record({ act: fc.constantFrom('clarify' as const, 'withdraw' as const, 'reopen' as const, 'observe' as const, 'escalate' as const, 'approve' as const, 'hold' as const, 'identify' as const) }),
  fc.record({ act: fc.constantFrom('deadlines' as const, 'warn' as const) }),
  fc.record({ act: fc.constant('rule' as const), ruling: fc.constantFrom('upheld' as const, 'dismissed' as const) }),
);
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.tuple(what, fc.constantFrom(0, 1, 7, 16, 31, 61, 1_500), fc.constantFrom('officer:first', 'officer:second')).map(([one, minutes, holder]) => ({ ...one, minutes, holder }) as Step),
  { maxLength: 30 },
).map((list) => [{ act: 'join', report: 1, minutes: 0, holder: 'officer:first' }, ...list]);

/** What the step decides now; refusals count as nothing decided. */
function decided(state: Takedown, step: Step, at: Date, of: ContentOfTakedown): readonly TakedownEvent[] {
  const orderId = (number: number): string => `${of.takedownId}.${number}`;
  const orders = state.status === 'none' ? [] : state.orders;
  switch (step.act) {
    case 'join':
      return join(state, of, joining({ reportId: `report-${step.report}`, requestedAction: step.report === 3 ? 'labelled' : 'removed' }), { ...issuing(0), at });
    case 'leave':
      return leave(state, { reportId: `report-${step.report}`, reason: 'Mistaken' });
    case 'answer':
      return answer(state, orderId(step.round), step.given);
    case 'deliver':
      return deliver(state, { orderId: orderId(step.round), via: 'webhook', webhookId: 'w', attempt: 1 });
    case 'fail':
      return failDelivery(state, { orderId: orderId(step.round), webhookId: 'w', attempt: at.getTime(), side: 'platform', cause: 'timeout' });
    case 'deem':
      return deem(state, { orderId: orderId(step.round), at, oursAlone: false });
    case 'clarify':
      return clarify(state, { answer: 'There', providedBy: 'kominfo' });
    case 'withdraw':
      return withdraw(state, { reason: 'In error', withdrawnBy: 'kominfo' });
    case 'reopen':
      return reopen(state, { cause: 'new_grounds', reason: 'More', reopenedBy: 'kominfo' }, { ...issuing(0), at });
    case 'observe':
      return observe(state, { seen: 'online', seenBy: 'mafindo' });
    case 'escalate':
      return proposeEscalation(state, { level: ((orders.at(-1)?.escalation ?? 1) + 1) as 2 | 3 | 4 | 5, letterNumber: 'ST', reason: 'Late', proposedBy: 'kominfo' });
    case 'approve':
      return approveEscalation(state, { n: 1, approvedBy: 'kominfo', holder: step.holder });
    case 'hold':
      return releaseHold(state, { shortLink: 'unresolved_in_time' }, { ...issuing(0), at });
    case 'identify':
      return identify(state, { contentKey: 'tiktok:video:7', canonicalUrl: 'https://www.tiktok.com/@x/video/7', platform: 'tiktok', product: 'tiktok', takedownId: 'target' });
    case 'deadlines':
      for (const order of orders) {
        for (const { clock, run, due } of clocksOf(order)) {
          const passed = due < at ? passDeadline(state, { clock, orderId: order.orderId, run, due: due.toISOString() }) : [];
          if (passed.length > 0) return passed;
        }
      }
      return [];
    case 'warn':
      return orders.flatMap((order) => warn(state, { orderId: order.orderId, run: 1, at }));
    case 'rule':
      return rule(state, { ruling: step.ruling, reason: 'Seen', ruledBy: 'kpu', holder: 'officer:third' });
  }
}

function lived(list: readonly Step[], of: ContentOfTakedown, hasEndpoint: boolean, eachState: (before: Takedown, after: Takedown) => void = () => undefined): RecordedEvent<TakedownEvent>[] {
  const events: RecordedEvent<TakedownEvent>[] = [];
  let state: Takedown = takedown.initialState;
  let nowMs = startMs;
  for (const step of list) {
    nowMs += step.minutes * 60_000;
    const next = events.length;
    const context: DecisionContext = { at: new Date(nowMs), nextRevision: next, idOf: (index) => `event-${next + index}`, revisionOf: (index) => next + index };
    let appended: readonly RecordedEvent<TakedownEvent>[];
    try {
      appended = addressed(state, decided(state, step, context.at, of), context, { hasEndpoint, desk: 'desk', redress: 'Object' }).map((event, index) => ({
        ...event, id: context.idOf(index), stream: 'takedown-x', revision: context.revisionOf(index),
        metadata: { ...event.metadata, at: context.at.toISOString(), by: { organisation: 'kominfo', holder: step.holder }, causationId: `step:${next}`, correlationId: 'x' },
      }));
    } catch (error) {
      if (!isDomainError(error)) throw error;
      continue;
    }
    const before = state;
    events.push(...appended);
    state = fold(takedown, appended, state);
    eachState(before, state);
  }
  return events;
}

const known = (events: readonly RecordedEvent<TakedownEvent>[]): KnownTakedown | undefined => {
  const state = fold(takedown, events);
  return state.status === 'none' ? undefined : state;
};

describe('the whole life of a takedown, whatever happens in it', () => {
  it('has at most one open order, and rounds that count up', () => {
    fc.assert(fc.property(steps, fc.boolean(), (list, hasEndpoint) => {
      const state = known(lived(list, content, hasEndpoint));
      const orders = state?.orders ?? [];
      expect(orders.map((order) => order.round)).toEqual(orders.map((_, index) => index + 1));
      expect(orders.slice(0, -1).filter(isOpen)).toEqual([]);
      if (state !== undefined && state.reports.length === 0) expect(orders.at(-1)?.status).not.toBe('awaiting_delivery');
    }), { numRuns: 300 });
  });

  it('never leads an order back to a lower rank, but for an answered question', () => {
    const rank = ['awaiting_delivery', 'delivered', 'acknowledged', 'clarification_requested', 'refused', 'actioned', 'reinstated', 'withdrawn', 'merged'];
    fc.assert(fc.property(steps, (list) => {
      lived(list, content, true, (before, after) => {
        if (before.status === 'none' || after.status === 'none') return;
        for (const order of before.orders) {
          const now = after.orders.find(({ orderId }) => orderId === order.orderId)?.status ?? '';
          const answered = order.status === 'clarification_requested' && now === 'acknowledged';
          const back = (order.status === 'withdrawn' || order.status === 'merged') && now === 'reinstated';
          expect(answered || back || rank.indexOf(now) >= rank.indexOf(order.status)).toBe(true);
        }
      });
    }), { numRuns: 300 });
  });

  it('sends messages whose sequence is their revision + 1, and delivers each by feed where there is no endpoint', () => {
    fc.assert(fc.property(steps, (list) => {
      const events = lived(list, content, false);
      for (const event of events.filter(({ metadata }) => metadata.message !== undefined)) {
        expect((JSON.parse(event.metadata.message?.body ?? '') as { data: { sequence: number } }).data.sequence).toBe(event.revision + 1);
        expect(events[event.revision + 1]?.data).toMatchObject({ via: 'feed', webhookId: event.id });
      }
      expect(events.filter(({ type, metadata }) => ['OrderIssued', 'OrderWithdrawn', 'ClarificationProvided', 'ObjectionUpheld', 'ObjectionDismissed', 'Escalated', 'WarningIssued'].includes(type) && metadata.message === undefined)).toEqual([]);
    }), { numRuns: 200 });
  });

  it('never records a deadline as passed that the whole stream calls met, and never one twice', () => {
    fc.assert(fc.property(steps, (list) => {
      const events = lived(list, content, true);
      const state = known(events);
      const passed = events.flatMap((event) => (event.type === 'DeadlinePassed' ? [event.data] : []));
      expect(new Set(passed.map((one) => JSON.stringify(one))).size).toBe(passed.length);
      for (const { orderId, clock, run, due } of passed) {
        const order = state?.orders.find((one) => one.orderId === orderId);
        const now = order && clocksOf(order).find((one) => one.clock === clock && one.run === run);
        expect([now?.met, now?.due.toISOString()]).toEqual([false, due]);
      }
    }), { numRuns: 300 });
  });

  it('of a short link ends in a merge once at most, and nothing is ordered or decided on it afterwards', () => {
    fc.assert(fc.property(steps, (list) => {
      const events = lived(list, shortLink, true);
      const merges = events.filter(({ type }) => type === 'TakedownMerged');
      expect(merges.length).toBeLessThanOrEqual(1);
      const after = events.slice((merges[0]?.revision ?? Infinity) + 1).map(({ type }) => type);
      expect(after.filter((type) => ['OrderIssued', 'TakedownReopened', 'ReportJoined', 'ObjectionUpheld', 'Escalated', 'ClarificationProvided'].includes(type))).toEqual([]);
      const first = events.find(({ type }) => type === 'OrderIssued');
      const opened = events[0];
      if (first !== undefined && opened !== undefined) expect(Date.parse(first.metadata.at) - Date.parse(opened.metadata.at)).toBeGreaterThanOrEqual(10_000);
    }), { numRuns: 200 });
  });
});
