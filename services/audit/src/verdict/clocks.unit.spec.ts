import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { orderClocks, type FactKind } from '@sejam/deadlines';
import { clockVerdicts } from './clocks.js';
import type { StreamEvent } from './stream-event.js';

const terms = { policy: 'default', version: 0, acknowledgeWithinMinutes: 10, resolveWithinMinutes: 60, warningPercent: 75, clarificationCapMinutes: 30 };

/** How the services' own library calls what the auditor reads by its event. */
const KINDS: Readonly<Record<string, FactKind>> = {
  OrderIssued: 'issued', OrderDelivered: 'delivered', OrderDeemedDelivered: 'deemed_delivered', OrderAcknowledged: 'acknowledged', ClarificationRequested: 'clarification_requested',
  ClarificationProvided: 'clarification_provided', ContentActioned: 'actioned', OrderRefused: 'refused', ContentReinstated: 'reinstated', ObjectionUpheld: 'objection_upheld',
  ObjectionDismissed: 'objection_dismissed', OrderWithdrawn: 'withdrawn',
};

function kindOf({ type, data }: StreamEvent, orderId: string): FactKind {
  if (type === 'TakedownMerged') return 'merged';
  if (data['orderId'] !== orderId) return 'other';
  if (type === 'OrderDeliveryFailed') return data['side'] === 'platform' ? 'delivery_failed' : 'other';
  if (type === 'ObjectionRaised') return data['counted'] === true ? 'objection_raised' : 'other';
  return KINDS[type] ?? 'other';
}

const step = fc.record({
  type: fc.constantFrom(
    'OrderDelivered', 'OrderDeemedDelivered', 'OrderDeliveryFailed', 'OrderAcknowledged', 'ClarificationRequested', 'ClarificationProvided', 'ContentActioned', 'OrderRefused',
    'ContentReinstated', 'ObjectionRaised', 'ObjectionUpheld', 'ObjectionDismissed', 'OrderWithdrawn', 'ReportJoined', 'RemovalVerified', 'TakedownMerged',
  ),
  round: fc.constantFrom(1, 1, 1, 2),
  side: fc.constantFrom('platform', 'ours'),
  afterSeconds: fc.oneof(fc.constantFrom(0, 60, 600, 1_800, 3_600), fc.nat(2_000)),
});

describe('the auditor\'s own reading of the clocks', () => {
  it('agrees with the library by which the services decide, on any takedown', () => {
    fc.assert(fc.property(fc.array(step, { maxLength: 25 }), fc.nat(20), (steps, secondRound) => {
      let nowMs = Date.UTC(2024, 10, 24, 9);
      const objected = new Set<string>();
      const events: StreamEvent[] = [];
      const add = (type: string, data: Record<string, unknown>) => events.push({ id: `e${events.length}`, type, revision: events.length, at: new Date(nowMs).toISOString(), data });
      const issue = (round: number) => add('OrderIssued', { orderId: `t.${round}`, round, approvedAt: new Date(nowMs).toISOString(), terms });
      add('TakedownOpened', { takedownId: 't', platform: 'tiktok' });
      issue(1);
      for (const [index, { type, round, side, afterSeconds }] of steps.entries()) {
        nowMs += afterSeconds * 1_000;
        if (index === secondRound) issue(2);
        const orderId = `t.${index >= secondRound ? round : 1}`;
        // The first objection to an order counts.
        const counted = type === 'ObjectionRaised' && !objected.has(orderId);
        if (counted) objected.add(orderId);
        add(type, { orderId, side, counted });
      }
      const ours = clockVerdicts('takedown-t', events);
      const theirs = events.filter(({ type }) => type === 'OrderIssued').flatMap(({ data }) => {
        const orderId = data['orderId'] as string;
        const facts = events.map((event) => ({ at: event.at, kind: kindOf(event, orderId), id: event.id }));
        return orderClocks(facts, { approvedAt: data['approvedAt'] as string, terms })
          .map(({ clock, run, due, verdict }) => ({ name: `${clock} ${orderId} ${run}`, due: due.toISOString(), verdict: verdict.outcome, by: verdict.by?.id }));
      });
      const named = ours.map(({ clock, subject, run, due, verdict, by }) => ({ name: `${clock} ${subject} ${run}`, due, verdict, by: by?.id }));
      const byName = (one: { name: string }, other: { name: string }) => one.name.localeCompare(other.name);
      expect(named.sort(byName)).toEqual(theirs.sort(byName));
    }), { numRuns: 2_000 });
  });
});
