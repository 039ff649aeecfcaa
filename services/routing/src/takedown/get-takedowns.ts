import { Controller, Get, Inject, Param, ParseUUIDPipe, Query } from '@nestjs/common';
import { Type } from 'class-transformer';
import { IsIn, IsInt, IsISO8601, IsString, Length, Matches, Max, MaxLength, Min } from 'class-validator';
import { DomainError, fold, readStream, type EventStore, type RecordedEvent } from '@sejam/event-sourcing';
import { Caller, MayBeAbsent } from '@sejam/service-host';
import { pageOf, readCursor } from '../paging.js';
import { PORTS, type RoutingPorts } from '../routing-ports.js';
import { takedownDocument, takedownSummary, type TakedownDocument, type TakedownSummary } from './takedown-document.js';
import { catchUp } from './takedown-view.js';
import { takedown, type KnownTakedown, type TakedownEvent } from './takedown.js';

export const orderStatuses = [
  'awaiting_delivery', 'delivered', 'acknowledged', 'clarification_requested', 'refused', 'actioned', 'reinstated', 'withdrawn', 'merged',
] as const;

class TakedownsQuery {
  @MayBeAbsent() @IsString() @Length(1, 64) platform?: string;
  @MayBeAbsent() @IsIn(orderStatuses) status?: string;
  /** A category, or the part of it before the dot. */
  @MayBeAbsent() @IsString() @Length(1, 64) category?: string;
  /** A region and all within it. */
  @MayBeAbsent() @Matches(/^\d{2}(\.\d{2}){0,3}$/) region?: string;
  @MayBeAbsent() @IsString() @Length(1, 64) reportedBy?: string;
  @MayBeAbsent() @IsString() @Length(1, 64) issue?: string;
  @MayBeAbsent() @IsISO8601({ strict: true }) dueBefore?: string;
  @MayBeAbsent() @IsISO8601({ strict: true }) changedSince?: string;
  @MayBeAbsent() @IsString() @MaxLength(200) cursor?: string;
  @MayBeAbsent() @Type(() => Number) @IsInt() @Min(1) @Max(200) limit?: number;
}

@Controller('v1/takedowns')
export class GetTakedowns {
  constructor(@Inject(PORTS) private readonly ports: RoutingPorts) {}

  /** From the record itself: whatever was recorded before the request came is in it. */
  @Get(':id')
  async one(@Param('id', ParseUUIDPipe) id: string, @Caller() caller: Caller): Promise<TakedownDocument> {
    const { state, history } = await readTakedown(this.ports.store, id);
    if (!maySee(state, caller)) throw notFound();
    return takedownDocument(state, history, caller);
  }

  /** Newest first; with `changedSince` in the order of change, oldest first, so that a reader can follow. */
  @Get()
  async list(@Query() query: TakedownsQuery, @Caller() caller: Caller): Promise<{ items: TakedownSummary[]; next?: string }> {
    await catchUp(this.ports);
    const { platform, status, category, region, reportedBy, issue, dueBefore, changedSince, cursor, limit = 50 } = query;
    const [time, afterId] = cursor === undefined ? [null, null] : readCursor(cursor, /^[0-9a-f-]{36}$/);
    const follows = changedSince !== undefined;
    const { rows } = await this.ports.pool.query<{ id: string; at: Date; state: KnownTakedown }>(
      `SELECT id, ${follows ? 'changed_at' : 'opened_at'} AS at, state FROM takedown
       WHERE ($1::text IS NULL OR platform = $1) AND ($2::text IS NULL OR status = $2)
         AND ($3::text IS NULL OR category = $3 OR starts_with(category, $3 || '.'))
         AND ($4::text IS NULL OR EXISTS (SELECT FROM unnest(regions) AS r WHERE r = $4 OR starts_with(r, $4 || '.')))
         AND ($5::text IS NULL OR $5 = ANY(reporters)) AND ($6::text IS NULL OR $6 = ANY(issues))
         AND ($7::timestamptz IS NULL OR due_at < $7) AND ($8::timestamptz IS NULL OR changed_at >= $8)
         AND ($9::text IS NULL OR reporters @> ARRAY[$9])
         AND ($10::timestamptz IS NULL OR ${follows ? '(changed_at, id) > ($10, $11::uuid)' : '(opened_at, id) < ($10, $11::uuid)'})
       ORDER BY ${follows ? 'changed_at, id' : 'opened_at DESC, id DESC'} LIMIT $12`,
      [
        platform ?? null, status ?? null, category ?? null, region ?? null, caller.scope === 'own' ? null : (reportedBy ?? null), issue ?? null, dueBefore ?? null,
        changedSince ?? null, caller.scope === 'own' ? caller.organisation : null, time, afterId, limit + 1,
      ],
    );
    const { items, next } = pageOf(rows, limit, ({ at, id }) => [at, id]);
    return { items: items.map(({ state }) => takedownSummary(state, caller)), ...(next === undefined ? {} : { next }) };
  }
}

/** Throws `takedown.not-found`. */
export async function readTakedown(store: EventStore, id: string): Promise<{ state: KnownTakedown; history: RecordedEvent<TakedownEvent>[] }> {
  const history: RecordedEvent[] = await readStream(store, `${takedown.category}-${id}`);
  const state = fold(takedown, history);
  if (state.status === 'none') throw notFound();
  // Sound because `fold` has refused every type that is not of this aggregate.
  return { state, history: history as RecordedEvent<TakedownEvent>[] };
}

/** A partner sees what its reports joined; agencies and auditors see all. */
export function maySee(state: KnownTakedown, { scope, organisation }: Pick<Caller, 'scope' | 'organisation'>): boolean {
  return scope === 'all' || state.reporters.includes(organisation);
}

export function notFound(): DomainError {
  return new DomainError('takedown.not-found', 'not-found', 'There is no such takedown');
}
