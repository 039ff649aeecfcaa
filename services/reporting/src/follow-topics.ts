import { Controller, UseFilters } from '@nestjs/common';
import { Ctx, EventPattern } from '@nestjs/microservices';
import { ErrorsAsTheyAre, MessageContext, type TopicHandler } from '@sejam/bus';
import { applyClockMessages } from './clock/clock-view.js';
import { applyReportMessages } from './report/report-view.js';
import { applyTakedownMessages } from './takedown/takedown-view.js';

/** What each topic does to the views. A rebuild uses the same. */
export const viewHandlers: Readonly<Record<string, TopicHandler>> = {
  'sejam.intake.v1': { kind: 'view', handle: applyReportMessages },
  'sejam.takedown.v1': { kind: 'view', handle: applyTakedownMessages },
  'sejam.sla.v1': { kind: 'view', handle: applyClockMessages },
};

const batch = { batch: true };

/** Every topic feeds the views; rows and inbox are committed together. */
@Controller()
@UseFilters(ErrorsAsTheyAre)
export class FollowTopics {
  @EventPattern('sejam.intake.v1', undefined, batch)
  reports(@Ctx() { tx, messages }: MessageContext): Promise<void> {
    return applyReportMessages(tx, messages);
  }

  @EventPattern('sejam.takedown.v1', undefined, batch)
  takedowns(@Ctx() { tx, messages }: MessageContext): Promise<void> {
    return applyTakedownMessages(tx, messages);
  }

  @EventPattern('sejam.sla.v1', undefined, batch)
  clocks(@Ctx() { tx, messages }: MessageContext): Promise<void> {
    return applyClockMessages(tx, messages);
  }
}
