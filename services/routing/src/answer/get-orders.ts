import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { Type } from 'class-transformer';
import { IsIn, IsInt, IsISO8601, IsString, Max, MaxLength, Min } from 'class-validator';
import { DomainError } from '@sejam/event-sourcing';
import { MayBeAbsent } from '@sejam/service-host';
import { pageOf, readCursor } from '../paging.js';
import { PORTS, type RoutingPorts } from '../routing-ports.js';
import { takedownIdOf } from '../takedown/follow-clocks.js';
import { orderStatuses, readTakedown } from '../takedown/get-takedowns.js';
import { answersOf, orderDocument, type OrderDocument, type Recorded } from '../takedown/takedown-document.js';
import { catchUp } from '../takedown/takedown-view.js';
import { orderOf, type KnownTakedown } from '../takedown/takedown.js';

class OrdersQuery {
  @MayBeAbsent() @IsIn(orderStatuses) status?: string;
  @MayBeAbsent() @IsISO8601({ strict: true }) changedSince?: string;
  @MayBeAbsent() @IsString() @MaxLength(200) cursor?: string;
  @MayBeAbsent() @Type(() => Number) @IsInt() @Min(1) @Max(200) limit?: number;
}

export interface PlatformOrder extends OrderDocument {
  product: string;
  content: { canonicalUrl: string; contentKey: string };
  changedAt: string;
}

export interface PlatformOrderPage extends PlatformOrder {
  answers: Recorded[];
  /** The exact body of `order.issued`. */
  message: unknown;
}

/** What a platform sees: its own orders, and nobody's identity. */
@Controller('v1/platforms/:platform/orders')
export class GetOrders {
  constructor(@Inject(PORTS) private readonly ports: RoutingPorts) {}

  /** In the order of change, oldest first, so that a platform can follow by `changedSince` and cursor. */
  @Get()
  async list(@Param('platform') platform: string, @Query() query: OrdersQuery): Promise<{ items: PlatformOrder[]; next?: string }> {
    await catchUp(this.ports);
    const { status, changedSince, cursor, limit = 50 } = query;
    const [after, afterId] = cursor === undefined ? [null, null] : readCursor(cursor, /^[\w.-]{1,80}$/);
    const { rows } = await this.ports.pool.query<{ orderId: string; changedAt: Date; state: KnownTakedown }>(
      `SELECT o.order_id AS "orderId", o.changed_at AS "changedAt", t.state FROM takedown_order AS o JOIN takedown AS t ON t.id = o.takedown_id
       WHERE o.platform = $1 AND ($2::text IS NULL OR o.status = $2) AND ($3::timestamptz IS NULL OR o.changed_at >= $3)
         AND ($4::timestamptz IS NULL OR (o.changed_at, o.order_id) > ($4, $5::text))
       ORDER BY o.changed_at, o.order_id LIMIT $6`,
      [platform, status ?? null, changedSince ?? null, after, afterId, limit + 1],
    );
    const { items, next } = pageOf(rows, limit, ({ changedAt, orderId }) => [changedAt, orderId]);
    const orders = items.flatMap(({ orderId, state }) => platformOrder(state, orderId) ?? []);
    return { items: orders, ...(next === undefined ? {} : { next }) };
  }

  @Get(':orderId')
  async one(@Param('platform') platform: string, @Param('orderId') orderId: string): Promise<PlatformOrderPage> {
    const takedownId = takedownIdOf(orderId);
    if (!/^[0-9a-f-]{36}$/.test(takedownId)) throw unknownOrder();
    const { state, history } = await readTakedown(this.ports.store, takedownId).catch((error: unknown) => {
      throw error instanceof Error && 'code' in error && error.code === 'takedown.not-found' ? unknownOrder() : error;
    });
    const order = platformOrder(state, orderId);
    if (order === undefined || state.platform !== platform) throw unknownOrder();
    const issued = history.find(({ type, data }) => type === 'OrderIssued' && data.orderId === orderId);
    const message = issued?.metadata.message;
    return { ...order, answers: answersOf(history, orderId), message: message === undefined ? null : (JSON.parse(message.body) as unknown) };
  }
}

function platformOrder(state: KnownTakedown, orderId: string): PlatformOrder | undefined {
  const order = orderOf(state, orderId);
  if (order === undefined) return undefined;
  const { product, canonicalUrl, contentKey } = state;
  return { ...orderDocument(state, order), product, content: { canonicalUrl, contentKey }, changedAt: order.trail.at(-1)?.metadata.at ?? order.issuedAt };
}

function unknownOrder(): DomainError {
  return new DomainError('order.unknown', 'not-found', 'There is no such order');
}
