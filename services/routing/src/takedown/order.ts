import { DomainError } from '@sejam/event-sourcing';
import { acted, standing } from './joining.js';
import { isOpen, type Observation, type Order, type Takedown, type TakedownEvent } from './takedown.js';

/** An issuer takes the newest order back; after an action this asks the platform to undo it. */
export function withdraw(state: Takedown, { reason, withdrawnBy }: { reason: string; withdrawnBy: string }): TakedownEvent[] {
  const { orderId, withdrawal } = newestOrder(acted(state, withdrawnBy).orders);
  if (withdrawal !== undefined) return [];
  return [{ type: 'OrderWithdrawn', data: { orderId, cause: 'issuer', reason, withdrawnBy } }];
}

/** Answers the question that the platform asked about the newest order. */
export function clarify(state: Takedown, { answer, providedBy }: { answer: string; providedBy: string }): TakedownEvent[] {
  const { orderId, status, clarification } = newestOrder(acted(state, providedBy).orders);
  if (status !== 'clarification_requested') {
    if (clarification?.answer === answer) return [];
    throw new DomainError('clarification.not-requested', 'conflict', 'No question of the platform about this order waits for an answer');
  }
  return [{ type: 'ClarificationProvided', data: { orderId, answer, providedBy } }];
}

/**
 * Rules on the newest pending objection. Whoever submitted or approved a report of this takedown does not rule. Upheld, the order is
 * withdrawn in the same append; dismissed while the order is open, its resolution clock runs again.
 */
export function rule(
  state: Takedown,
  { ruling, reason, ruledBy, holder }: { ruling: 'upheld' | 'dismissed'; reason: string; ruledBy: string; holder: string },
): TakedownEvent[] {
  const known = acted(state, ruledBy);
  if (known.holders.includes(holder)) {
    throw new DomainError('objection.four-eyes', 'forbidden', 'Whoever submitted or approved a report of this content does not rule on its objection');
  }
  const order = known.orders.findLast(({ objection }) => objection?.status === 'pending') ?? known.orders.findLast(({ objection }) => objection !== undefined);
  if (order?.objection === undefined) throw new DomainError('objection.none', 'conflict', 'No objection of the platform waits for a ruling');
  const { orderId, objection, withdrawal } = order;
  if (objection.status !== 'pending') {
    if (objection.status === ruling) return [];
    throw new DomainError('objection.already-ruled', 'conflict', `The objection was ${objection.status}`);
  }
  if (ruling === 'dismissed') return [{ type: 'ObjectionDismissed', data: { orderId, reason, ruledBy } }];
  const upheld: TakedownEvent = { type: 'ObjectionUpheld', data: { orderId, reason, ruledBy } };
  if (withdrawal !== undefined) return [upheld];
  return [upheld, { type: 'OrderWithdrawn', data: { orderId, cause: 'objection_upheld', reason, withdrawnBy: ruledBy } }];
}

/** What an officer or a partner saw; what the platform claims is not thereby verified. */
export function observe(state: Takedown, { seen, seenBy, note }: { seen: 'gone' | 'online' | 'reappeared'; seenBy: string; note?: string }): TakedownEvent[] {
  const { orderId, observation } = newestOrder(standing(state).orders);
  const type = observations[seen];
  if (observation?.type === type && observation.seenBy === seenBy && observation.note === note) return [];
  return [{ type, data: { orderId, seenBy, ...(note === undefined ? {} : { note }) } }];
}

const observations: Record<'gone' | 'online' | 'reappeared', Observation> = {
  gone: 'RemovalVerified', online: 'ContentStillOnline', reappeared: 'ContentReappeared',
};

/** A letter to the platform (2–4: ST1–ST3) or the proposal to block (5): an officer's, one level after the other, after a missed deadline. */
export function proposeEscalation(
  state: Takedown,
  { level, letterNumber, reason, proposedBy }: { level: 2 | 3 | 4 | 5; letterNumber: string; reason: string; proposedBy: string },
): TakedownEvent[] {
  const known = acted(state, proposedBy);
  const order = newestOrder(known.orders);
  const { orderId, escalation } = order;
  const repeated = known.proposals.some((proposal) => proposal.orderId === orderId && proposal.level === level && proposal.letterNumber === letterNumber);
  if (repeated) return [];
  escalatable(order);
  if (level !== escalation + 1) {
    throw new DomainError('escalation.level', 'conflict', `The next level of this order is ${escalation + 1}`);
  }
  return [{ type: 'EscalationProposed', data: { orderId, n: known.proposals.length + 1, level, letterNumber, reason, proposedBy } }];
}

/** A second holder carries out what another proposed. */
export function approveEscalation(state: Takedown, { n, approvedBy, holder }: { n: number; approvedBy: string; holder: string }): TakedownEvent[] {
  const known = acted(state, approvedBy);
  const proposal = known.proposals.find((one) => one.n === n);
  if (proposal === undefined) throw new DomainError('escalation.not-found', 'not-found', `This takedown has no escalation ${n}`);
  if (proposal.proposedByHolder === holder) {
    throw new DomainError('escalation.four-eyes', 'forbidden', 'Whoever proposed an escalation does not approve it');
  }
  if (proposal.approvalEventId !== undefined) return [];
  const { orderId, level, letterNumber, reason } = proposal;
  const order = newestOrder(known.orders);
  if (order.orderId !== orderId || order.escalation >= level) {
    throw new DomainError('escalation.outdated', 'conflict', 'The takedown has moved on since this escalation was proposed');
  }
  escalatable(order);
  return [{ type: 'Escalated', data: { orderId, n, level, letterNumber, reason, approvedBy } }];
}

function escalatable(order: Order): void {
  if (!isOpen(order)) throw new DomainError('escalation.order-closed', 'conflict', `The order is ${order.status}; there is nothing to escalate`);
  if (order.escalation === 0) throw new DomainError('escalation.no-missed-deadline', 'conflict', 'No resolution deadline of this order has passed');
}

function newestOrder(orders: readonly Order[]): Order {
  const newest = orders.at(-1);
  if (newest === undefined) throw new DomainError('order.not-issued', 'conflict', 'No order of this takedown has gone out yet');
  return newest;
}
