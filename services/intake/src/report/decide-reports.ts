import { Body, Controller, HttpCode, Inject, Param, ParseUUIDPipe, Post } from '@nestjs/common';
import { Type } from 'class-transformer';
import { ArrayMaxSize, ArrayMinSize, ArrayUnique, IsArray, IsIn, IsObject, IsString, Length, Matches, MaxLength, ValidateNested } from 'class-validator';
import { categories, contentForms, requestableActions } from '@sejam/contracts';
import { Caller, currentContext, MayBeAbsent, problemOf, RequestCause, RequestRefused, ValidateInput, type Problem } from '@sejam/service-host';
import { PORTS, type IntakePorts } from '../intake-ports.js';
import { partOf } from './idempotency-keys.js';
import { amend, approve, decline, report, withdraw, type Decider, type OpenReport, type Report, type ReportEvent, type Statement } from './report.js';
import { reportDocument, type ReportDocument } from './report-document.js';
import { EvidenceBody, IssueBody, languageTag, refuseUnknownLegalBasis, regionCode, targetPattern } from './submit-report.js';

const webUrl = /^https?:\/\/\S+$/;

class FactCheckBody {
  @MayBeAbsent() @IsString() @MaxLength(2048) @Matches(webUrl) url?: string;
  @MayBeAbsent() @IsString() @Length(1, 2000) statement?: string;
}

class ApproveBody {
  @IsString() @Length(20, 2000) reasons!: string;
  @IsIn(requestableActions) requestedAction!: string;
  @MayBeAbsent() @IsArray() @ArrayMinSize(1) @ArrayMaxSize(10) @ArrayUnique() @IsString({ each: true }) legalBasis?: string[];
  @MayBeAbsent() @IsObject() @ValidateNested() @Type(() => FactCheckBody) factCheck?: FactCheckBody;
  @MayBeAbsent() @IsString() @MaxLength(2048) @Matches(webUrl) clarificationUrl?: string;
  /** ISO 3166-1 alpha-2. */
  @MayBeAbsent() @IsArray() @ArrayMinSize(1) @ArrayMaxSize(50) @ArrayUnique() @Matches(/^[A-Z]{2}$/, { each: true }) territories?: string[];
  @MayBeAbsent() @IsArray() @ArrayMinSize(1) @ArrayMaxSize(50) @ArrayUnique() @IsString({ each: true }) contents?: string[];
}

class DeclineBody {
  @IsString() @Length(1, 2000) reason!: string;
  @MayBeAbsent() @IsArray() @ArrayMinSize(1) @ArrayMaxSize(50) @ArrayUnique() @IsString({ each: true }) contents?: string[];
}

class WithdrawBody {
  @IsString() @Length(1, 2000) reason!: string;
}

class ChangesBody {
  @MayBeAbsent() @IsIn(categories) category?: string;
  @MayBeAbsent() @IsIn(contentForms) contentForm?: string;
  @MayBeAbsent() @IsString() @Matches(languageTag) language?: string;
  @MayBeAbsent() @IsObject() @ValidateNested() @Type(() => IssueBody) issue?: IssueBody;
  @MayBeAbsent() @IsArray() @ArrayMinSize(1) @ArrayMaxSize(10) @ArrayUnique() @IsString({ each: true }) legalBasis?: string[];
  @MayBeAbsent() @IsString() @Matches(regionCode) region?: string;
  @MayBeAbsent() @IsString() @Matches(targetPattern) target?: string;
  @MayBeAbsent() @IsString() @Length(1, 2000) summary?: string;
  @MayBeAbsent() @IsArray() @ArrayMaxSize(20) @IsObject({ each: true }) @ValidateNested({ each: true }) @Type(() => EvidenceBody) evidence?: EvidenceBody[];
}

class AmendBody {
  @IsObject() @ValidateNested() @Type(() => ChangesBody) changes!: ChangesBody;
  @IsString() @Length(1, 2000) reason!: string;
}

class DecisionBody {
  @IsString() @Matches(/^[0-9a-f-]{36}$/) reportId!: string;
  @MayBeAbsent() @IsObject() @ValidateNested() @Type(() => ApproveBody) approval?: ApproveBody;
  @MayBeAbsent() @IsObject() @ValidateNested() @Type(() => DeclineBody) decline?: DeclineBody;
}

class DecisionsBody {
  /** Each is checked by itself: one bad decision fails alone. */
  @IsArray() @ArrayMinSize(1) @ArrayMaxSize(200) decisions!: unknown[];
}

interface DecisionResult {
  index: number;
  status: number;
  report?: ReportDocument;
  problem?: Problem;
}

@Controller('v1/reports')
export class DecideReports {
  readonly #validate = new ValidateInput();

  constructor(@Inject(PORTS) private readonly ports: IntakePorts) {}

  @Post(':id/approval')
  @HttpCode(200)
  approve(@Param('id', ParseUUIDPipe) id: string, @Body() body: ApproveBody, @Caller() caller: Caller, @RequestCause() cause: RequestCause): Promise<ReportDocument> {
    return this.#approve(id, body, caller, cause);
  }

  @Post(':id/decline')
  @HttpCode(200)
  decline(@Param('id', ParseUUIDPipe) id: string, @Body() body: DeclineBody, @Caller() caller: Caller, @RequestCause() cause: RequestCause): Promise<ReportDocument> {
    return this.#decline(id, body, caller, cause);
  }

  @Post('decisions')
  @HttpCode(207)
  async decideMany(@Body() { decisions }: DecisionsBody, @Caller() caller: Caller, @RequestCause() cause: RequestCause): Promise<{ results: DecisionResult[] }> {
    const results: DecisionResult[] = [];
    // One after the other: several may concern one report.
    for (const [index, item] of decisions.entries()) results.push(await this.#decideOne(item, index, caller, cause));
    return { results };
  }

  @Post(':id/amendment')
  @HttpCode(200)
  amend(@Param('id', ParseUUIDPipe) id: string, @Body() { changes, reason }: AmendBody, @Caller() caller: Caller, @RequestCause() cause: RequestCause): Promise<ReportDocument> {
    refuseUnknownLegalBasis(changes.legalBasis, this.ports.legalBases);
    return this.#transact(id, cause, (state) => amend(hidden(state, caller), { organisation: caller.organisation, changes: changes as Partial<Statement>, reason }));
  }

  @Post(':id/withdrawal')
  @HttpCode(200)
  withdraw(@Param('id', ParseUUIDPipe) id: string, @Body() { reason }: WithdrawBody, @Caller() caller: Caller, @RequestCause() cause: RequestCause): Promise<ReportDocument> {
    return this.#transact(id, cause, (state) => withdraw(hidden(state, caller), { organisation: caller.organisation, reason }));
  }

  #approve(id: string, body: ApproveBody, caller: Caller, cause: RequestCause): Promise<ReportDocument> {
    refuseUnknownLegalBasis(body.legalBasis, this.ports.legalBases);
    return this.#transact(id, cause, (state) => approve(state, this.#decider(caller), body), body.contents);
  }

  #decline(id: string, body: DeclineBody, caller: Caller, cause: RequestCause): Promise<ReportDocument> {
    return this.#transact(id, cause, (state) => decline(state, this.#decider(caller), body), body.contents);
  }

  async #decideOne(item: unknown, index: number, caller: Caller, cause: RequestCause): Promise<DecisionResult> {
    try {
      const body = (await this.#validate.transform(item, { type: 'body', metatype: DecisionBody })) as DecisionBody;
      const own = partOf(cause, index, item);
      const decided = oneOf(body);
      const report = decided.approval === undefined ? await this.#decline(body.reportId, decided.decline, caller, own) : await this.#approve(body.reportId, decided.approval, caller, own);
      return { index, status: 200, report };
    } catch (error) {
      const { problem, defect } = problemOf(error, currentContext()?.requestId ?? cause.causationId);
      if (defect) throw error;
      return { index, status: problem.status, problem };
    }
  }

  #decider({ organisation, holder }: Caller): Decider {
    return { organisation, holder, executor: this.ports.directory.organisation(organisation)?.executor ?? organisation };
  }

  /** `contents`: which of them the decision is about, so that the same decision again answers with the event that first said so. */
  async #transact(id: string, cause: RequestCause, decide: (state: Report) => ReportEvent[], contents?: readonly string[]): Promise<ReportDocument> {
    const { events, state, replayed } = await this.ports.transact(report, id, cause, decide);
    if (state.status === 'none') throw new Error(`Report ${id} was decided on and is not there`);
    if (!replayed && events.length > 0) this.ports.metrics.accepted.inc({ what: 'decision' });
    return reportDocument(state, events[0]?.id ?? earlierEventId(state, contents));
  }
}

function earlierEventId(state: OpenReport, contents?: readonly string[]): string {
  const decided = contents === undefined ? undefined : state.contents.find(({ contentKey }) => contents.includes(contentKey));
  return decided?.decidedEventId ?? state.lastDecisionEventId ?? state.submittedEventId;
}

/** To a partner another's report does not exist. */
function hidden(state: Report, caller: Caller): Report {
  return state.status !== 'none' && caller.scope === 'own' && state.reportedBy !== caller.organisation ? report.initialState : state;
}

function oneOf({ approval, decline }: DecisionBody): { approval: ApproveBody; decline?: never } | { approval?: never; decline: DeclineBody } {
  if (approval !== undefined && decline === undefined) return { approval };
  if (decline !== undefined && approval === undefined) return { decline };
  throw new RequestRefused(422, 'request.invalid', 'A decision is either an approval or a decline', { errors: [{ pointer: '/approval', code: 'one-of', detail: 'Give approval or decline' }] });
}
