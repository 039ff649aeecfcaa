import { orderClock, orderClocks, type Clock as RunningClock, type Fact, type FactKind } from '@sejam/deadlines';
import type { Clock, Order, OrderFact } from './takedown.js';

export interface OrderClock {
  readonly clock: Clock;
  readonly run: number;
  readonly due: Date;
  /** An event that meets it stands at or before its due time. */
  readonly met: boolean;
}

/** The clock of an order as its stream tells it now; undefined while it has not started. */
export function clockOf(order: Order, clock: Clock, run: number): OrderClock | undefined {
  const found = orderClock(factsOf(order), order, { clock, run });
  return found && seen(found);
}

/** Every clock of an order that has started. */
export function clocksOf(order: Order): readonly OrderClock[] {
  return orderClocks(factsOf(order), order).map(seen);
}

function seen({ clock, run, due, verdict }: RunningClock): OrderClock {
  return { clock: clock as Clock, run, due, met: verdict.outcome === 'met' };
}

function factsOf({ trail }: Order): Fact[] {
  return trail.map((fact) => ({ at: fact.metadata.at, kind: kindOf(fact) }));
}

function kindOf(fact: OrderFact): FactKind {
  switch (fact.type) {
    case 'OrderDeliveryFailed':
      return fact.data.side === 'platform' ? 'delivery_failed' : 'other';
    case 'ObjectionRaised':
      return fact.data.counted ? 'objection_raised' : 'other';
    default:
      return kinds[fact.type] ?? 'other';
  }
}

const kinds: Partial<Record<OrderFact['type'], FactKind>> = {
  OrderIssued: 'issued', OrderDelivered: 'delivered', OrderDeemedDelivered: 'deemed_delivered', OrderAcknowledged: 'acknowledged',
  ClarificationRequested: 'clarification_requested', ClarificationProvided: 'clarification_provided', ContentActioned: 'actioned',
  OrderRefused: 'refused', ContentReinstated: 'reinstated', ObjectionUpheld: 'objection_upheld', ObjectionDismissed: 'objection_dismissed',
  OrderWithdrawn: 'withdrawn', TakedownMerged: 'merged',
};
