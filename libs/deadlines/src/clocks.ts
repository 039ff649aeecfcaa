import { acknowledgementDue, decisionDue, dispatchDue, resolutionDue, rulingDue, secondResolutionDue, type Clarification } from './due-times.js';
import type { Terms } from './terms.js';

/**
 * One event of the owner's stream, as far as clocks care. Every event of the stream has one, in the stream's order: what is of another order, or
 * matters to no clock, is `other`, since it too may be the first that is later than due.
 */
export interface Fact {
  /** The event's recorded time, RFC 3339. Never falls along a stream. */
  readonly at: string;
  readonly kind: FactKind;
}

export type FactKind =
  /** Of a report. `decided`: with this event no content is undecided any more. */
  | 'submitted' | 'decided'
  /** Of an order. `delivery_failed`: on the platform's side. `objection_raised`: the one that counts. */
  | 'issued' | 'delivered' | 'deemed_delivered' | 'delivery_failed'
  | 'acknowledged' | 'clarification_requested' | 'clarification_provided' | 'actioned' | 'refused' | 'reinstated'
  | 'objection_raised' | 'objection_upheld' | 'objection_dismissed'
  /** Of either; `merged` is of every order of a takedown. */
  | 'withdrawn' | 'merged' | 'other';

export type ClockKind = 'decision' | 'dispatch' | 'acknowledgement' | 'resolution' | 'ruling';

export interface Verdict<Of extends Fact = Fact> {
  /** `stopped`: withdrawn or merged before due and before anything met it. `undecided`: nothing later than due was recorded yet. */
  readonly outcome: 'met' | 'missed' | 'stopped' | 'undecided';
  /** The fact that decided it. */
  readonly by?: Of;
}

export interface Clock<Of extends Fact = Fact> {
  readonly clock: ClockKind;
  /** 2: resolution after a dismissed objection; else 1. */
  readonly run: number;
  readonly startedAt: string;
  /** As the facts say now. It moves with a clarification. */
  readonly due: Date;
  readonly verdict: Verdict<Of>;
}

/** What `OrderIssued` says of an order's clocks. */
export interface OrderTerms {
  readonly approvedAt: string;
  readonly terms: Terms;
}

const starting: readonly FactKind[] = ['delivered', 'deemed_delivered'];
const closing: readonly FactKind[] = ['actioned', 'refused', 'reinstated', 'withdrawn', 'merged'];
const answering: readonly FactKind[] = ['acknowledged', 'clarification_requested', 'actioned', 'refused', 'reinstated', 'objection_raised'];
const stopping: readonly FactKind[] = ['withdrawn', 'merged'];

/** The clock of a report; undefined before it is submitted. */
export function decisionClock<Of extends Fact>(facts: readonly Of[]): Clock<Of> | undefined {
  const from = facts.findIndex(({ kind }) => kind === 'submitted');
  const submitted = facts[from];
  if (submitted === undefined) return undefined;
  const due = decisionDue(submitted.at);
  return { clock: 'decision', run: 1, startedAt: submitted.at, due, verdict: verdict(facts.slice(from), due, ['decided']) };
}

/** The clocks of one order that have started, by the facts of its takedown. */
export function orderClocks<Of extends Fact>(facts: readonly Of[], { approvedAt, terms }: OrderTerms): Clock<Of>[] {
  const own = facts.slice(Math.max(0, facts.findIndex(({ kind }) => kind === 'issued')));
  const clocks: Clock<Of>[] = [];
  const start = (clock: ClockKind, run: number, startedAt: string, from: number, due: Date, meets: readonly FactKind[]): void => {
    clocks.push({ clock, run, startedAt, due, verdict: verdict(own.slice(from), due, meets) });
  };

  if (own[0]?.kind === 'issued') start('dispatch', 1, approvedAt, 0, dispatchDue(approvedAt), ['delivered', 'delivery_failed']);

  const delivered = own.findIndex(({ kind }) => starting.includes(kind));
  if (delivered !== -1) {
    const { at } = own[delivered] as Of;
    start('acknowledgement', 1, at, delivered, acknowledgementDue(terms, at), answering);
    start('resolution', 1, at, delivered, resolutionDue(terms, at, clarificationIn(own)), ['actioned', 'refused', 'objection_raised']);
  }

  const raised = own.findIndex(({ kind }) => kind === 'objection_raised');
  if (raised !== -1) {
    const { at } = own[raised] as Of;
    start('ruling', 1, at, raised, rulingDue(at), ['objection_upheld', 'objection_dismissed']);
  }

  const dismissed = own.findIndex(({ kind }) => kind === 'objection_dismissed');
  if (dismissed !== -1 && !own.slice(0, dismissed).some(({ kind }) => closing.includes(kind))) {
    const { at } = own[dismissed] as Of;
    start('resolution', 2, at, dismissed, secondResolutionDue(terms, at), ['actioned', 'refused']);
  }
  return clocks;
}

/** One clock of an order; undefined while it has not started. */
export function orderClock<Of extends Fact>(facts: readonly Of[], order: OrderTerms, name: { readonly clock: ClockKind; readonly run: number }): Clock<Of> | undefined {
  return orderClocks(facts, order).find(({ clock, run }) => clock === name.clock && run === name.run);
}

/**
 * Reads the facts from the clock's start on, in order: one that meets it at or before due → met; withdrawn or merged at or before due → stopped; the
 * first fact later than due → missed. What was decided once stays so, whatever is recorded afterwards.
 */
export function verdict<Of extends Fact>(facts: readonly Of[], due: Date, meets: readonly FactKind[]): Verdict<Of> {
  for (const fact of facts) {
    if (Date.parse(fact.at) > due.getTime()) return { outcome: 'missed', by: fact };
    if (meets.includes(fact.kind)) return { outcome: 'met', by: fact };
    if (stopping.includes(fact.kind)) return { outcome: 'stopped', by: fact };
  }
  return { outcome: 'undecided' };
}

function clarificationIn(facts: readonly Fact[]): Clarification | undefined {
  const first = facts.findIndex(({ kind }) => kind === 'clarification_requested');
  const requested = facts[first];
  if (requested === undefined) return undefined;
  const provided = facts.slice(first).find(({ kind }) => kind === 'clarification_provided');
  return { requestedAt: requested.at, ...(provided === undefined ? {} : { providedAt: provided.at }) };
}
