import { setTimeout as delay } from 'node:timers/promises';
import { Controller, Inject } from '@nestjs/common';
import { Ctx, EventPattern } from '@nestjs/microservices';
import { MessageContext } from '@sejam/bus';
import { understand } from '@sejam/contracts';
import { PORTS, type IntakePorts } from '../intake-ports.js';
import { passDecisionDeadline, report } from './report.js';

@Controller()
export class PassDecisionDeadline {
  constructor(@Inject(PORTS) private readonly ports: IntakePorts) {}

  /**
   * sla says that a decision clock is due; whether it passed is decided here, from the report's own stream and time. The other messages of
   * the topic are none of intake's business.
   */
  @EventPattern<string>('sejam.sla.v1', { appends: true })
  async onClock(@Ctx() { message }: MessageContext): Promise<void> {
    const known = understand('sejam.sla.v1', message.type, message.data);
    if (known?.type !== 'DeadlineReached' || known.data.clock !== 'decision' || known.data.reportId === undefined) return;
    // Our own clock must be past due as well, whatever sla's says.
    const waitMs = this.ports.clock.wallMsUntil(new Date(known.data.due));
    if (waitMs >= 0) await delay(waitMs + 1);
    const causationId = `event:${message.id}`;
    const cause = { causationId, correlationId: message.correlationId ?? causationId, traceparent: message.traceparent, by: { organisation: 'sejam', holder: 'system:intake' } };
    await this.ports.transact(report, known.data.reportId, cause, (state, { at }) => passDecisionDeadline(state, { at }));
  }
}
