import { decisionClock, orderClocks, type Clock, type Fact, type FactKind, type OrderTerms, type Terms } from '@sejam/deadlines';
import type { StoredEvent } from '@sejam/event-sourcing';

export interface RecomputedClock extends Clock {
  /** The order's or the report's id. */
  readonly subject: string;
}

const kinds: Readonly<Record<string, FactKind>> = {
  OrderDelivered: 'delivered',
  OrderDeemedDelivered: 'deemed_delivered',
  OrderAcknowledged: 'acknowledged',
  ClarificationRequested: 'clarification_requested',
  ClarificationProvided: 'clarification_provided',
  ContentActioned: 'actioned',
  OrderRefused: 'refused',
  ContentReinstated: 'reinstated',
  ObjectionUpheld: 'objection_upheld',
  ObjectionDismissed: 'objection_dismissed',
  OrderWithdrawn: 'withdrawn',
};

/** Every clock of a takedown's or a report's stream from its own events alone, as anybody may compute it who has the record. */
export function recomputedClocks(events: readonly StoredEvent[]): RecomputedClock[] {
  const stream = events[0]?.stream ?? '';
  if (stream.startsWith('report-')) {
    const clock = decisionClock(reportFacts(events));
    return clock === undefined ? [] : [{ ...clock, subject: stream.slice('report-'.length) }];
  }
  return events
    .filter(({ type }) => type === 'OrderIssued')
    .flatMap((issued) => {
      const { orderId, approvedAt, terms } = issued.data as { orderId: string; approvedAt: string; terms: Terms };
      const order: OrderTerms = { approvedAt, terms };
      const facts = events.map((event): Fact => ({ kind: takedownFact(event, orderId), at: event.metadata.at }));
      return orderClocks(facts, order).map((clock) => ({ ...clock, subject: orderId }));
    });
}

function takedownFact({ type, data }: StoredEvent, orderId: string): FactKind {
  if (type === 'TakedownMerged') return 'merged';
  const own = data as { orderId?: string; side?: string; counted?: boolean };
  if (own.orderId !== orderId) return 'other';
  if (type === 'OrderIssued') return 'issued';
  if (type === 'OrderDeliveryFailed') return own.side === 'platform' ? 'delivery_failed' : 'other';
  if (type === 'ObjectionRaised') return own.counted === true ? 'objection_raised' : 'other';
  return kinds[type] ?? 'other';
}

function reportFacts(events: readonly StoredEvent[]): Fact[] {
  const keysOf = ({ data }: StoredEvent): string[] => ((data as { contents?: { contentKey: string }[] }).contents ?? []).map(({ contentKey }) => contentKey);
  const undecided = new Set<string>();
  return events.map((event): Fact => {
    const fact = (kind: FactKind): Fact => ({ kind, at: event.metadata.at });
    if (event.type === 'ReportSubmitted') {
      for (const key of keysOf(event)) undecided.add(key);
      return fact('submitted');
    }
    if (event.type === 'ReportWithdrawn') return fact('withdrawn');
    if (event.type !== 'ContentsApproved' && event.type !== 'ContentsDeclined') return fact('other');
    for (const key of keysOf(event)) undecided.delete(key);
    return fact(undecided.size === 0 ? 'decided' : 'other');
  });
}
