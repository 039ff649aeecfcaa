import { Controller, Get, Inject, Query, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiProduces } from '@nestjs/swagger';
import { IsIn, IsString, Length, Matches } from 'class-validator';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Caller, MayBeAbsent } from '@sejam/service-host';
import { answerStream } from '../answer-stream.js';
import { ownOnly, ownParameters } from '../board/open-orders.js';
import { PORTS, type ReportingPorts } from '../reporting-ports.js';
import { spanOf } from '../statistics/local-time.js';
import { answeredAt, clocksOf, firstAt, resolutionOf, statusOf, type FollowedTakedown } from '../takedown/followed-takedown.js';
import { csvLine } from './csv-line.js';

class ExportQuery {
  /** Of the takedown's opening; half-open. */
  @MayBeAbsent() @IsString() @Length(10, 35) from?: string;
  @MayBeAbsent() @IsString() @Length(10, 35) to?: string;
  @MayBeAbsent() @IsString() @Length(1, 64) tz?: string;
  @MayBeAbsent() @IsString() @Length(1, 64) platform?: string;
  /** A category, or the part of it before the dot. */
  @MayBeAbsent() @Matches(/^[a-z_]+(\.[a-z_]+)?$/) category?: string;
  @MayBeAbsent() @IsIn(['include', 'exclude']) test?: string;
}

const pageSize = 1_000;

/** The columns of an export, in their order: one row a takedown, the order fields of its newest order. Columns are added at the end only. */
const exportColumns = [
  'takedownId', 'contentKey', 'platform', 'product', 'canonicalUrl', 'category', 'region', 'issue', 'status', 'openedAt', 'reports', 'reportedBy', 'round',
  'orderId', 'requestedAction', 'decidedBy', 'issuedBy', 'issuedAt', 'deliveredAt', 'deemed', 'dueAt', 'answeredAt', 'resolution', 'action', 'asRequested',
  'refusal', 'objection', 'verification', 'reinstated', 'withdrawal', 'mergedInto', 'test',
] as const;
type ExportRow = Record<(typeof exportColumns)[number], string | number | boolean | null>;

@Controller('v1/exports')
export class ExportTakedowns {
  constructor(@Inject(PORTS) private readonly ports: ReportingPorts) {}

  @Get('takedowns.csv')
  @ApiOperation({ summary: 'Every takedown the caller may see, as RFC 4180 CSV; cells that a spreadsheet would run begin with an apostrophe' })
  @ApiProduces('text/csv')
  async csv(@Req() request: FastifyRequest, @Res() reply: FastifyReply, @Query() query: ExportQuery, @Caller() caller: Caller): Promise<void> {
    const headers = { 'content-type': 'text/csv; charset=utf-8; header=present', 'content-disposition': 'attachment; filename="takedowns.csv"' };
    await this.#answer({ request, reply, headers }, query, caller, csvLine(exportColumns), (row) => csvLine(exportColumns.map((column) => row[column])));
  }

  @Get('takedowns.ndjson')
  @ApiOperation({ summary: 'Every takedown the caller may see, one JSON object a line' })
  @ApiProduces('application/x-ndjson')
  async ndjson(@Req() request: FastifyRequest, @Res() reply: FastifyReply, @Query() query: ExportQuery, @Caller() caller: Caller): Promise<void> {
    const headers = { 'content-type': 'application/x-ndjson', 'content-disposition': 'attachment; filename="takedowns.ndjson"' };
    await this.#answer({ request, reply, headers }, query, caller, '', (row) => `${JSON.stringify(row)}\n`);
  }

  async #answer(answer: { request: FastifyRequest; reply: FastifyReply; headers: Record<string, string> }, query: ExportQuery, caller: Caller, head: string, line: (row: ExportRow) => string): Promise<void> {
    const span = spanOf(query);
    const { pool, closing } = this.ports;
    async function* pages(signal: AbortSignal): AsyncGenerator<string> {
      let text = head;
      for (let after = '00000000-0000-0000-0000-000000000000'; !signal.aborted; ) {
        // A page a statement, by the key: no transaction stays open while a slow client reads, and no takedown comes twice.
        const { rows } = await pool.query<{ id: string; state: FollowedTakedown }>(
          `SELECT t.id, t.state FROM takedown t
           WHERE t.id > $1::uuid AND ${ownOnly('$2', '$3')} AND ($4::timestamptz IS NULL OR t.opened_at >= $4) AND ($5::timestamptz IS NULL OR t.opened_at < $5)
             AND ($6::text IS NULL OR t.platform = $6) AND ($7::text IS NULL OR t.category = $7 OR starts_with(t.category, $7 || '.'))
           ORDER BY t.id LIMIT ${pageSize}`,
          [after, ...ownParameters(caller), span.from, span.to, query.platform ?? null, query.category ?? null],
        );
        for (const { state } of rows) {
          const row = rowOf(state, caller);
          if (row.test !== true || query.test === 'include') text += line(row);
        }
        yield text;
        text = '';
        const last = rows.at(-1);
        if (last === undefined || rows.length < pageSize) return;
        after = last.id;
      }
      throw new Error('The export was cut short');
    }
    await answerStream({ ...answer, closing }, pages);
  }
}

/** Platforms learn nothing of who reported, partners nothing of the others who did. */
function rowOf(takedown: FollowedTakedown, { scope, kind, organisation }: Pick<Caller, 'scope' | 'kind' | 'organisation'>): ExportRow {
  const order = takedown.orders.at(-1);
  const clocks = order === undefined ? [] : clocksOf(order, takedown.lastAt);
  const visible = scope === 'all' ? takedown.reports : kind === 'platform' ? [] : takedown.reports.filter(({ reportedBy }) => reportedBy === organisation);
  const { id, contentKey, platform, product, canonicalUrl, category, openedAt, mergedInto } = takedown;
  return {
    takedownId: id, contentKey, platform, product, canonicalUrl, category, region: visible[0]?.region ?? null,
    issue: visible.find(({ issue }) => issue !== undefined)?.issue ?? null, status: statusOf(takedown), openedAt,
    reports: kind === 'platform' ? null : visible.length,
    reportedBy: visible.length === 0 ? null : [...new Set(visible.map(({ reportedBy }) => reportedBy))].join(' '),
    round: order?.round ?? null, orderId: order === undefined ? null : `${id}.${order.round}`, requestedAction: order?.requestedAction ?? null,
    decidedBy: order?.decidedBy ?? null, issuedBy: order?.issuedBy ?? null, issuedAt: order?.issuedAt ?? null,
    deliveredAt: (order && firstAt(order, 'delivered', 'deemed_delivered')) ?? null,
    deemed: order === undefined ? null : order.firsts.some(([what]) => what === 'deemed_delivered'),
    dueAt: clocks.findLast(({ clock }) => clock === 'resolution')?.due.toISOString() ?? null,
    answeredAt: (order && answeredAt(order)) ?? null, resolution: resolutionOf(clocks) ?? null,
    action: order?.action?.action ?? null, asRequested: order?.action?.asRequested ?? null, refusal: order?.refusal?.reason ?? null,
    objection: order?.objection ?? null, verification: order?.verification ?? null, reinstated: order === undefined ? null : order.reinstated !== undefined,
    withdrawal: order?.withdrawal?.cause ?? null, mergedInto: mergedInto ?? null, test: order?.test ?? null,
  };
}
