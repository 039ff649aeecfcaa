import { Controller, Get, Inject, Query } from '@nestjs/common';
import { MayBeAbsent } from '@sejam/service-host';
import { Type } from 'class-transformer';
import { IsIn, IsInt, IsString, Max, Min } from 'class-validator';
import { Outbox } from '../answer/outbox.js';
import { Inbox } from './inbox.js';
import { contentKeyOf, platforms } from './order.js';

class OrdersQuery {
  @MayBeAbsent() @IsIn(platforms) platform?: string;
  @MayBeAbsent() @IsString() orderId?: string;
  @MayBeAbsent() @IsString() contentKey?: string;
  @MayBeAbsent() @Type(() => Number) @IsInt() @Min(1) @Max(10_000) limit?: number;
}

class AnswersQuery {
  @MayBeAbsent() @IsIn(platforms) platform?: string;
  @MayBeAbsent() @IsString() orderId?: string;
  @MayBeAbsent() @IsIn(['planned', 'accepted', 'refused', 'cancelled']) state?: string;
  @MayBeAbsent() @Type(() => Number) @IsInt() @Min(1) @Max(10_000) limit?: number;
}

/** What the platforms have received, and what they answered to it: for whoever plays with the script, and for tests. */
@Controller()
export class ListOrders {
  constructor(
    @Inject(Inbox) private readonly inbox: Inbox,
    @Inject(Outbox) private readonly outbox: Outbox,
  ) {}

  @Get('/orders')
  orders(@Query() { limit = 200, ...query }: OrdersQuery) {
    const items = this.inbox.list({ ...query, limit }).map(({ platform, webhookId, receivedAt, via, proof, attempts, message, behaviour, body }) => ({
      platform, webhookId, type: message.type, orderId: message.data.orderId, contentKey: contentKeyOf(message),
      receivedAt, via, proof, attempts, behaviour: behaviour?.name, body: JSON.parse(body) as unknown,
    }));
    return { items };
  }

  @Get('/answers')
  answers(@Query() { limit = 200, ...query }: AnswersQuery) {
    return { items: this.outbox.list({ ...query, limit }).map(({ body, ...answer }) => ({ ...answer, body: JSON.parse(body) as unknown })) };
  }
}
