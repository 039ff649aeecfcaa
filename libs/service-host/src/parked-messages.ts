import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query, type DynamicModule, type Provider, type Type as Class } from '@nestjs/common';
import { Type } from 'class-transformer';
import { IsInt, IsString, Length, Max, MaxLength, Min } from 'class-validator';
import { listParked, parkedStream, type Consumer, type ParkedMessage } from '@sejam/bus';
import { DomainError } from '@sejam/event-sourcing';
import type { Pool } from '@sejam/postgres';
import { Caller, type AccessRow } from './access.js';
import { MayBeAbsent } from './describe-input.js';
import { RequestRefused } from './problem.js';

export interface ParkedOptions {
  /** Stands before every id, so that the gateway knows whom to ask. */
  readonly service: string;
  /** The schema in which messages are parked. */
  readonly pool: Pool;
  /** By the name they were given; asked when needed, since a transport's consumer is there only after the start. */
  consumers(): Readonly<Record<string, Pick<Consumer, 'replay' | 'skip'>>>;
}

const OPTIONS = Symbol('ParkedOptions');

/** For the service's access table: `...parkedAccess`. */
export const parkedAccess: readonly AccessRow[] = [
  { method: 'GET', path: '/v1/parked', roles: ['operator'] },
  { method: 'POST', path: '/v1/parked/:id/replay', roles: ['operator'] },
  { method: 'POST', path: '/v1/parked/:id/skip', roles: ['operator'] },
];

/** A message that waits for an operator, as every service shows it. */
export type ParkedDocument = ParkedMessage;

class ParkedQuery {
  @MayBeAbsent() @IsString() @MaxLength(200) cursor?: string;
  @MayBeAbsent() @Type(() => Number) @IsInt() @Min(1) @Max(200) limit?: number;
}

class SkipBody {
  @IsString() @Length(1, 2000) reason!: string;
}

/** What became of it: `handled` or skipped with all that waited behind it, or what it waits for now. */
interface Outcome {
  id: string;
  outcome: 'handled' | 'waits';
  parked?: ParkedDocument;
}

/**
 * The operator's page of parked messages for a service's module: `const parked = parkedMessages({…})`, then `controllers: [...,
 * ...parked.controllers]`, `providers: [..., ...parked.providers]`, and `...parkedAccess` in the access table.
 */
export function parkedMessages(options: ParkedOptions): { readonly controllers: readonly Class[]; readonly providers: readonly Provider[] } {
  return { controllers: [ParkedMessages], providers: [{ provide: OPTIONS, useValue: options }] };
}

/** The same in one line of `main.ts`, for a service whose own ports need not know: `module: withParkedMessages(XModule.with(ports), {…})`. */
export function withParkedMessages(module: DynamicModule, options: ParkedOptions): DynamicModule {
  const { controllers, providers } = parkedMessages(options);
  return { ...module, controllers: [...(module.controllers ?? []), ...controllers], providers: [...(module.providers ?? []), ...providers] };
}

@Controller('v1/parked')
export class ParkedMessages {
  constructor(@Inject(OPTIONS) private readonly options: ParkedOptions) {}

  /** Oldest first. */
  @Get()
  async list(@Query() { cursor, limit = 50 }: ParkedQuery): Promise<{ items: ParkedDocument[]; next?: string }> {
    const after = cursor === undefined ? '0' : Buffer.from(cursor, 'base64url').toString('utf8');
    if (!/^\d{1,18}$/.test(after)) throw new RequestRefused(400, 'request.invalid-cursor', 'This cursor was not made here: begin without one');
    const rows = await listParked(this.options.pool, { limit: limit + 1, after });
    const items = rows.slice(0, limit);
    const last = items.at(-1);
    return { items: items.map((row) => this.#document(row)), ...(rows.length > limit && last !== undefined ? { next: Buffer.from(last.id).toString('base64url') } : {}) };
  }

  /** Tries it again, and in order what waits behind it. */
  @Post(':id/replay')
  @HttpCode(200)
  async replay(@Param('id') id: string): Promise<Outcome> {
    const { own, consumer } = await this.#find(id);
    await consumer.replay(own);
    return this.#outcome(own);
  }

  /** Does without it for ever; who decided so, and why, is remembered. */
  @Post(':id/skip')
  @HttpCode(200)
  async skip(@Param('id') id: string, @Body() { reason }: SkipBody, @Caller() { holder }: Caller): Promise<Outcome> {
    const { own, consumer } = await this.#find(id);
    await consumer.skip(own, { operator: holder, reason });
    return this.#outcome(own);
  }

  async #find(id: string): Promise<{ own: string; consumer: Pick<Consumer, 'replay' | 'skip'> }> {
    const prefix = `${this.options.service}:`;
    if (!id.startsWith(prefix)) throw new DomainError('parked.not-found', 'not-found', 'No such message is parked');
    const own = id.slice(prefix.length);
    const { consumer: name } = await parkedStream(this.options.pool, own);
    const consumer = this.options.consumers()[name];
    if (consumer === undefined) throw new Error(`Message ${id} is parked for a consumer ${name} that this service does not have`);
    return { own, consumer };
  }

  async #outcome(own: string): Promise<Outcome> {
    const id = `${this.options.service}:${own}`;
    const [row] = await listParked(this.options.pool, { limit: 1, after: String(BigInt(own) - 1n) });
    return row?.id === own ? { id, outcome: 'waits', parked: this.#document(row) } : { id, outcome: 'handled' };
  }

  #document(row: ParkedMessage): ParkedDocument {
    return { ...row, id: `${this.options.service}:${row.id}` };
  }
}
