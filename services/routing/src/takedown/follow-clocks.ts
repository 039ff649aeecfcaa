import type { BusMessage } from '@sejam/bus';
import { understand } from '@sejam/contracts';
import { DomainError, type DomainClock } from '@sejam/event-sourcing';
import type { Takedowns } from './act-on-takedown.js';
import { passDeadline, warn } from './deadline.js';
import { causeOf } from './follow-reports.js';
import type { Clock } from './takedown.js';

/** Acts on what sla tells of orders' clocks: warns a platform, and records a deadline as passed if the takedown's own stream says so. */
export async function followClocks({ takedowns, clock }: { takedowns: Takedowns; clock: DomainClock }, message: BusMessage): Promise<void> {
  const told = understand('sejam.sla.v1', message.type, message.data);
  if (told?.type !== 'DeadlineApproaching' && told?.type !== 'DeadlineReached') return;
  const { orderId, run, due } = told.data;
  // The decision clock is a report's, and intake's to judge.
  if (orderId === undefined) return;
  const takedownId = takedownIdOf(orderId);
  if (told.type === 'DeadlineApproaching') {
    if (told.data.clock !== 'resolution') return;
    await takedowns.actHere(takedownId, causeOf(message, orderId), (state, { at }) => warn(state, { orderId, run, at }));
    return;
  }
  await pastDue(clock, new Date(due));
  const named = { clock: told.data.clock as Clock, orderId, run, due };
  await takedowns.actHere(takedownId, causeOf(message, orderId), (state, { at }) => {
    if (at.getTime() > Date.parse(due)) return passDeadline(state, named);
    throw new DomainError('deadline.not-due', 'unavailable', 'The clock of this machine was set back; the deadline is looked at again');
  });
}

/** `<takedownId>.<round>` */
export function takedownIdOf(orderId: string): string {
  return orderId.slice(0, orderId.lastIndexOf('.'));
}

/** Another process's clock may run ahead of ours; an answer that comes in at the due time by our clock is still in time. */
async function pastDue(clock: DomainClock, due: Date): Promise<void> {
  while (clock.now().getTime() <= due.getTime()) {
    const waitMs = Math.min(1_000, Math.max(1, clock.wallMsUntil(due)));
    await new Promise((resolve) => {
      setTimeout(resolve, waitMs);
    });
  }
}
