import { Controller, Get, Inject, Query } from '@nestjs/common';
import { Type } from 'class-transformer';
import { IsInt, IsString, Length, Max, MaxLength, Min } from 'class-validator';
import type { Client } from '@sejam/postgres';
import { MayBeAbsent } from '@sejam/service-host';
import { pageOf, readCursor } from '../paging.js';
import { PORTS, type RoutingPorts } from '../routing-ports.js';

/** Longer bodies are cut: this is for finding a fault, not evidence. */
const BODY_KEPT_MAX = 20_000;

export interface RefusedWebhook {
  readonly platform: string;
  readonly webhookId: string;
  readonly code: string;
  readonly status: number;
  readonly detail: string;
  readonly body: string;
}

/** A kept table: what a platform sent under a valid signature and was refused all the same. A stranger's noise never gets here. */
export class RefusedWebhooks {
  constructor(private readonly client: Client) {}

  /** Once for each webhook and code, however often it is repeated. `at` is wall time. */
  async keep({ platform, webhookId, code, status, detail, body }: RefusedWebhook, at: Date): Promise<void> {
    await this.client.query(
      `INSERT INTO refused_webhook (platform, webhook_id, code, status, detail, body, first_at, last_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
       ON CONFLICT (platform, webhook_id, code) DO UPDATE SET times = refused_webhook.times + 1, last_at = excluded.last_at`,
      [platform, webhookId, code, status, detail, body.slice(0, BODY_KEPT_MAX).replaceAll('\0', '\uFFFD'), at],
    );
  }
}

class RefusedQuery {
  @MayBeAbsent() @IsString() @Length(1, 64) platform?: string;
  @MayBeAbsent() @IsString() @MaxLength(200) cursor?: string;
  @MayBeAbsent() @Type(() => Number) @IsInt() @Min(1) @Max(200) limit?: number;
}

interface Listed extends RefusedWebhook {
  readonly firstAt: Date;
  readonly lastAt: Date;
  readonly times: number;
}

@Controller('v1/refused-webhooks')
export class GetRefusedWebhooks {
  constructor(@Inject(PORTS) private readonly ports: RoutingPorts) {}

  /** The latest first. */
  @Get()
  async list(@Query() { platform, cursor, limit = 50 }: RefusedQuery): Promise<{ items: Listed[]; next?: string }> {
    const [before, id] = cursor === undefined ? [null, null] : readCursor(cursor, /^\d{1,18}$/);
    const { rows } = await this.ports.pool.query<Listed & { id: number }>(
      `SELECT id, platform, webhook_id AS "webhookId", code, status, detail, body, first_at AS "firstAt", last_at AS "lastAt", times FROM refused_webhook
       WHERE ($1::text IS NULL OR platform = $1) AND ($2::timestamptz IS NULL OR (last_at, id) < ($2, $3::bigint))
       ORDER BY last_at DESC, id DESC LIMIT $4`,
      [platform ?? null, before, id, limit + 1],
    );
    const { items, next } = pageOf(rows, limit, ({ lastAt, id: last }) => [lastAt, String(last)]);
    return { items: items.map(({ id: _id, ...refused }) => refused), ...(next === undefined ? {} : { next }) };
  }
}
