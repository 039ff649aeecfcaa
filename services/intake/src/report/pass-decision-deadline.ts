import { setTimeout as delay } from 'node:timers/promises';
import type { BusMessage } from '@sejam/bus';
import { understand } from '@sejam/contracts';
import type { DomainClock, Transact } from '@sejam/event-sourcing';
import { passDecisionDeadline, report } from './report.js';

/**
 * sla says that a decision clock is due; whether it passed is decided here, from the report's own stream and time. Other messages of the
 * topic are none of intake's business.
 */
export async function passDecisionDeadlineOn(message: BusMessage, { transact, clock }: { transact: Transact; clock: DomainClock }): Promise<void> {
  const known = understand('sejam.sla.v1', message.type, message.data);
  if (known?.type !== 'DeadlineReached' || known.data.clock !== 'decision' || known.data.reportId === undefined) return;
  // Our own clock must be past due as well, whatever sla's says.
  const waitMs = clock.wallMsUntil(new Date(known.data.due));
  if (waitMs >= 0) await delay(waitMs + 1);
  const causationId = `event:${message.id}`;
  await transact(
    report,
    known.data.reportId,
    { causationId, correlationId: message.correlationId ?? causationId, traceparent: message.traceparent, by: { organisation: 'sejam', holder: 'system:intake' } },
    (state, { at }) => passDecisionDeadline(state, { at }),
  );
}
