import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { IsISO8601, Matches } from 'class-validator';
import { DomainError } from '@sejam/event-sourcing';
import { MayBeAbsent } from '@sejam/service-host';
import { PORTS, type AuditPorts } from '../audit-ports.js';
import { takedownAsOf, type TakedownState } from '../replay/takedown-state.js';
import type { StreamEvent } from '../verdict/stream-event.js';

class TakedownParameters {
  @Matches(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/) id!: string;
}

class TakedownQuery {
  /** Domain time; without it, now. */
  @MayBeAbsent() @IsISO8601({ strict: true }) at?: string;
}

@Controller('v1/audit/takedowns')
export class GetTakedown {
  constructor(@Inject(PORTS) private readonly ports: AuditPorts) {}

  /** What the record said of a takedown at a moment, nothing that was recorded later. */
  @Get(':id')
  async asOf(@Param() { id }: TakedownParameters, @Query() { at }: TakedownQuery): Promise<TakedownState> {
    const stream = `takedown-${id}`;
    const events: StreamEvent[] = [];
    for await (const { id: eventId, type, revision, metadata, data } of this.ports.store.read(stream)) {
      events.push({ id: eventId, type, revision, at: metadata.at, by: metadata.by, ...(metadata.proof === undefined ? {} : { proof: metadata.proof }), data: data as Record<string, unknown> });
    }
    const moment = at === undefined ? this.ports.clock.now() : new Date(at);
    const state = takedownAsOf(stream, events, moment.toISOString());
    if (state === undefined) throw new DomainError('takedown.not-found', 'not-found', 'The record knew no such takedown at that time');
    return state;
  }
}
