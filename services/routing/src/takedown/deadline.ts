import { clockOf } from './order-clocks.js';
import { isOpen, orderOf, type Clock, type Order, type Takedown, type TakedownEvent } from './takedown.js';

/**
 * One warning for each run of the resolution clock, while the order is open and its time is not over. `due` in the event is what the
 * stream says now, not what sla knew.
 */
export function warn(state: Takedown, { orderId, run, at }: { orderId: string; run: number; at: Date }): TakedownEvent[] {
  const order = orderOf(state, orderId);
  const clock = order && clockOf(order, 'resolution', run);
  if (order === undefined || clock === undefined) return [];
  const toLate = at.getTime() >= clock.due.getTime();
  if (toLate || clock.met || !isOpen(order) || order.warned.includes(`resolution/${run}`)) return [];
  return [{ type: 'WarningIssued', data: { orderId, clock: 'resolution', run, due: clock.due.toISOString() } }];
}

/**
 * sla saw this due time come. The takedown's own stream decides: nothing, where due has moved, the order is withdrawn or merged, or an
 * event that meets the clock stands at or before due. Must not be called before the caller's clock is past `due`.
 */
export function passDeadline(state: Takedown, named: { clock: Clock; orderId: string; run: number; due: string }): TakedownEvent[] {
  const { orderId, run } = named;
  const order = orderOf(state, orderId);
  const clock = order && clockOf(order, named.clock, run);
  if (order === undefined || clock === undefined || isStopped(order) || clock.met) return [];
  const due = clock.due.toISOString();
  const passed = order.passed.some((one) => one.clock === named.clock && one.run === run && one.due === due);
  if (passed || Date.parse(named.due) !== clock.due.getTime()) return [];
  const event: TakedownEvent = { type: 'DeadlinePassed', data: { clock: named.clock, orderId, run, due } };
  if (named.clock !== 'resolution') return [event];
  return [event, { type: 'EscalationDue', data: { orderId, level: 1 } }, { type: 'EscalationDue', data: { orderId, level: 2 } }];
}

/** Withdrawn or merged at any time, also when the content was reinstated afterwards. */
function isStopped({ withdrawal, status }: Order): boolean {
  return withdrawal !== undefined || status === 'merged';
}
