import { Controller, Get, Inject, Query } from '@nestjs/common';
import { Matches } from 'class-validator';
import { MayBeAbsent, RequestRefused } from '@sejam/service-host';
import { PORTS, type SlaPorts } from '../sla-ports.js';

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

class ClocksQuery {
  @MayBeAbsent() @Matches(uuid) takedownId?: string;
  @MayBeAbsent() @Matches(uuid) reportId?: string;
  @MayBeAbsent() @Matches(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.[1-9]\d{0,4}$/) orderId?: string;
}

interface Row {
  clock: string;
  run: number;
  order_id: string | null;
  report_id: string | null;
  takedown_id: string | null;
  platform: string | null;
  status: string;
  paused: boolean;
  started_at: Date;
  due_at: Date;
  decided_by: string | null;
  decided_at: Date | null;
  terms: object | null;
}

interface ClockDocument {
  kind: string;
  run: number;
  status: string;
  startedAt: Date;
  dueAt: Date;
  takedownId?: string;
  orderId?: string;
  reportId?: string;
  platform?: string;
  /** The event that met it, or the first one that was recorded after it was due. */
  metBy?: { event: string; at: Date | null };
  missedAt?: { event: string; at: Date | null };
  terms?: object;
}

@Controller('v1/clocks')
export class GetClocks {
  constructor(@Inject(PORTS) private readonly ports: SlaPorts) {}

  /** Of a takedown, an order or a report, in the order in which they started. */
  @Get()
  async list(@Query() { takedownId, reportId, orderId }: ClocksQuery): Promise<{ items: ClockDocument[] }> {
    if (takedownId === undefined && reportId === undefined && orderId === undefined) {
      throw new RequestRefused(400, 'request.invalid-parameter', 'Say whose clocks: takedownId, reportId or orderId', { errors: [{ pointer: '?takedownId', code: 'required', detail: 'Give one of takedownId, reportId and orderId' }] });
    }
    const { rows } = await this.ports.pool.query<Row>(
      `SELECT clock, run, order_id, report_id, takedown_id, platform, status, paused, started_at, due_at, decided_by, decided_at, terms FROM clock
       WHERE ($1::text IS NULL OR takedown_id = $1) AND ($2::text IS NULL OR report_id = $2) AND ($3::text IS NULL OR order_id = $3)
       ORDER BY started_at, clock, run`,
      [takedownId ?? null, reportId ?? null, orderId ?? null],
    );
    return { items: rows.map(clockDocument) };
  }
}

function clockDocument(row: Row): ClockDocument {
  const decided = row.decided_by === null ? undefined : { event: row.decided_by, at: row.decided_at };
  return {
    kind: row.clock,
    run: row.run,
    status: row.status === 'running' && row.paused ? 'paused' : row.status,
    startedAt: row.started_at,
    dueAt: row.due_at,
    ...(row.takedown_id === null ? {} : { takedownId: row.takedown_id }),
    ...(row.order_id === null ? {} : { orderId: row.order_id }),
    ...(row.report_id === null ? {} : { reportId: row.report_id }),
    ...(row.platform === null ? {} : { platform: row.platform }),
    ...(decided === undefined ? {} : row.status === 'met' ? { metBy: decided } : { missedAt: decided }),
    ...(row.terms === null ? {} : { terms: row.terms }),
  };
}
