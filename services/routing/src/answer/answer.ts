import type { Action, RefusalReason } from '@sejam/contracts';
import { DomainError, type Decided } from '@sejam/event-sourcing';
import { orderOf, risen, type Order, type OrderStatus, type Takedown, type TakedownEvent } from '../takedown/takedown.js';

/** What a platform says of one order, in the words of the contract. */
export type Answer =
  | { readonly type: 'order.acknowledged' }
  | { readonly type: 'order.clarification_requested'; readonly question: string }
  | {
      readonly type: 'order.actioned';
      readonly action: Action;
      readonly territories?: string[];
      readonly until?: string;
      readonly labelUrl?: string;
      readonly automated?: 'yes' | 'partly' | 'no';
      readonly actionedAt: string;
    }
  | { readonly type: 'order.refused'; readonly reason: RefusalReason; readonly explanation: string }
  | { readonly type: 'order.objected'; readonly grounds: string }
  | { readonly type: 'content.reinstated'; readonly reason: string };

/** `recorded`: it stands in the record and changed neither the order's status nor its objection. */
export type Effect = 'applied' | 'recorded';

/**
 * Records what a platform says, whatever the order's state: late, twice, out of order, or before the order was known to be delivered.
 * An answer to an order that was not delivered proves that it arrived. The answer's own event stands last; its metadata keeps the effect.
 */
export function answer(state: Takedown, orderId: string, given: Answer): Decided<TakedownEvent>[] {
  const order = orderOf(state, orderId);
  if (order === undefined) throw new DomainError('order.unknown', 'not-found', 'There is no such order');
  const { event, effect } = decideOn(order, given);
  const answered = { ...event, metadata: { effect } };
  return order.delivered ? [answered] : [{ type: 'OrderDelivered', data: { orderId, via: 'answer' } }, answered];
}

function decideOn(order: Order, given: Answer): { event: TakedownEvent; effect: Effect } {
  const { orderId } = order;
  const raising = (to: OrderStatus): Effect => (risen(order, to) === order.status ? 'recorded' : 'applied');
  switch (given.type) {
    case 'order.acknowledged':
      return { event: { type: 'OrderAcknowledged', data: { orderId } }, effect: raising('acknowledged') };
    case 'order.clarification_requested':
      return { event: { type: 'ClarificationRequested', data: { orderId, question: given.question } }, effect: raising('clarification_requested') };
    case 'order.actioned': {
      const { type: _, ...action } = given;
      const asRequested = given.action === order.requestedAction;
      return { event: { type: 'ContentActioned', data: { orderId, ...action, asRequested } }, effect: raising('actioned') };
    }
    case 'order.refused':
      return { event: { type: 'OrderRefused', data: { orderId, reason: given.reason, explanation: given.explanation } }, effect: raising('refused') };
    case 'order.objected': {
      const counted = order.objection === undefined && order.withdrawal === undefined && order.status !== 'merged';
      return { event: { type: 'ObjectionRaised', data: { orderId, grounds: given.grounds, counted } }, effect: counted ? 'applied' : 'recorded' };
    }
    case 'content.reinstated':
      return { event: { type: 'ContentReinstated', data: { orderId, reason: given.reason } }, effect: order.status === 'reinstated' ? 'recorded' : 'applied' };
  }
}
