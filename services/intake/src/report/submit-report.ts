import { randomUUID } from 'node:crypto';
import { Body, Controller, HttpCode, Inject, Post, Res } from '@nestjs/common';
import { ApiOperation } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { ArrayMaxSize, ArrayMinSize, ArrayUnique, IsArray, IsIn, IsInt, IsObject, IsString, Length, Matches, Max, MaxLength, Min, ValidateNested } from 'class-validator';
import type { FastifyReply } from 'fastify';
import { identify, reportIdOf, takedownIdOf } from '@sejam/content';
import { categories, contentForms, type LegalBasis } from '@sejam/contracts';
import { DomainError } from '@sejam/event-sourcing';
import { createSubjectKey, encryptFields, forgetSubjects } from '@sejam/privacy';
import { Caller, currentContext, fingerprint, MayBeAbsent, problemOf, RequestCause, RequestRefused, ValidateInput, type Problem } from '@sejam/service-host';
import { PORTS, type IntakePorts } from '../intake-ports.js';
import { partOf } from './idempotency-keys.js';
import { report, submit, type ReportedContent, type RefusedUrl, type Statement, type Submission } from './report.js';
import { erasedReporter, reportDocument, type ReportDocument } from './report-document.js';

export class IssueBody {
  @IsString() @Length(1, 64) reference!: string;
  @IsString() @Length(1, 200) title!: string;
}

export class EvidenceBody {
  @IsString() @Matches(/^[a-z]+\/[a-z0-9.+-]{1,100}$/) mediaType!: string;
  @IsString() @Matches(/^[0-9a-f]{64}$/) sha256!: string;
  @IsInt() @Min(0) @Max(Number.MAX_SAFE_INTEGER) size!: number;
  @IsString() @MaxLength(2048) @Matches(/^https?:\/\/\S+$/) uri!: string;
}

class ContentBody {
  @IsString() url!: string;
  @MayBeAbsent() @IsString() @Length(1, 500) note?: string;
}

class ReporterBody {
  @MayBeAbsent() @IsString() @Length(1, 200) name?: string;
  @MayBeAbsent() @IsString() @Length(1, 200) contact?: string;
}

/** A Kemendagri/BPS code: province, regency or city, district, village, such as `32.73`. */
export const regionCode = /^\d{2}(\.\d{2}(\.\d{2}(\.\d{4})?)?)?$/;
export const targetPattern = /^(voters|candidate:\d{1,3}|(party|organiser):[a-z0-9][a-z0-9_-]{0,63})$/;
export const languageTag = /^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$/;

export class SubmitReportBody {
  @IsString() @Length(1, 64) @Matches(/^\P{Cc}+$/u, { message: 'reference may not hold control characters' }) reference!: string;
  @IsIn(categories) category!: string;
  @IsIn(contentForms) contentForm!: string;
  @MayBeAbsent() @IsString() @Matches(languageTag) language?: string;
  @MayBeAbsent() @IsObject() @ValidateNested() @Type(() => IssueBody) issue?: IssueBody;
  @MayBeAbsent() @IsArray() @ArrayMinSize(1) @ArrayMaxSize(10) @ArrayUnique() @IsString({ each: true }) legalBasis?: string[];
  @IsString() @Matches(regionCode) region!: string;
  @MayBeAbsent() @IsString() @Matches(targetPattern) target?: string;
  @IsString() @Length(1, 2000) summary!: string;
  @IsArray() @ArrayMinSize(1) @ArrayMaxSize(50) @IsObject({ each: true }) @ValidateNested({ each: true }) @Type(() => ContentBody) contents!: ContentBody[];
  @MayBeAbsent() @IsArray() @ArrayMaxSize(20) @IsObject({ each: true }) @ValidateNested({ each: true }) @Type(() => EvidenceBody) evidence?: EvidenceBody[];
  @MayBeAbsent() @IsObject() @ValidateNested() @Type(() => ReporterBody) reporter?: ReporterBody;
}

class SubmitReportsBody {
  /** Each is checked by itself: one bad report fails alone. */
  @IsArray() @ArrayMinSize(1) reports!: unknown[];
}

interface BatchResult {
  index: number;
  status: number;
  report?: ReportDocument;
  problem?: Problem;
}

const batchReportsMax = 1_000;
const batchContentsMax = 5_000;
/** Enough to keep one group commit of the record full while the next is made. */
const batchConcurrency = 64;

@Controller('v1/reports')
export class SubmitReport {
  readonly #validate = new ValidateInput();

  constructor(@Inject(PORTS) private readonly ports: IntakePorts) {}

  @Post()
  @ApiOperation({
    summary: 'Submits a report; the same organisation and reference again is the same report',
    description:
      '`reporter` is kept encrypted, shown to nobody but the organisation that submitted the report, and can be erased (`/v1/privacy/erasures`). ' +
      'Everything else is recorded in clear for ever, the free text and the URLs of reported content among it: write no personal data there.',
  })
  async submit(@Body() body: SubmitReportBody, @Caller() caller: Caller, @RequestCause() cause: RequestCause, @Res({ passthrough: true }) reply: FastifyReply): Promise<ReportDocument> {
    const { created, document } = await submitReport(this.ports, body, caller, cause);
    void reply.status(created ? 201 : 200).header('location', `/v1/reports/${document.id}`);
    return document;
  }

  @Post('batch')
  @HttpCode(207)
  async submitMany(@Body() { reports }: SubmitReportsBody, @Caller() caller: Caller, @RequestCause() cause: RequestCause): Promise<{ results: BatchResult[] }> {
    refuseTooMany(reports);
    const results: BatchResult[] = [];
    let next = 0;
    const worker = async (): Promise<void> => {
      for (let index = next++; index < reports.length; index = next++) results[index] = await this.#submitOne(reports[index], index, caller, cause);
    };
    await Promise.all(Array.from({ length: Math.min(batchConcurrency, reports.length) }, worker));
    return { results };
  }

  async #submitOne(item: unknown, index: number, caller: Caller, cause: RequestCause): Promise<BatchResult> {
    try {
      const body = (await this.#validate.transform(item, { type: 'body', metatype: SubmitReportBody })) as SubmitReportBody;
      const { created, document } = await submitReport(this.ports, body, caller, partOf(cause, index, item));
      return { index, status: created ? 201 : 200, report: document };
    } catch (error) {
      const { problem, defect } = problemOf(error, currentContext()?.requestId ?? cause.causationId);
      if (defect) throw error;
      return { index, status: problem.status, problem };
    }
  }
}

function refuseTooMany(reports: readonly unknown[]): void {
  const contents = reports.reduce<number>((sum, item) => {
    const list = (item as { contents?: unknown } | null)?.contents;
    return sum + (Array.isArray(list) ? list.length : 0);
  }, 0);
  if (reports.length > batchReportsMax || contents > batchContentsMax) {
    throw new RequestRefused(413, 'request.too-large', `A batch holds at most ${batchReportsMax} reports and ${batchContentsMax} contents`);
  }
}

/**
 * Records a report, once per organisation and reference. Throws `report.reference-conflict`, `report.no-routable-content` (recorded as
 * unroutable all the same), `report.legal-basis-unknown`, `request.key-reused`.
 */
async function submitReport(ports: IntakePorts, body: SubmitReportBody, caller: Caller, requested: RequestCause): Promise<{ created: boolean; document: ReportDocument }> {
  refuseUnknownLegalBasis(body.legalBasis, ports.legalBases);
  const { reporter, ...request } = body;
  const submission = submissionOf(request, caller.organisation);
  const { reportId, requestSha256 } = submission;
  // A hash over a name and a telephone number is soon guessed: none may stand in the record, where no erasure reaches it.
  const cause = requested.request === undefined ? requested : { ...requested, request: { sha256: requestSha256 } };
  await ports.idempotencyKeys.refuseReuse(cause);

  const subject = reporter === undefined || submission.contents.length === 0 ? undefined : await createSubjectKey(ports.pool, ports.masterKey, randomUUID());
  const { events, state, replayed } = await ports.transact(report, reportId, { ...cause, assumeNew: true }, (current, { idOf }) => {
    const sealed = subject === undefined ? {} : { reporter: { subjectId: subject.subjectId, ...encryptFields(subject, { stream: `report-${reportId}`, eventId: idOf(0) }, { ...reporter }) } };
    return submit(current, { ...submission, ...sealed });
  });
  const created = !replayed && events.length > 0;
  if (subject !== undefined && !created) await forgetSubjects(ports.pool, [subject.subjectId]);
  if (state.status === 'none') throw noRoutableContent(submission.refused);
  ports.idempotencyKeys.remember(cause);
  if (created) ports.metrics.accepted.inc({ what: 'report' });
  return { created, document: { ...reportDocument(state), ...erasedReporter(state) } };
}

export function refuseUnknownLegalBasis(codes: readonly string[] | undefined, known: ReadonlyMap<string, LegalBasis>): void {
  const index = codes?.findIndex((code) => !known.has(code)) ?? -1;
  if (index === -1) return;
  throw new DomainError('report.legal-basis-unknown', 'invalid', `There is no legal basis ${codes?.[index]?.slice(0, 64)} in the list`, { pointer: `/legalBasis/${index}` });
}

/** The request without its reporter, as intake understands it: every URL identified, one content per key. */
function submissionOf(request: Omit<SubmitReportBody, 'reporter'>, reportedBy: string): Submission {
  const { reference, contents: urls, ...statement } = request;
  const contents = new Map<string, ReportedContent>();
  const refused: RefusedUrl[] = [];
  for (const [index, { url, note }] of urls.entries()) {
    const identified = identify(url);
    if ('refused' in identified) {
      refused.push({ index, submittedUrl: url.slice(0, 2048), ...identified.refused });
      continue;
    }
    const { canonicalUrl, contentKey, platform, product, provisional } = identified;
    const first = contents.get(contentKey);
    if (first === undefined) {
      contents.set(contentKey, {
        index, submittedUrl: url, canonicalUrl, contentKey, platform, product, provisional, takedownId: takedownIdOf(contentKey),
        ...(note === undefined ? {} : { note }),
      });
    } else {
      (first.alsoSubmittedAs ??= []).push({ index, url });
    }
  }
  return {
    reportId: reportIdOf(reportedBy, reference),
    reference,
    reportedBy,
    requestSha256: fingerprint(request),
    statement: statement as Statement,
    contents: [...contents.values()],
    refused,
  };
}

function noRoutableContent(refused: readonly RefusedUrl[]): RequestRefused {
  const errors = refused.map(({ index, code, detail }) => ({ pointer: `/contents/${index}/url`, code, detail }));
  return new RequestRefused(422, 'report.no-routable-content', 'None of the URLs names content of a product that takes part', { errors });
}
