import { Controller, Get, Inject, Query } from '@nestjs/common';
import { Type } from 'class-transformer';
import { IsInt, IsString, Length, Max, MaxLength, Min } from 'class-validator';
import { Caller, MayBeAbsent, RequestRefused } from '@sejam/service-host';
import { PORTS, type ReportingPorts } from '../reporting-ports.js';
import { cardColumns, cardOf, countOpen, countUnjoined, ownOnly, ownParameters, type Card, type CardRow, type PlatformCount } from './open-orders.js';

class BoardQuery {
  @MayBeAbsent() @IsString() @Length(1, 64) platform?: string;
  @MayBeAbsent() @IsString() @MaxLength(200) cursor?: string;
  @MayBeAbsent() @Type(() => Number) @IsInt() @Min(1) @Max(200) limit?: number;
}

export interface Board {
  /** Domain time. */
  readonly at: string;
  readonly speed: number;
  readonly platforms: readonly PlatformCount[];
  readonly alarms?: { readonly approvedWithoutTakedown: number };
  /** Least time left first; `secondsLeft` is negative when overdue. */
  readonly items: readonly (Card & { secondsLeft: number })[];
  readonly next?: string;
}

@Controller('v1/board')
export class GetBoard {
  constructor(@Inject(PORTS) private readonly ports: ReportingPorts) {}

  @Get()
  async board(@Query() { platform, cursor, limit = 100 }: BoardQuery, @Caller() caller: Caller): Promise<Board> {
    const { pool, clock } = this.ports;
    const now = clock.now();
    const [afterDue, afterTakedown, afterRound] = cursor === undefined ? [null, null, null] : readCursor(cursor);
    const platforms = await countOpen(pool, caller, now);
    const { rows } = await pool.query<CardRow & { due_at: Date; takedown_id: string }>(
      `SELECT o.due_at, o.takedown_id, ${cardColumns} FROM placed_order o JOIN takedown t ON t.id = o.takedown_id
       WHERE o.open AND ${ownOnly('$1', '$2')} AND ($3::text IS NULL OR o.platform = $3)
         AND ($4::timestamptz IS NULL OR (o.due_at, o.takedown_id, o.round) > ($4, $5::uuid, $6::int))
       ORDER BY o.due_at, o.takedown_id, o.round LIMIT $7`,
      [...ownParameters(caller), platform ?? null, afterDue, afterTakedown, afterRound, limit + 1],
    );
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    return {
      at: now.toISOString(),
      speed: clock.speed,
      platforms,
      ...(caller.scope === 'all' ? { alarms: { approvedWithoutTakedown: await countUnjoined(pool, now) } } : {}),
      items: page.map((row) => {
        const card = cardOf(row);
        return { ...card, secondsLeft: Math.round((Date.parse(card.dueAt) - now.getTime()) / 1000) };
      }),
      ...(rows.length > limit && last !== undefined ? { next: writeCursor(last.due_at, last.takedown_id, last.round) } : {}),
    };
  }
}

const writeCursor = (due: Date, takedownId: string, round: number): string => Buffer.from(`${due.toISOString()} ${takedownId} ${round}`).toString('base64url');

function readCursor(cursor: string): [string, string, number] {
  const [due = '', takedownId = '', round = ''] = Buffer.from(cursor, 'base64url').toString('utf8').split(' ');
  if (Number.isNaN(Date.parse(due)) || !/^[0-9a-f-]{36}$/.test(takedownId) || !/^\d{1,6}$/.test(round)) {
    throw new RequestRefused(400, 'request.invalid-cursor', 'This cursor was not made here: begin without one');
  }
  return [due, takedownId, Number(round)];
}
