import { Controller, Get, Inject, Param, ParseUUIDPipe, Query } from '@nestjs/common';
import { Type } from 'class-transformer';
import { IsIn, IsInt, IsISO8601, IsString, Length, Matches, Max, MaxLength, Min } from 'class-validator';
import { platforms } from '@sejam/content';
import { DomainError, fold, readStream, type StoredEvent } from '@sejam/event-sourcing';
import { decryptFields, readSubjectKey } from '@sejam/privacy';
import { Caller, MayBeAbsent } from '@sejam/service-host';
import { isErased } from '../erasure/erasure.js';
import { PORTS, type IntakePorts } from '../intake-ports.js';
import { report, type OpenReport, type ReportEvent } from './report.js';
import { readCursor, writeCursor } from '../time-cursor.js';
import { erasedReporter, reportDocument, type ReportDocument } from './report-document.js';
import { regionCode } from './submit-report.js';

class ReportsQuery {
  @MayBeAbsent() @IsString() @Length(1, 64) reference?: string;
  @MayBeAbsent() @IsIn(['submitted', 'approved', 'declined', 'withdrawn']) status?: string;
  @MayBeAbsent() @IsString() @Length(1, 64) reportedBy?: string;
  /** A category, or the part of it before the dot. */
  @MayBeAbsent() @IsString() @Length(1, 64) category?: string;
  /** A region and all within it. */
  @MayBeAbsent() @Matches(regionCode) region?: string;
  @MayBeAbsent() @IsIn(Object.keys(platforms)) platform?: string;
  @MayBeAbsent() @IsISO8601({ strict: true }) submittedFrom?: string;
  @MayBeAbsent() @IsISO8601({ strict: true }) submittedTo?: string;
  @MayBeAbsent() @IsString() @MaxLength(200) cursor?: string;
  @MayBeAbsent() @Type(() => Number) @IsInt() @Min(1) @Max(200) limit?: number;
}

const reportId = /^[0-9a-f-]{36}$/;

/** How long a list waits until it holds what was appended before it was asked for. */
const catchUpMs = 2_000;

@Controller('v1/reports')
export class GetReports {
  constructor(@Inject(PORTS) private readonly ports: IntakePorts) {}

  @Get(':id')
  async one(@Param('id', ParseUUIDPipe) id: string, @Caller() caller: Caller): Promise<ReportDocument> {
    const history = await readStream(this.ports.store, `${report.category}-${id}`);
    const state = fold(report, history);
    if (state.status === 'none' || (caller.scope === 'own' && state.reportedBy !== caller.organisation)) {
      throw new DomainError('report.not-found', 'not-found', 'There is no such report');
    }
    const reporter = caller.organisation === state.reportedBy ? await this.#reporter(history, state) : {};
    return { ...reportDocument(state, state.lastDecisionEventId), ...reporter };
  }

  /** Newest first. Holds whatever was appended before the request came. */
  @Get()
  async list(@Query() query: ReportsQuery, @Caller() caller: Caller): Promise<{ items: ReportDocument[]; next?: string }> {
    await this.#catchUp();
    const { reference, status, reportedBy, category, region, platform, submittedFrom, submittedTo, cursor, limit = 50 } = query;
    const [beforeTime, beforeId] = cursor === undefined ? [null, null] : readCursor(cursor, reportId);
    const { rows } = await this.ports.pool.query<{ id: string; submitted_at: Date; state: OpenReport }>(
      `SELECT id, submitted_at, state FROM report
       WHERE ($1::text IS NULL OR reference = $1) AND ($2::text IS NULL OR status = $2) AND ($3::text IS NULL OR reported_by = $3)
         AND ($4::text IS NULL OR category = $4 OR starts_with(category, $4 || '.')) AND ($5::text IS NULL OR region = $5 OR starts_with(region, $5 || '.'))
         AND ($6::text IS NULL OR $6 = ANY(platforms)) AND ($7::timestamptz IS NULL OR submitted_at >= $7) AND ($8::timestamptz IS NULL OR submitted_at < $8)
         AND ($9::timestamptz IS NULL OR (submitted_at, id) < ($9, $10::uuid)) AND ($11::text IS NULL OR reported_by = $11)
       ORDER BY submitted_at DESC, id DESC LIMIT $12`,
      [
        reference ?? null, status ?? null, reportedBy ?? null, category ?? null, region ?? null, platform ?? null, submittedFrom ?? null,
        submittedTo ?? null, beforeTime, beforeId, caller.scope === 'own' ? caller.organisation : null, limit + 1,
      ],
    );
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    return {
      items: page.map(({ state }) => reportDocument(state, state.lastDecisionEventId)),
      ...(rows.length > limit && last !== undefined ? { next: writeCursor(last.submitted_at, last.id) } : {}),
    };
  }

  async #catchUp(): Promise<void> {
    for await (const { position } of this.ports.store.readAll({ prefixes: [`${report.category}-`], direction: 'backwards', limit: 1 })) {
      if (await this.ports.reports.waitFor(position, catchUpMs)) return;
      throw new DomainError('report.list-behind', 'unavailable', 'The list does not hold the newest reports yet; the request may be repeated', { retryAfterSeconds: 2 });
    }
  }

  /** Only for the organisation that submitted: the reporter is nobody else's business. Whoever was erased is not shown even where the key is still there, or there again. */
  async #reporter(history: readonly StoredEvent[], state: OpenReport): Promise<Pick<ReportDocument, 'reporter'>> {
    if (isErased(state)) return erasedReporter(state);
    const submitted = history.find((event): event is StoredEvent<Extract<ReportEvent, { type: 'ReportSubmitted' }>> => event.type === 'ReportSubmitted');
    if (submitted?.data.reporter === undefined) return {};
    const { subjectId, ...fields } = submitted.data.reporter;
    const key = await readSubjectKey(this.ports.pool, this.ports.masterKey, subjectId);
    return { reporter: key === undefined ? {} : decryptFields(key, { stream: submitted.stream, eventId: submitted.id }, fields) };
  }
}
