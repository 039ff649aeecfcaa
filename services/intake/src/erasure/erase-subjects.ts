import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiOperation } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsIn, IsInt, IsObject, IsString, Length, Matches, Max, MaxLength, Min, ValidateIf, ValidateNested } from 'class-validator';
import type { FastifyReply } from 'fastify';
import { fold, readStream, type Aggregate, type DomainEvent, type RecordedEvent } from '@sejam/event-sourcing';
import { tx } from '@sejam/postgres';
import { Caller, MayBeAbsent, RequestCause } from '@sejam/service-host';
import { PORTS, type IntakePorts } from '../intake-ports.js';
import { officerOf, organisation } from '../organisation/organisation.js';
import { report, reporterOf } from '../report/report.js';
import { readCursor, writeCursor } from '../time-cursor.js';
import { confirmErasure, erasureNotFound, findErasure, requestErasure, standingErasure, withdrawErasure, type Erasure, type ErasureEvent, type ErasureSubject, type WithErasures } from './erasure.js';
import { applyErasures, forget, forgotten, isForgotten } from './erasure-view.js';
import { isErasureEvent } from './publish-erasure.js';

const holderId = /^officer:[a-z0-9-]{1,92}$/;
const organisationId = /^[a-z0-9][a-z0-9_-]{0,62}$/;
const erasureId = /^(?:report-([0-9a-f-]{36})|organisation-([a-z0-9][a-z0-9_-]{0,62}))\.\d{1,6}$/;
/** It stays in the record for ever: nothing like an address, and fewer digits than a telephone number has. */
const impersonal = /^(?!(?:\D*\d){9})[^@\p{Cc}]+$/u;
const impersonally = { message: 'reason says why and never who: no names, addresses or numbers of a person; it stays in the record for ever' };

class SubjectBody {
  @IsIn(['reporter', 'officer']) kind!: 'reporter' | 'officer';
  /** Of a reporter: the report that names the person. */
  @ValidateIf(({ kind }: Partial<SubjectBody>) => kind === 'reporter') @IsString() @Matches(/^[0-9a-f-]{36}$/) reportId!: string;
  @ValidateIf(({ kind }: Partial<SubjectBody>) => kind === 'officer') @IsString() @Matches(organisationId) organisation!: string;
  @ValidateIf(({ kind }: Partial<SubjectBody>) => kind === 'officer') @IsString() @Matches(holderId) holder!: string;
}

class RequestErasureBody {
  @IsObject() @ValidateNested() @Type(() => SubjectBody) subject!: SubjectBody;
  @IsString() @Length(1, 200) @Matches(impersonal, impersonally) reason!: string;
  /** The number of the file that holds the person's request. */
  @MayBeAbsent() @IsString() @Matches(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,63}$/) reference?: string;
}

class WithdrawErasureBody {
  @IsString() @Length(1, 200) @Matches(impersonal, impersonally) reason!: string;
}

class ErasuresQuery {
  @MayBeAbsent() @IsIn(['requested', 'withdrawn', 'confirmed', 'completed']) state?: string;
  @MayBeAbsent() @IsString() @MaxLength(300) cursor?: string;
  @MayBeAbsent() @Type(() => Number) @IsInt() @Min(1) @Max(200) limit?: number;
}

/** `completed`: confirmed, and nothing is left in this installation's live tables that the data could be read with. */
interface ErasureDocument {
  id: string;
  subject: { kind: 'reporter'; reportId: string } | { kind: 'officer'; organisation: string; holder: string };
  state: Erasure['state'] | 'completed';
  reason: string;
  reference?: string;
  requestedAt: string;
  requestedByHolder: string;
  confirmedAt?: string;
  confirmedByHolder?: string;
  withdrawnAt?: string;
  withdrawnByHolder?: string;
  eventId: string;
}

/** What there is of the person is the reporter's name and contact, or the officer's name; what a report says of its contents is no part of it. */
@Controller('v1/privacy/erasures')
export class EraseSubjects {
  constructor(@Inject(PORTS) private readonly ports: IntakePorts) {}

  @Post()
  @ApiOperation({
    summary: 'Asks that the reporter of a report, or the name of an officer, be erased; a second holder confirms it',
    description:
      'Erased are the name and contact of a reporter, and the name of an officer. Free text and the URLs of reported content are public acts and are not erasable; ' +
      'an officer stays in the record as a holder id. A person who is the reporter of several reports is erased report by report. 200 when it was asked for before.',
  })
  async request(@Body() { subject, ...why }: RequestErasureBody, @RequestCause() cause: RequestCause, @Res({ passthrough: true }) reply: FastifyReply): Promise<ErasureDocument> {
    await this.ports.idempotencyKeys.refuseReuse(cause);
    const { reportId, organisation: organisationId, holder } = subject;
    const { erasure, created } =
      subject.kind === 'reporter'
        ? await this.#request(report, reportId, reporterOf, why, cause)
        : await this.#request(organisation, organisationId, (state) => officerOf(state, holder), why, cause);
    this.ports.idempotencyKeys.remember(cause);
    void reply.status(created ? 201 : 200).header('location', `/v1/privacy/erasures/${erasure.erasureId}`);
    return this.#document(erasure, erasure.requestedEventId);
  }

  @Post(':id/confirmation')
  @HttpCode(200)
  @ApiOperation({ summary: 'Erases: recorded as SubjectErased, then the key is deleted. For an operator other than the one who asked; cannot be undone' })
  async confirm(@Param('id') id: string, @Caller() { holder }: Caller, @RequestCause() cause: RequestCause): Promise<ErasureDocument> {
    const erasure = await this.#decide(id, cause, (state) => confirmErasure(state, { erasureId: id, holder }));
    // Also when it was recorded before: then whoever recorded it may have ended before the deletion.
    await forget(this.ports.pool, [erasure.subject]);
    return this.#document(erasure);
  }

  @Post(':id/withdrawal')
  @HttpCode(200)
  @ApiOperation({ summary: 'Takes back a request that was not confirmed yet' })
  async withdraw(@Param('id') id: string, @Body() { reason }: WithdrawErasureBody, @RequestCause() cause: RequestCause): Promise<ErasureDocument> {
    return this.#document(await this.#decide(id, cause, (state) => withdrawErasure(state, { erasureId: id, reason })));
  }

  @Get(':id')
  async one(@Param('id') id: string): Promise<ErasureDocument> {
    const owner = ownerOf(id);
    const history = await readStream(this.ports.store, `${owner.category}-${owner.id}`);
    return this.#document(findErasure(owner.category === 'report' ? fold(report, history) : fold(organisation, history), id));
  }

  /** Newest first. */
  @Get()
  async list(@Query() { state, cursor, limit = 50 }: ErasuresQuery): Promise<{ items: ErasureDocument[]; next?: string }> {
    const [beforeTime, beforeId] = cursor === undefined ? [null, null] : readCursor(cursor, erasureId);
    const { rows } = await this.ports.pool.query<{ requested_at: Date; erasure: Erasure; completed: boolean }>(
      `SELECT requested_at, erasure, completed
       FROM (SELECT *, state = 'confirmed' AND ${forgotten('subject')} AS completed FROM erasure) AS erasures
       WHERE ($1::text IS NULL OR CASE WHEN completed THEN 'completed' ELSE state END = $1) AND ($2::timestamptz IS NULL OR (requested_at, id) < ($2, $3::text))
       ORDER BY requested_at DESC, id DESC LIMIT $4`,
      [state ?? null, beforeTime, beforeId, limit + 1],
    );
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    return {
      items: page.map(({ erasure, completed }) => erasureDocument(erasure, completed)),
      ...(rows.length > limit && last !== undefined ? { next: writeCursor(last.requested_at, last.erasure.erasureId) } : {}),
    };
  }

  async #request<State extends WithErasures, Event extends DomainEvent>(
    aggregate: Aggregate<State, Event | ErasureEvent>,
    streamId: string,
    subjectIn: (state: State) => ErasureSubject,
    why: Omit<RequestErasureBody, 'subject'>,
    cause: RequestCause,
  ): Promise<{ erasure: Erasure; created: boolean }> {
    const stream = `${aggregate.category}-${streamId}`;
    const { recorded, state, replayed } = await this.#transact(aggregate, streamId, cause, (current) => requestErasure(current, stream, { subject: subjectIn(current), ...why }));
    const erasure = recorded[0] === undefined ? standingErasure(state, subjectIn(state)) : findErasure(state, recorded[0].data.erasureId);
    if (erasure === undefined) throw new Error(`An erasure was asked for on ${stream} and is not there`);
    return { erasure, created: recorded.length > 0 && !replayed };
  }

  async #decide(id: string, cause: RequestCause, decide: (state: WithErasures) => ErasureEvent[]): Promise<Erasure> {
    const owner = ownerOf(id);
    const { state } = owner.category === 'report' ? await this.#transact(report, owner.id, cause, decide) : await this.#transact(organisation, owner.id, cause, decide);
    return findErasure(state, id);
  }

  /** The rows at once too, so that a list holds what was just answered. */
  async #transact<State, Event extends DomainEvent>(
    aggregate: Aggregate<State, Event | ErasureEvent>,
    streamId: string,
    cause: RequestCause,
    decide: (state: State) => ErasureEvent[],
  ): Promise<{ recorded: RecordedEvent<ErasureEvent>[]; state: State; replayed: boolean }> {
    const { events, state, replayed } = await this.ports.transact(aggregate, streamId, cause, decide);
    await tx(this.ports.pool, (client) => applyErasures(client, events));
    return { recorded: events.filter(isErasureEvent) as RecordedEvent<ErasureEvent>[], state, replayed };
  }

  async #document(erasure: Erasure, eventId?: string): Promise<ErasureDocument> {
    const completed = erasure.state === 'confirmed' && (await isForgotten(this.ports.pool, erasure.subject));
    return erasureDocument(erasure, completed, eventId);
  }
}

/** The stream that an erasure's id names. */
function ownerOf(id: string): { category: 'report' | 'organisation'; id: string } {
  const [, reportId, organisationId] = erasureId.exec(id) ?? [];
  if (reportId !== undefined) return { category: 'report', id: reportId };
  if (organisationId !== undefined) return { category: 'organisation', id: organisationId };
  throw erasureNotFound();
}

function erasureDocument(erasure: Erasure, completed: boolean, eventId = erasure.ended?.eventId ?? erasure.requestedEventId): ErasureDocument {
  const { erasureId: id, subject, state, reason, reference, requestedAt, requestedByHolder, ended } = erasure;
  return {
    id,
    subject: subject.kind === 'reporter' ? { kind: subject.kind, reportId: subject.reportId } : subject,
    state: completed ? 'completed' : state,
    reason,
    ...(reference === undefined ? {} : { reference }),
    requestedAt,
    requestedByHolder,
    ...(state === 'confirmed' && ended !== undefined ? { confirmedAt: ended.at, confirmedByHolder: ended.byHolder } : {}),
    ...(state === 'withdrawn' && ended !== undefined ? { withdrawnAt: ended.at, withdrawnByHolder: ended.byHolder } : {}),
    eventId,
  };
}
