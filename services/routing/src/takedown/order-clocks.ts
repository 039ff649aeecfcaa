import type { Clock, Order, OrderFact } from './takedown.js';

const MINUTE_MS = 60_000;

export interface OrderClock {
  readonly due: Date;
  /** An event that meets it stands at or before its due time. */
  readonly met: boolean;
}

export interface NamedClock extends OrderClock {
  readonly clock: Clock;
  readonly run: number;
}

/** Every clock of an order that has started, in the order in which they start. */
export function clocksOf(order: Order): readonly NamedClock[] {
  const named = [['dispatch', 1], ['acknowledgement', 1], ['resolution', 1], ['ruling', 1], ['resolution', 2]] as const;
  return named.flatMap(([clock, run]) => {
    const state = clockOf(order, clock, run);
    return state === undefined ? [] : [{ clock, run, ...state }];
  });
}

/** Those that nothing has met, also when their due time is over. */
export function runningClocks(order: Order): readonly NamedClock[] {
  return clocksOf(order).filter(({ met }) => !met);
}

/** The clock of an order as its stream tells it now; undefined while it has not started. */
export function clockOf(order: Order, clock: Clock, run: number): OrderClock | undefined {
  const from = order.trail.findIndex((fact) => starts(fact, order, clock, run));
  const start = order.trail[from];
  if (start === undefined) return undefined;
  const dueMs = start.type === 'OrderIssued' ? Date.parse(start.data.approvedAt) + MINUTE_MS : atMs(start) + withinMs(order, clock) + extensionMs(order, clock, run, atMs(start));
  const met = order.trail.slice(from).some((fact) => meets(fact, clock, run) && atMs(fact) <= dueMs);
  return { due: new Date(dueMs), met };
}

function starts(fact: OrderFact, order: Order, clock: Clock, run: number): boolean {
  switch (clock) {
    case 'dispatch':
      return fact.type === 'OrderIssued';
    case 'ruling':
      return fact.type === 'ObjectionRaised' && fact.data.counted;
    case 'acknowledgement':
      return fact.type === 'OrderDelivered' || fact.type === 'OrderDeemedDelivered';
    case 'resolution':
      if (run === 1) return fact.type === 'OrderDelivered' || fact.type === 'OrderDeemedDelivered';
      return fact.type === 'ObjectionDismissed' && !order.trail.slice(0, order.trail.indexOf(fact)).some(closes);
  }
}

function closes({ type }: OrderFact): boolean {
  return type === 'ContentActioned' || type === 'OrderRefused' || type === 'ContentReinstated' || type === 'OrderWithdrawn';
}

function meets(fact: OrderFact, clock: Clock, run: number): boolean {
  const { type } = fact;
  switch (clock) {
    case 'dispatch':
      return type === 'OrderDelivered' || (fact.type === 'OrderDeliveryFailed' && fact.data.side === 'platform');
    case 'acknowledgement':
      return ['OrderAcknowledged', 'ClarificationRequested', 'ContentActioned', 'OrderRefused', 'ObjectionRaised', 'ContentReinstated'].includes(type);
    case 'resolution':
      return type === 'ContentActioned' || type === 'OrderRefused' || (run === 1 && type === 'ObjectionRaised');
    case 'ruling':
      return type === 'ObjectionUpheld' || type === 'ObjectionDismissed';
  }
}

function withinMs({ terms }: Order, clock: Clock): number {
  if (clock === 'ruling') return 24 * 60 * MINUTE_MS;
  return (clock === 'acknowledgement' ? terms.acknowledgeWithinMinutes : terms.resolveWithinMinutes) * MINUTE_MS;
}

function extensionMs(order: Order, clock: Clock, run: number, startMs: number): number {
  if (clock !== 'resolution') return 0;
  const first = order.trail.findIndex(({ type }) => type === 'ClarificationRequested');
  const requested = order.trail[first];
  if (requested === undefined || run !== 1 || atMs(requested) > startMs + withinMs(order, clock)) return 0;
  const provided = order.trail.slice(first).find(({ type }) => type === 'ClarificationProvided');
  const capMs = order.terms.clarificationCapMinutes * MINUTE_MS;
  return provided === undefined ? capMs : Math.min(capMs, atMs(provided) - atMs(requested));
}

function atMs(fact: OrderFact): number {
  return Date.parse(fact.metadata.at);
}
