import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { Type } from 'class-transformer';
import { IsInt, IsUUID, Max, Min } from 'class-validator';
import { DomainError } from '@sejam/event-sourcing';
import { MayBeAbsent } from '@sejam/service-host';
import { PORTS, type RoutingPorts } from '../routing-ports.js';
import { catchUp } from '../takedown/takedown-view.js';

class MessagesQuery {
  /** The `webhookId` of the last message known. */
  @MayBeAbsent() @IsUUID() after?: string;
  @MayBeAbsent() @Type(() => Number) @IsInt() @Min(1) @Max(200) limit?: number;
}

export interface FeedMessage {
  webhookId: string;
  type: string;
  orderId: string;
  /** The exact body, as it was or is to be posted. */
  body: string;
  at: Date;
}

/** The feed of a platform: for one without an endpoint, and for one that was down. */
@Controller('v1/platforms/:platform/messages')
export class GetMessages {
  constructor(@Inject(PORTS) private readonly ports: RoutingPorts) {}

  /** In order, from the first one on; nothing is ever taken out. */
  @Get()
  async list(@Param('platform') platform: string, @Query() { after, limit = 50 }: MessagesQuery): Promise<{ items: FeedMessage[]; next?: string }> {
    const { store, pool, delivery } = this.ports;
    await catchUp({ store, takedownView: delivery.view });
    let place = 0;
    if (after !== undefined) {
      const { rows } = await pool.query<{ place: number }>('SELECT place FROM delivery WHERE webhook_id = $1 AND platform = $2', [after, platform]);
      if (rows[0] === undefined) throw new DomainError('message.unknown', 'not-found', 'There is no such message of this platform: begin without `after`');
      ({ place } = rows[0]);
    }
    const { rows } = await pool.query<FeedMessage>(
      'SELECT webhook_id AS "webhookId", type, order_id AS "orderId", body, at FROM delivery WHERE platform = $1 AND place > $2 ORDER BY place LIMIT $3',
      [platform, place, limit + 1],
    );
    const items = rows.slice(0, limit);
    const last = items.at(-1);
    return { items, ...(rows.length > limit && last !== undefined ? { next: last.webhookId } : {}) };
  }
}
