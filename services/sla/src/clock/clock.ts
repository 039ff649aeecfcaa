import { acknowledgementDue, decisionDue, dispatchDue, resolutionDue, rulingDue, secondResolutionDue, warningDue, type Terms } from '@sejam/deadlines';
import type { Aggregate } from '@sejam/event-sourcing';

export type ClockKind = 'decision' | 'dispatch' | 'acknowledgement' | 'resolution' | 'ruling';

/** Which clock of a stream: the decision clock carries a reportId, the others an orderId. `run` 2 follows a dismissed objection. */
export interface ClockName {
  clock: ClockKind;
  run: number;
  orderId?: string;
  reportId?: string;
}

// Events are permanent: add optional fields freely, never rename or remove one.
export type ClockEvent =
  | {
      type: 'ClockStarted';
      data: ClockName & {
        startedAt: string;
        due: string;
        platform?: string;
        takedownId?: string;
        /** The order's own; a decision clock has none. */
        terms?: Terms;
      };
    }
  /** `movedAt`: recorded time of the question or answer that moved it. */
  | { type: 'DueMoved'; data: ClockName & { due: string; previousDue: string; cause: 'clarification_requested' | 'clarification_provided'; movedAt: string } }
  | { type: 'DeadlineApproaching'; data: ClockName & { due: string } }
  /** The due time has come and the clock was not met; once for every new due. */
  | { type: 'DeadlineReached'; data: ClockName & { due: string } }
  | { type: 'DeadlineMet'; data: ClockName & { due: string; metBy: string; metAt: string; eventId: string } }
  /** Recorded only on seeing an event of the owner's stream that is later than due. */
  | { type: 'DeadlineMissed'; data: ClockName & { due: string; seen: string; seenAt: string; eventId: string } }
  | { type: 'ClockStopped'; data: ClockName & { cause: 'withdrawn' | 'merged' } };

/** One clock of a stream. `warnAt`: resolution alone gives a warning. */
export interface Clock extends ClockName {
  readonly startedAt: string;
  readonly due: string;
  readonly status: 'running' | 'met' | 'missed' | 'stopped';
  /** A question of the platform waits for its answer: the whole cap counts. */
  readonly paused: boolean;
  readonly warned: boolean;
  /** The due time that `DeadlineReached` was recorded for. */
  readonly reached?: string;
}

/** The clocks of one order, or of one report. */
export interface Clocks {
  readonly terms?: Terms;
  readonly takedownId?: string;
  readonly platform?: string;
  readonly clarification?: { readonly requestedAt: string; readonly providedAt?: string };
  readonly clocks: readonly Clock[];
}

export const clock: Aggregate<Clocks, ClockEvent> = {
  category: 'clock',
  initialState: { clocks: [] },
  eventTypes: ['ClockStarted', 'DueMoved', 'DeadlineApproaching', 'DeadlineReached', 'DeadlineMet', 'DeadlineMissed', 'ClockStopped'],
  evolve: (state, event): Clocks => {
    switch (event.type) {
      case 'ClockStarted': {
        const { terms, takedownId, platform, ...started } = event.data;
        return {
          ...state,
          ...(terms === undefined ? {} : { terms }),
          ...(takedownId === undefined ? {} : { takedownId }),
          ...(platform === undefined ? {} : { platform }),
          clocks: [...state.clocks, { ...started, status: 'running', paused: false, warned: false }],
        };
      }
      case 'DueMoved': {
        const { due, cause, movedAt } = event.data;
        const clarification =
          cause === 'clarification_requested' ? { requestedAt: movedAt } : { requestedAt: state.clarification?.requestedAt ?? movedAt, providedAt: movedAt };
        return changed({ ...state, clarification }, event.data, { due, paused: cause === 'clarification_requested' });
      }
      case 'DeadlineApproaching':
        return changed(state, event.data, { warned: true });
      case 'DeadlineReached':
        return changed(state, event.data, { reached: event.data.due });
      case 'DeadlineMet':
        return changed(state, event.data, { status: 'met', paused: false });
      case 'DeadlineMissed':
        return changed(state, event.data, { status: 'missed', paused: false });
      case 'ClockStopped':
        return changed(state, event.data, { status: 'stopped', paused: false });
    }
  },
};

function changed(state: Clocks, name: ClockName, changes: Partial<Clock>): Clocks {
  return { ...state, clocks: state.clocks.map((one) => (isNamed(one, name) ? { ...one, ...changes } : one)) };
}

const isNamed = (one: Clock, name: Pick<ClockName, 'clock' | 'run'>): boolean => one.clock === name.clock && one.run === name.run;

/** An event of a takedown, as far as the clocks of one of its orders care. */
export interface TakedownFact {
  readonly type: string;
  readonly eventId: string;
  readonly at: string;
  /** Of the order whose clocks are asked; a merge is of every order. */
  readonly own: boolean;
  readonly takedownId: string;
  readonly orderId: string;
  readonly platform: string;
  /** The order is unanswered after this event. */
  readonly open: boolean;
  readonly issued?: { readonly approvedAt: string; readonly terms: Terms };
  readonly deliveryFailedSide?: string;
  readonly objectionCounted?: boolean;
}

/**
 * What an event of the takedown means for the clocks of one order. Read in the takedown's own order it gives each clock the verdict that
 * anybody computes from the takedown's events alone.
 */
export function observeTakedown(state: Clocks, fact: TakedownFact): ClockEvent[] {
  const decided = state.clocks.filter(({ status }) => status === 'running').flatMap((running) => decide(running, fact, fact.own && meets(running, fact), stops(fact)));
  const isDecided = (one: Clock): boolean => decided.some(({ data }) => isNamed(one, data));
  return [...decided, ...moveDue(state, fact, isDecided), ...start(state, fact)];
}

/** An event of a report. `undecided`: how many contents are left to decide after it. */
export interface ReportFact {
  readonly type: string;
  readonly eventId: string;
  readonly at: string;
  readonly reportId: string;
  readonly undecided?: number;
}

export function observeReport(state: Clocks, fact: ReportFact): ClockEvent[] {
  const { reportId, type, at, undecided } = fact;
  if (type === 'ReportSubmitted' && state.clocks.length === 0) {
    return [{ type: 'ClockStarted', data: { clock: 'decision', run: 1, reportId, startedAt: at, due: decisionDue(at).toISOString() } }];
  }
  const met = (type === 'ContentsApproved' || type === 'ContentsDeclined') && undecided === 0;
  return state.clocks.filter(({ status }) => status === 'running').flatMap((running) => decide(running, fact, met, type === 'ReportWithdrawn' ? 'withdrawn' : undefined));
}

/** Asked when the due time should have come, by a clock that may be early or ask twice. */
export function reach(state: Clocks, { clock: kind, run, at }: { clock: ClockKind; run: number; at: Date }): ClockEvent[] {
  const running = state.clocks.find((one) => one.clock === kind && one.run === run && one.status === 'running');
  if (running === undefined || at.getTime() <= Date.parse(running.due) || running.reached === running.due) return [];
  return [{ type: 'DeadlineReached', data: { ...nameOf(running), due: running.due } }];
}

export function approach(state: Clocks, { clock: kind, run, at }: { clock: ClockKind; run: number; at: Date }): ClockEvent[] {
  const running = state.clocks.find((one) => one.clock === kind && one.run === run && one.status === 'running');
  const warnAt = running && warningAt(state, running);
  if (running === undefined || warnAt === undefined || running.warned) return [];
  if (at.getTime() < warnAt.getTime() || at.getTime() >= Date.parse(running.due)) return [];
  return [{ type: 'DeadlineApproaching', data: { ...nameOf(running), due: running.due } }];
}

/** When the one warning of a running resolution clock is due. */
export function warningAt({ terms }: Clocks, { clock: kind, startedAt, due, status, warned }: Clock): Date | undefined {
  return kind === 'resolution' && status === 'running' && !warned && terms !== undefined ? warningDue(terms, startedAt, new Date(due)) : undefined;
}

function decide(running: Clock, { type, at, eventId }: { type: string; at: string; eventId: string }, met: boolean, stopped: 'withdrawn' | 'merged' | undefined): ClockEvent[] {
  const data = { ...nameOf(running), due: running.due };
  if (Date.parse(at) > Date.parse(running.due)) {
    // Whoever was down when it was due hears of it first from what came later; the owner has to be told all the same.
    const reached: ClockEvent[] = running.reached === running.due ? [] : [{ type: 'DeadlineReached', data }];
    return [...reached, { type: 'DeadlineMissed', data: { ...data, seen: type, seenAt: at, eventId } }];
  }
  if (met) return [{ type: 'DeadlineMet', data: { ...data, metBy: type, metAt: at, eventId } }];
  return stopped === undefined ? [] : [{ type: 'ClockStopped', data: { ...nameOf(running), cause: stopped } }];
}

function meets({ clock: kind, run }: Clock, fact: TakedownFact): boolean {
  switch (kind) {
    case 'dispatch':
      return fact.type === 'OrderDelivered' || (fact.type === 'OrderDeliveryFailed' && fact.deliveryFailedSide === 'platform');
    case 'acknowledgement':
      return ['OrderAcknowledged', 'ClarificationRequested', 'ContentActioned', 'OrderRefused', 'ContentReinstated'].includes(fact.type) || isObjection(fact);
    case 'resolution':
      return ['ContentActioned', 'OrderRefused'].includes(fact.type) || (run === 1 && isObjection(fact));
    case 'ruling':
      return fact.type === 'ObjectionUpheld' || fact.type === 'ObjectionDismissed';
    case 'decision':
      return false;
  }
}

const isObjection = ({ type, objectionCounted }: TakedownFact): boolean => type === 'ObjectionRaised' && objectionCounted === true;

function stops({ type, own }: TakedownFact): 'withdrawn' | 'merged' | undefined {
  if (type === 'TakedownMerged') return 'merged';
  return own && type === 'OrderWithdrawn' ? 'withdrawn' : undefined;
}

/** Only the round's first question, asked in time, and the first answer to it. */
function moveDue(state: Clocks, { type, at, own }: TakedownFact, isDecided: (one: Clock) => boolean): ClockEvent[] {
  const resolution = state.clocks.find((one) => one.clock === 'resolution' && one.run === 1 && one.status === 'running' && !isDecided(one));
  if (!own || resolution === undefined || state.terms === undefined) return [];
  const { clarification } = state;
  const move = (cause: 'clarification_requested' | 'clarification_provided', now: { requestedAt: string; providedAt?: string }): ClockEvent[] => {
    const due = resolutionDue(state.terms as Terms, resolution.startedAt, now).toISOString();
    return [{ type: 'DueMoved', data: { ...nameOf(resolution), due, previousDue: resolution.due, cause, movedAt: at } }];
  };
  if (type === 'ClarificationRequested' && clarification === undefined) return move('clarification_requested', { requestedAt: at });
  if (type === 'ClarificationProvided' && clarification !== undefined && clarification.providedAt === undefined) {
    return move('clarification_provided', { requestedAt: clarification.requestedAt, providedAt: at });
  }
  return [];
}

function start(state: Clocks, fact: TakedownFact): ClockEvent[] {
  const { type, at, own, orderId, takedownId, platform, issued, open } = fact;
  if (!own) return [];
  const started = (kind: ClockKind, run: number): boolean => state.clocks.some((one) => one.clock === kind && one.run === run);
  const begin = (kind: ClockKind, run: number, startedAt: string, due: Date, terms: Terms): ClockEvent => ({
    type: 'ClockStarted',
    data: { clock: kind, run, orderId, takedownId, platform, startedAt, due: due.toISOString(), terms },
  });
  if (type === 'OrderIssued' && issued !== undefined && !started('dispatch', 1)) {
    return [begin('dispatch', 1, issued.approvedAt, dispatchDue(issued.approvedAt), issued.terms)];
  }
  const { terms } = state;
  if (terms === undefined) return [];
  if ((type === 'OrderDelivered' || type === 'OrderDeemedDelivered') && !started('acknowledgement', 1)) {
    return [begin('acknowledgement', 1, at, acknowledgementDue(terms, at), terms), begin('resolution', 1, at, resolutionDue(terms, at), terms)];
  }
  if (isObjection(fact) && !started('ruling', 1)) return [begin('ruling', 1, at, rulingDue(at), terms)];
  if (type === 'ObjectionDismissed' && open && !started('resolution', 2)) return [begin('resolution', 2, at, secondResolutionDue(terms, at), terms)];
  return [];
}

function nameOf({ clock: kind, run, orderId, reportId }: Clock): ClockName {
  return { clock: kind, run, ...(orderId === undefined ? {} : { orderId }), ...(reportId === undefined ? {} : { reportId }) };
}
