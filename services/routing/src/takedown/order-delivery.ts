import { DomainError } from '@sejam/event-sourcing';
import { orderOf, type Order, type Takedown, type TakedownEvent } from './takedown.js';

/** A platform whose endpoint fails is deemed to have the order after this many failures of its own and this time, domain time. */
export const DEEMED_AFTER_FAILURES = 3;
export const DEEMED_AFTER_MS = 15 * 60_000;

/** The platform has the order. The first way it got it counts; deeming does not replace it. */
export function deliver(
  state: Takedown,
  { orderId, via, webhookId, attempt }: { orderId: string; via: 'webhook' | 'feed'; webhookId?: string; attempt?: number },
): TakedownEvent[] {
  const order = known(state, orderId);
  if (order.delivered) return [];
  const data = { orderId, via, ...(webhookId === undefined ? {} : { webhookId }), ...(attempt === undefined ? {} : { attempt }) };
  return [{ type: 'OrderDelivered', data }];
}

/** An attempt failed. Kept only while the order has not arrived: from then on nothing depends on it. */
export function failDelivery(
  state: Takedown,
  failure: { orderId: string; webhookId: string; attempt: number; side: 'platform' | 'ours'; cause: string; httpStatus?: number },
): TakedownEvent[] {
  const order = known(state, failure.orderId);
  if (order.delivered || order.failedAttempts.includes(`${failure.webhookId}/${failure.attempt}`)) return [];
  return [{ type: 'OrderDeliveryFailed', data: failure }];
}

/** A notice reached the platform: `webhookId` is the id of the event that caused it. */
export function deliverNotice(state: Takedown, { orderId, webhookId, via }: { orderId: string; webhookId: string; via: 'webhook' | 'feed' }): TakedownEvent[] {
  known(state, orderId);
  if (state.status === 'none' || state.noticed.includes(webhookId)) return [];
  return [{ type: 'NoticeDelivered', data: { orderId, webhookId, via } }];
}

/**
 * A platform cannot dodge its clocks by failing: from 15 minutes after issue and three failures on its side they run all the same.
 * `oursAlone`: at least two platforms were tried in the last 15 minutes and none answered, so the fault is ours and nothing is deemed.
 */
export function deem(state: Takedown, { orderId, at, oursAlone }: { orderId: string; at: Date; oursAlone: boolean }): TakedownEvent[] {
  const order = known(state, orderId);
  const due = at.getTime() - Date.parse(order.issuedAt) >= DEEMED_AFTER_MS && order.platformFailures.length >= DEEMED_AFTER_FAILURES;
  if (!due || oursAlone || order.status !== 'awaiting_delivery' || order.deemed) return [];
  return [{ type: 'OrderDeemedDelivered', data: { orderId, attempts: order.platformFailures.length, causes: [...new Set(order.platformFailures)] } }];
}

function known(state: Takedown, orderId: string): Order {
  const order = orderOf(state, orderId);
  if (order === undefined) throw new DomainError('order.unknown', 'not-found', 'There is no such order');
  return order;
}
