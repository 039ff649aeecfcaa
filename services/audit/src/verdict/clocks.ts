import { text, time, type StreamEvent } from './stream-event.js';

export type ClockKind = 'decision' | 'dispatch' | 'acknowledgement' | 'resolution' | 'ruling';

export interface ClockVerdict {
  readonly clock: ClockKind;
  readonly run: number;
  /** The order, or for the decision clock the report. */
  readonly subject: string;
  readonly platform?: string;
  readonly startedAt: string;
  readonly due: string;
  /** `undecided`: nothing in the stream is later than due, and nothing has met it. */
  readonly verdict: 'met' | 'missed' | 'stopped' | 'undecided';
  /** The event that decided it. */
  readonly by?: StreamEvent;
}

interface Rule {
  readonly clock: ClockKind;
  readonly run: number;
  readonly starts: (event: StreamEvent, before: readonly StreamEvent[]) => boolean;
  readonly dueMs: (start: StreamEvent, events: readonly StreamEvent[]) => number;
  readonly meets: (event: StreamEvent, before: readonly StreamEvent[]) => boolean;
}

interface Terms {
  readonly acknowledgeWithinMinutes: number;
  readonly resolveWithinMinutes: number;
  readonly clarificationCapMinutes: number;
}

const MINUTE_MS = 60_000;
const DECISION_MINUTES = 15;
const DISPATCH_MS = 60_000;
const RULING_MINUTES = 24 * 60;

const ANSWERS = new Set(['OrderAcknowledged', 'ClarificationRequested', 'ContentActioned', 'OrderRefused', 'ObjectionRaised', 'ContentReinstated']);
const CLOSING = new Set(['ContentActioned', 'OrderRefused', 'ContentReinstated', 'OrderWithdrawn']);

/**
 * Every clock of a takedown's or report's stream, with its verdict, from the events of that stream alone and in their order: a meeting event
 * recorded at or before due is *met*, else the first event recorded after due is *missed*.
 */
export function clockVerdicts(stream: string, events: readonly StreamEvent[]): ClockVerdict[] {
  if (stream.startsWith('report-')) return reportVerdicts(events);
  if (!stream.startsWith('takedown-')) return [];
  const platform = text(events[0]!, 'platform');
  return events.filter(({ type }) => type === 'OrderIssued').flatMap((issued) => {
    const orderId = text(issued, 'orderId');
    return orderRules(issued).flatMap((rule) => {
      const verdict = judge(rule, orderId, events.slice(events.indexOf(issued)));
      return verdict === undefined ? [] : [{ ...verdict, platform }];
    });
  });
}

function orderRules(issued: StreamEvent): Rule[] {
  const orderId = text(issued, 'orderId');
  const own = (event: StreamEvent, ...types: string[]) => types.includes(event.type) && event.data['orderId'] === orderId;
  const delivered = (event: StreamEvent, before: readonly StreamEvent[]) => {
    const reaches = (one: StreamEvent) => own(one, 'OrderDelivered', 'OrderDeemedDelivered');
    return reaches(event) && !before.some(reaches);
  };
  const terms = issued.data['terms'] as Terms;
  const resolveMs = terms.resolveWithinMinutes * MINUTE_MS;
  return [
    {
      clock: 'dispatch', run: 1, starts: (event) => event === issued, dueMs: () => Date.parse(text(issued, 'approvedAt')) + DISPATCH_MS,
      meets: (event) => own(event, 'OrderDelivered') || (own(event, 'OrderDeliveryFailed') && event.data['side'] === 'platform'),
    },
    {
      clock: 'acknowledgement', run: 1, starts: delivered, dueMs: (start) => time(start) + terms.acknowledgeWithinMinutes * MINUTE_MS,
      meets: (event) => own(event, event.type) && ANSWERS.has(event.type) && counts(event),
    },
    {
      clock: 'resolution', run: 1, starts: delivered,
      dueMs: (start, events) => time(start) + resolveMs + clarificationMs(time(start) + resolveMs, terms, events.filter((event) => own(event, 'ClarificationRequested', 'ClarificationProvided'))),
      meets: (event) => own(event, 'ContentActioned', 'OrderRefused', 'ObjectionRaised') && counts(event),
    },
    {
      clock: 'resolution', run: 2,
      starts: (event, before) => own(event, 'ObjectionDismissed') && !before.some((one) => one.type === 'TakedownMerged' || (own(one, one.type) && CLOSING.has(one.type))),
      dueMs: (start) => time(start) + resolveMs,
      meets: (event) => own(event, 'ContentActioned', 'OrderRefused'),
    },
    {
      clock: 'ruling', run: 1, starts: (event) => own(event, 'ObjectionRaised') && counts(event), dueMs: (start) => time(start) + RULING_MINUTES * MINUTE_MS,
      meets: (event) => own(event, 'ObjectionUpheld', 'ObjectionDismissed'),
    },
  ];
}

/** One objection to an order counts; later ones are recorded and change nothing. */
function counts({ type, data }: StreamEvent): boolean {
  return type !== 'ObjectionRaised' || data['counted'] === true;
}

/** What the round's first question adds to the time for its answer: the time that our side took, at most the cap. */
function clarificationMs(dueWithout: number, terms: Terms, exchange: readonly StreamEvent[]): number {
  const at = exchange.findIndex(({ type }) => type === 'ClarificationRequested');
  const requested = exchange[at];
  if (requested === undefined || time(requested) > dueWithout) return 0;
  const provided = exchange.slice(at).find(({ type }) => type === 'ClarificationProvided');
  const capMs = terms.clarificationCapMinutes * MINUTE_MS;
  return provided === undefined ? capMs : Math.min(capMs, time(provided) - time(requested));
}

function reportVerdicts(events: readonly StreamEvent[]): ClockVerdict[] {
  const submitted = events.find(({ type }) => type === 'ReportSubmitted');
  if (submitted === undefined) return [];
  const keysOf = (event: StreamEvent) => (event.data['contents'] as { contentKey: string }[] | undefined ?? []).map(({ contentKey }) => contentKey);
  const decides = ({ type }: StreamEvent) => type === 'ContentsApproved' || type === 'ContentsDeclined';
  const rule: Rule = {
    clock: 'decision', run: 1, starts: (event) => event === submitted, dueMs: (start) => time(start) + DECISION_MINUTES * MINUTE_MS,
    meets: (event, before) => {
      const decided = new Set([...before, event].filter(decides).flatMap(keysOf));
      return decides(event) && keysOf(submitted).every((key) => decided.has(key));
    },
  };
  const verdict = judge(rule, text(submitted, 'reportId'), events);
  return verdict === undefined ? [] : [verdict];
}

function judge(rule: Rule, subject: string, events: readonly StreamEvent[]): ClockVerdict | undefined {
  const from = events.findIndex((event, at) => rule.starts(event, events.slice(0, at)));
  const start = events[from];
  if (start === undefined) return undefined;
  const dueMs = rule.dueMs(start, events);
  const clock = { clock: rule.clock, run: rule.run, subject, startedAt: start.at, due: new Date(dueMs).toISOString() };
  for (let at = from; at < events.length; at += 1) {
    const event = events[at]!;
    if (time(event) > dueMs) return { ...clock, verdict: 'missed', by: event };
    if (at > from && rule.meets(event, events.slice(0, at))) return { ...clock, verdict: 'met', by: event };
    if (stops(event, subject, rule.clock)) return { ...clock, verdict: 'stopped', by: event };
  }
  return { ...clock, verdict: 'undecided' };
}

/** A takedown that goes on as another takes all its orders with it. */
function stops({ type, data }: StreamEvent, subject: string, clock: ClockKind): boolean {
  if (clock === 'decision') return type === 'ReportWithdrawn';
  return type === 'TakedownMerged' || (type === 'OrderWithdrawn' && data['orderId'] === subject);
}
