import { DomainError, type Aggregate, type Decided, type RecordedEvent } from '@sejam/event-sourcing';
import { decisionDue } from '@sejam/deadlines';
import { erasureEventTypes, evolveErasures, noSuchSubject, type Erasure, type ErasureEvent, type ErasureSubject } from '../erasure/erasure.js';

export interface ReportedContent {
  /** Its place in the request's `contents`. */
  index: number;
  submittedUrl: string;
  canonicalUrl: string;
  contentKey: string;
  platform: string;
  product: string;
  /** A short link whose content is not known yet. */
  provisional: boolean;
  takedownId: string;
  note?: string;
  /** Further URLs of the same request that name the same content. */
  alsoSubmittedAs?: { index: number; url: string }[];
}

export interface RefusedUrl {
  index: number;
  submittedUrl: string;
  code: string;
  detail: string;
}

export interface Evidence {
  mediaType: string;
  sha256: string;
  size: number;
  uri: string;
}

/** What the report says of its contents; what an amendment may change. */
export interface Statement {
  category: string;
  contentForm: string;
  language?: string;
  issue?: { reference: string; title: string };
  legalBasis?: string[];
  region: string;
  target?: string;
  summary: string;
  evidence?: Evidence[];
}

export interface FactCheck {
  url?: string;
  statement?: string;
}

// Events are permanent: add optional fields freely, never rename or remove one.
export type ReportEvent =
  | {
      type: 'ReportSubmitted';
      data: {
        reportId: string;
        reference: string;
        reportedBy: string;
        /** SHA-256, hex, of the RFC 8785 form of the request without `reporter`: what a repeat is compared with. */
        requestSha256: string;
        statement: Statement;
        contents: ReportedContent[];
        refused?: RefusedUrl[];
        /** Each value AES-256-GCM under the subject's key, additional data = stream, event id and field; never published. */
        reporter?: { subjectId: string; name?: string; contact?: string };
      };
    }
  /** No content could be routed: status stays none and the reference stays free. Kept for the statistics. */
  | {
      type: 'ReportUnroutable';
      data: {
        reportId: string;
        reference: string;
        reportedBy: string;
        requestSha256: string;
        category: string;
        region: string;
        refused: RefusedUrl[];
      };
    }
  /** The whole statement as it stands now; `changed` names the fields that differ from before. */
  | { type: 'ReportAmended'; data: { reportId: string; statement: Statement; changed: (keyof Statement)[]; reason: string } }
  | {
      type: 'ContentsApproved';
      data: {
        reportId: string;
        reference: string;
        reportedBy: string;
        submittedAt: string;
        decidedBy: string;
        issuedBy: string;
        contents: ReportedContent[];
        /** The report's statement as it was approved, so that the event can be acted on alone. */
        statement: Statement;
        reasons: string;
        requestedAction: string;
        legalBasis: string[];
        factCheck?: FactCheck;
        clarificationUrl?: string;
        territories?: string[];
        /** Holder ids that may not rule on an objection: who submitted and who approved. */
        submittedByHolder: string;
        approvedByHolder: string;
        /** Contents of the report that are still undecided after this event: 0 meets the decision clock. */
        undecided: number;
      };
    }
  | {
      type: 'ContentsDeclined';
      data: { reportId: string; decidedBy: string; contents: { contentKey: string; takedownId: string }[]; reason: string; undecided: number };
    }
  /** `approved`: the contents whose takedowns this report leaves. */
  | { type: 'ReportWithdrawn'; data: { reportId: string; reason: string; approved: { contentKey: string; takedownId: string }[] } }
  | { type: 'DeadlinePassed'; data: { clock: 'decision'; reportId: string; run: 1; due: string } }
  | ErasureEvent;

export type ReportStatus = 'submitted' | 'approved' | 'declined' | 'withdrawn';

/** What the decisions below look at, and what an answer to a request shows. */
export interface OpenReport {
  status: ReportStatus;
  reportId: string;
  reference: string;
  reportedBy: string;
  submittedByHolder: string;
  submittedAt: string;
  submittedEventId: string;
  requestSha256: string;
  statement: Statement;
  contents: readonly DecidedContent[];
  refused: readonly RefusedUrl[];
  decisionDeadlinePassed: boolean;
  /** Recorded time of the decision that left no content undecided. */
  fullyDecidedAt?: string;
  /** The newest amendment, decision or withdrawal. */
  lastDecisionEventId?: string;
  /** Of the key under which the record holds the reporter, where the report names one. */
  reporterSubjectId?: string;
  erasures?: readonly Erasure[];
}

export interface DecidedContent extends ReportedContent {
  decision: 'pending' | 'approved' | 'declined';
  decidedBy?: string;
  decidedEventId?: string;
}

export type Report = { status: 'none'; unroutable: readonly { requestSha256: string; eventId: string }[] } | OpenReport;

export const report: Aggregate<Report, ReportEvent> = {
  category: 'report',
  initialState: { status: 'none', unroutable: [] },
  eventTypes: [
    'ReportSubmitted', 'ReportUnroutable', 'ReportAmended', 'ContentsApproved', 'ContentsDeclined', 'ReportWithdrawn', 'DeadlinePassed',
    ...erasureEventTypes,
  ],
  evolve: (state, event): Report => {
    if (event.type === 'ReportSubmitted') {
      const { reportId, reference, reportedBy, requestSha256, statement, contents, refused = [], reporter } = event.data;
      return {
        status: 'submitted', reportId, reference, reportedBy, requestSha256, statement, refused,
        submittedByHolder: event.metadata.by.holder,
        submittedAt: event.metadata.at,
        submittedEventId: event.id,
        contents: contents.map((content) => ({ ...content, decision: 'pending' as const })),
        decisionDeadlinePassed: false,
        ...(reporter === undefined ? {} : { reporterSubjectId: reporter.subjectId }),
      };
    }
    if (state.status === 'none') {
      if (event.type !== 'ReportUnroutable') return state;
      return { ...state, unroutable: [...state.unroutable, { requestSha256: event.data.requestSha256, eventId: event.id }] };
    }
    switch (event.type) {
      case 'ReportUnroutable':
        return state;
      case 'ReportAmended':
        return { ...state, statement: event.data.statement, lastDecisionEventId: event.id };
      case 'ContentsApproved':
        return withDecision(state, event, 'approved');
      case 'ContentsDeclined':
        return withDecision(state, event, 'declined');
      case 'ReportWithdrawn':
        return { ...state, status: 'withdrawn', lastDecisionEventId: event.id };
      case 'DeadlinePassed':
        return { ...state, decisionDeadlinePassed: true };
      case 'ErasureRequested':
      case 'ErasureWithdrawn':
      case 'SubjectErased':
        return { ...state, erasures: evolveErasures(state, event) };
    }
  },
};

function withDecision(state: OpenReport, { id, data, metadata }: RecordedEvent<Extract<ReportEvent, { type: 'ContentsApproved' | 'ContentsDeclined' }>>, decision: 'approved' | 'declined'): OpenReport {
  const keys = new Set(data.contents.map(({ contentKey }) => contentKey));
  const contents = state.contents.map((content) => (keys.has(content.contentKey) ? { ...content, decision, decidedBy: data.decidedBy, decidedEventId: id } : content));
  const status = statusOf(contents);
  return { ...state, contents, status, lastDecisionEventId: id, ...(status === 'submitted' ? {} : { fullyDecidedAt: metadata.at }) };
}

function statusOf(contents: readonly DecidedContent[]): ReportStatus {
  if (contents.some(({ decision }) => decision === 'pending')) return 'submitted';
  return contents.some(({ decision }) => decision === 'approved') ? 'approved' : 'declined';
}

/** Who decides: `executor` carries out what this agency decides (itself, where it has none). */
export interface Decider {
  organisation: string;
  holder: string;
  executor: string;
}

export interface Submission {
  reportId: string;
  reference: string;
  reportedBy: string;
  requestSha256: string;
  statement: Statement;
  contents: ReportedContent[];
  refused: RefusedUrl[];
  reporter?: { subjectId: string; name?: string; contact?: string };
}

/** The same reference with the same request is the same report: nothing to add. Without routable content the reference stays free. */
export function submit(state: Report, submission: Submission): Decided<ReportEvent>[] {
  const { reportId, reference, reportedBy, requestSha256, statement, contents, refused, reporter } = submission;
  if (state.status !== 'none') {
    if (state.requestSha256 === requestSha256) return [];
    throw new DomainError('report.reference-conflict', 'conflict', `The reference ${reference} is already that of another report of yours`, { pointer: '/reference' });
  }
  if (contents.length === 0) {
    if (state.unroutable.some((earlier) => earlier.requestSha256 === requestSha256)) return [];
    const { category, region } = statement;
    return [{ type: 'ReportUnroutable', data: { reportId, reference, reportedBy, requestSha256, category, region, refused } }];
  }
  return [
    {
      type: 'ReportSubmitted',
      data: {
        reportId, reference, reportedBy, requestSha256, statement, contents,
        ...(refused.length > 0 ? { refused } : {}),
        ...(reporter === undefined ? {} : { reporter }),
      },
    },
  ];
}

/** Only before a decision, and only by the organisation that submitted. The contents stay what they were. */
export function amend(
  state: Report,
  { organisation, changes, reason }: { organisation: string; changes: Partial<Statement>; reason: string },
): ReportEvent[] {
  const open = ownReport(state, organisation);
  if (open.status === 'withdrawn') throw withdrawn();
  if (open.contents.some(({ decision }) => decision !== 'pending')) throw alreadyDecided('A report is amended before any of its contents is decided');
  const changed = (Object.keys(changes) as (keyof Statement)[]).filter((field) => !same(changes[field], open.statement[field]));
  if (changed.length === 0) return [];
  const statement = { ...open.statement, ...Object.fromEntries(changed.map((field) => [field, changes[field]])) } as Statement;
  return [{ type: 'ReportAmended', data: { reportId: open.reportId, statement, changed, reason } }];
}

export interface Approval {
  reasons: string;
  requestedAction: string;
  legalBasis?: string[];
  factCheck?: FactCheck;
  clarificationUrl?: string;
  territories?: string[];
  /** Content keys; without them every content that is not decided yet. */
  contents?: string[];
}

/** An order without reasons, a legal basis and, for a hoax, a fact check is never issued: it is refused here. */
export function approve(state: Report, by: Decider, approval: Approval): ReportEvent[] {
  const open = decidable(state, by);
  const contents = toDecide(open, approval.contents, 'approved');
  if (contents.length === 0) return [];
  const legalBasis = approval.legalBasis ?? open.statement.legalBasis ?? [];
  const { factCheck, clarificationUrl, requestedAction, reasons } = approval;
  if (reasons.trim().length < 20) throw invalid('report.reasons-required', '/reasons', 'An approval gives reasons of at least 20 characters');
  if (legalBasis.length === 0) throw invalid('report.legal-basis-required', '/legalBasis', 'Neither the report nor the approval names a legal basis');
  if (open.statement.category.startsWith('hoax.') && factCheck?.url === undefined && factCheck?.statement === undefined) {
    throw invalid('report.fact-check-required', '/factCheck', 'A hoax is approved with a fact check: a URL or a statement');
  }
  if (requestedAction === 'labelled' && clarificationUrl === undefined) {
    throw invalid('report.clarification-url-required', '/clarificationUrl', 'A label needs the URL of the clarification that it links to');
  }
  const territories = approval.territories ?? (requestedAction === 'access_disabled' ? ['ID'] : undefined);
  return [
    {
      type: 'ContentsApproved',
      data: {
        reportId: open.reportId,
        reference: open.reference,
        reportedBy: open.reportedBy,
        submittedAt: open.submittedAt,
        decidedBy: by.organisation,
        issuedBy: by.executor,
        contents,
        statement: open.statement,
        reasons,
        requestedAction,
        legalBasis,
        ...(factCheck === undefined ? {} : { factCheck }),
        ...(clarificationUrl === undefined ? {} : { clarificationUrl }),
        ...(territories === undefined ? {} : { territories }),
        submittedByHolder: open.submittedByHolder,
        approvedByHolder: by.holder,
        undecided: undecidedAfter(open, contents),
      },
    },
  ];
}

export function decline(state: Report, by: Decider, { reason, contents: keys }: { reason: string; contents?: string[] }): ReportEvent[] {
  const open = decidable(state, by);
  const contents = toDecide(open, keys, 'declined');
  if (contents.length === 0) return [];
  const references = contents.map(({ contentKey, takedownId }) => ({ contentKey, takedownId }));
  return [{ type: 'ContentsDeclined', data: { reportId: open.reportId, decidedBy: by.organisation, contents: references, reason, undecided: undecidedAfter(open, contents) } }];
}

export function withdraw(state: Report, { organisation, reason }: { organisation: string; reason: string }): ReportEvent[] {
  const open = ownReport(state, organisation);
  if (open.status === 'withdrawn') return [];
  if (open.status === 'declined') throw alreadyDecided('The report was declined: there is nothing left to withdraw');
  const approved = open.contents.filter(({ decision }) => decision === 'approved').map(({ contentKey, takedownId }) => ({ contentKey, takedownId }));
  return [{ type: 'ReportWithdrawn', data: { reportId: open.reportId, reason, approved } }];
}

/** Asked when sla says that the decision clock is due: answers from the report's own stream and time, whoever asks and how often. */
export function passDecisionDeadline(state: Report, { at }: { at: Date }): ReportEvent[] {
  if (state.status === 'none' || state.status === 'withdrawn' || state.decisionDeadlinePassed) return [];
  const due = decisionDue(state.submittedAt).toISOString();
  // A decision that came too late does not undo that the time had passed, even when sla was heard only after it.
  const decidedInTime = state.fullyDecidedAt !== undefined && Date.parse(state.fullyDecidedAt) <= Date.parse(due);
  if (decidedInTime || at.getTime() <= Date.parse(due)) return [];
  return [{ type: 'DeadlinePassed', data: { clock: 'decision', reportId: state.reportId, run: 1, due } }];
}

/** Whose data an erasure of this report's reporter is about. */
export function reporterOf(state: Report): ErasureSubject {
  if (state.status === 'none') throw notFound();
  const { reportId, reporterSubjectId: subjectId } = state;
  if (subjectId === undefined) throw noSuchSubject('The report names no reporter');
  return { kind: 'reporter', reportId, subjectId };
}

function decidable(state: Report, by: Decider): OpenReport {
  if (state.status === 'none') throw notFound();
  if (by.holder.startsWith('system:')) throw new DomainError('report.officer-required', 'forbidden', 'A system submits; an officer decides');
  if (by.holder === state.submittedByHolder) {
    throw new DomainError('report.four-eyes', 'forbidden', 'Whoever submitted a report does not decide it: another officer must');
  }
  if (state.statement.target === `organiser:${by.organisation}`) {
    throw new DomainError('report.self-interest', 'forbidden', 'A report about an agency itself is decided by another agency');
  }
  if (state.status === 'withdrawn') throw withdrawn();
  return state;
}

/** The named contents that are still pending. None: they were all decided so before. Refused when one was decided otherwise. */
function toDecide(open: OpenReport, keys: readonly string[] | undefined, decision: 'approved' | 'declined'): ReportedContent[] {
  const named = keys === undefined ? unnamed(open) : keys.map((key, index) => {
    const content = open.contents.find(({ contentKey }) => contentKey === key);
    if (content === undefined) throw invalid('report.content-unknown', `/contents/${index}`, `The report has no content ${key}`);
    return content;
  });
  const other = named.find((content) => content.decision !== 'pending' && content.decision !== decision);
  if (other !== undefined) throw alreadyDecided(`${other.contentKey} was ${other.decision} before`);
  return [...new Set(named)].filter((content) => content.decision === 'pending').map(asReported);
}

function undecidedAfter(open: OpenReport, decided: readonly unknown[]): number {
  return open.contents.filter(({ decision }) => decision === 'pending').length - decided.length;
}

/** Without names: what is pending; when nothing is, all of it, so that the same decision again is seen to be the same. */
function unnamed(open: OpenReport): readonly DecidedContent[] {
  const pending = open.contents.filter(({ decision }) => decision === 'pending');
  return pending.length > 0 ? pending : open.contents;
}

function asReported({ decision: _decision, decidedBy: _decidedBy, decidedEventId: _eventId, ...content }: DecidedContent): ReportedContent {
  return content;
}

function ownReport(state: Report, organisation: string): OpenReport {
  if (state.status === 'none') throw notFound();
  if (state.reportedBy !== organisation) throw new DomainError('report.not-yours', 'forbidden', 'Only the organisation that submitted a report changes or withdraws it');
  return state;
}

const same = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);
const notFound = () => new DomainError('report.not-found', 'not-found', 'There is no such report');
const withdrawn = () => new DomainError('report.withdrawn', 'conflict', 'The report was withdrawn');
const alreadyDecided = (message: string) => new DomainError('report.already-decided', 'conflict', message);
const invalid = (code: `report.${string}`, pointer: string, message: string) => new DomainError(code, 'invalid', message, { pointer });
