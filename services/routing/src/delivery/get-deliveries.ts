import { Controller, Get, HttpCode, Inject, Param, ParseUUIDPipe, Post, Query } from '@nestjs/common';
import { Type } from 'class-transformer';
import { IsIn, IsInt, IsString, Length, Max, MaxLength, Min } from 'class-validator';
import { DomainError } from '@sejam/event-sourcing';
import { MayBeAbsent } from '@sejam/service-host';
import { pageOf, readCursor } from '../paging.js';
import { PORTS, type RoutingPorts } from '../routing-ports.js';
import { catchUp } from '../takedown/takedown-view.js';

const statuses = ['pending', 'delivered', 'failing', 'parked', 'superseded'] as const;

class DeliveriesQuery {
  /** `failing`: it waits and was tried before; `superseded`: the order was closed before it arrived. */
  @MayBeAbsent() @IsIn(statuses) status?: (typeof statuses)[number];
  @MayBeAbsent() @IsString() @Length(1, 64) platform?: string;
  @MayBeAbsent() @IsString() @MaxLength(200) cursor?: string;
  @MayBeAbsent() @Type(() => Number) @IsInt() @Min(1) @Max(200) limit?: number;
}

export interface DeliveryDocument {
  /** The `webhook-id`. */
  id: string;
  platform: string;
  type: string;
  orderId: string;
  takedownId: string;
  status: (typeof statuses)[number];
  attempts: number;
  at: Date;
  dueAt: Date | null;
  lastAttemptAt: Date | null;
  lastCause: string | null;
  deemed: boolean;
  deliveredAt: Date | null;
  via: string | null;
}

const shownStatus = `CASE WHEN status = 'pending' AND attempts > 0 THEN 'failing' ELSE status END`;
const columns = `webhook_id AS id, platform, type, order_id AS "orderId", takedown_id AS "takedownId", ${shownStatus} AS status, attempts, at,
  CASE WHEN status = 'pending' THEN due_at END AS "dueAt", last_attempt_at AS "lastAttemptAt", last_cause AS "lastCause", deemed, delivered_at AS "deliveredAt", via`;

/** What goes to platforms and how it fares, for the operator. */
@Controller('v1/deliveries')
export class GetDeliveries {
  constructor(@Inject(PORTS) private readonly ports: RoutingPorts) {}

  /** The latest first. */
  @Get()
  async list(@Query() { status, platform, cursor, limit = 50 }: DeliveriesQuery): Promise<{ items: DeliveryDocument[]; next?: string }> {
    const { store, pool, delivery } = this.ports;
    await catchUp({ store, takedownView: delivery.view });
    const [before, id] = cursor === undefined ? [null, null] : readCursor(cursor, /^[0-9a-f-]{36}$/);
    const { rows } = await pool.query<DeliveryDocument>(
      `SELECT ${columns} FROM delivery WHERE ($1::text IS NULL OR ${shownStatus} = $1 OR ($1 = 'pending' AND status = 'pending')) AND ($2::text IS NULL OR platform = $2)
         AND ($3::timestamptz IS NULL OR (at, webhook_id) < ($3, $4::uuid))
       ORDER BY at DESC, webhook_id DESC LIMIT $5`,
      [status ?? null, platform ?? null, before, id, limit + 1],
    );
    const { items, next } = pageOf(rows, limit, ({ at, id: last }) => [at, last]);
    return { items: [...items], ...(next === undefined ? {} : { next }) };
  }

  /** Tries it again now, also when it was parked, and lets go what was parked behind it. */
  @Post(':id/retry')
  @HttpCode(200)
  async retry(@Param('id', ParseUUIDPipe) id: string): Promise<DeliveryDocument> {
    const { pool, clock, delivery } = this.ports;
    const retried = await delivery.courier.queue.retry(id, clock.now());
    const { rows } = await pool.query<DeliveryDocument>(`SELECT ${columns} FROM delivery WHERE webhook_id = $1`, [id]);
    if (retried === undefined || rows[0] === undefined) throw new DomainError('delivery.not-found', 'not-found', 'There is no such delivery');
    delivery.courier.wake(retried.platform);
    return rows[0];
  }
}
