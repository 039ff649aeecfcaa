import type { LegalBasis } from '@sejam/contracts';
import { DomainError } from '@sejam/event-sourcing';
import { chooseTerms, type Policy } from '@sejam/deadlines';
import { isOpen, type Joining, type KnownTakedown, type ReopeningCause, type StandingReport, type Takedown, type TakedownEvent } from './takedown.js';

/** How long an order waits for the resolution of a short link, domain time. */
export const SHORT_LINK_HOLD_MS = 10_000;

/** Which content a takedown is about. */
export interface ContentOfTakedown {
  readonly takedownId: string;
  readonly contentKey: string;
  readonly platform: string;
  readonly product: string;
  readonly provisional: boolean;
}

/** What issuing an order needs beside the takedown. */
export interface Issuing {
  readonly at: Date;
  readonly policies: readonly Policy[];
  readonly legalBases: ReadonlyMap<string, LegalBasis>;
  /** The platform's endpoint was put with `test: true`. */
  readonly test: boolean;
}

/**
 * One approved content of a report opens or joins the takedown of its key. There is never a second order for an open one; one that was
 * withdrawn or reinstated is reopened, unless an upheld objection withdrew it. On a merged one nothing is decided: its target decides.
 */
export function join(state: Takedown, content: ContentOfTakedown, joining: Joining, issuing: Issuing): TakedownEvent[] {
  if (state.status === 'none') {
    const { submittedUrl, canonicalUrl, category } = joining;
    const { takedownId, contentKey, platform, product, provisional } = content;
    const opening: TakedownEvent[] = [
      { type: 'TakedownOpened', data: { takedownId, contentKey, platform, product, submittedUrl, canonicalUrl, category, provisional } },
      { type: 'ReportJoined', data: joining },
    ];
    return provisional ? opening : [...opening, orderIssued(content, joining, { round: 1, reports: 1, approvedAt: joining.approvedAt }, issuing)];
  }
  if (state.merged !== undefined || state.left.includes(joining.reportId) || state.reports.some(({ reportId }) => reportId === joining.reportId)) return [];

  const newest = state.orders.at(-1);
  const standing = state.reports.length + 1;
  const joined = (attention?: StandingReport['attention']): TakedownEvent => ({
    type: 'ReportJoined',
    data: { ...joining, ...(attention === undefined ? {} : { attention }) },
  });
  if (newest === undefined) {
    // Every report of a held order may have left before the hold was over; then nothing else will issue it.
    const over = issuing.at.getTime() - Date.parse(state.openedAt) >= SHORT_LINK_HOLD_MS;
    if (!over || state.reports.length > 0) return [joined()];
    return [joined(), orderIssued(state, joining, { round: 1, reports: standing, approvedAt: joining.approvedAt, shortLink: 'unresolved_in_time' }, issuing)];
  }
  if (newest.objection?.status === 'upheld') return [joined('objection_upheld')];
  if (newest.status === 'refused') return [joined('refused')];
  if (newest.status === 'withdrawn' || newest.status === 'reinstated') {
    const reopening = { cause: 'new_report', reason: `Report ${joining.reportId} names this content again`, reopenedBy: joining.decidedBy } as const;
    return [joined(), ...reopened(state, joining, standing, reopening, issuing)];
  }
  return [joined(joining.requestedAction === newest.requestedAction ? undefined : 'other_action')];
}

/** A report withdrawn at its agency leaves. The last one to leave an open order withdraws it. */
export function leave(state: Takedown, { reportId, reason, merged = false }: { reportId: string; reason: string; merged?: boolean }): TakedownEvent[] {
  if (state.status === 'none' || state.merged !== undefined || state.left.includes(reportId)) return [];
  const leaving = state.reports.find((report) => report.reportId === reportId);
  // A report that comes over from a merged takedown may be withdrawn before it has joined here; it must not join afterwards.
  if (leaving === undefined && !merged) return [];
  const left: TakedownEvent = { type: 'ReportLeft', data: { reportId, reason } };
  const newest = state.orders.at(-1);
  if (leaving === undefined || state.reports.length > 1 || newest === undefined || !isOpen(newest)) return [left];
  return [
    left,
    {
      type: 'OrderWithdrawn',
      data: { orderId: newest.orderId, cause: 'reports_withdrawn', reason: 'Every report of this content was withdrawn', withdrawnBy: leaving.reportedBy },
    },
  ];
}

/** The short link could not be resolved, or not in time: its first order goes out under the provisional key. */
export function releaseHold(state: Takedown, { shortLink }: { shortLink: 'unresolvable' | 'unresolved_in_time' }, issuing: Issuing): TakedownEvent[] {
  if (state.status === 'none' || !state.provisional || state.orders.length > 0 || state.merged !== undefined) return [];
  const [first] = state.reports;
  if (first === undefined) return [];
  if (shortLink === 'unresolved_in_time' && issuing.at.getTime() - Date.parse(state.openedAt) < SHORT_LINK_HOLD_MS) return [];
  return [orderIssued(state, first, { round: 1, reports: state.reports.length, approvedAt: first.approvedAt, shortLink }, issuing)];
}

/** The short link leads to this content. While its own order is open, its reports go over to that content's takedown. */
export function identify(
  state: Takedown,
  target: { contentKey: string; canonicalUrl: string; platform: string; product: string; takedownId: string },
): TakedownEvent[] {
  if (state.status === 'none' || !state.provisional || state.identified !== undefined) return [];
  const identified: TakedownEvent = { type: 'ContentIdentified', data: target };
  if (!isOpen(state) || target.takedownId === state.takedownId) return [identified];
  const { takedownId: into, contentKey } = target;
  const merged: TakedownEvent = { type: 'TakedownMerged', data: { into, contentKey, reports: state.reports.map(({ reportId }) => reportId) } };
  const newest = state.orders.at(-1);
  if (newest === undefined) return [identified, merged];
  const reason = `The short link leads to ${contentKey}, which has a takedown of its own`;
  return [identified, merged, { type: 'OrderWithdrawn', data: { orderId: newest.orderId, cause: 'merged', reason, withdrawnBy: 'sejam' } }];
}

/** An issuer opens a closed takedown again; the new order rests on a report that stands. */
export function reopen(
  state: Takedown,
  { cause, reason, reopenedBy }: { cause: Exclude<ReopeningCause, 'new_report'>; reason: string; reopenedBy: string },
  issuing: Issuing,
): TakedownEvent[] {
  const known = acted(state, reopenedBy);
  const newest = known.orders.at(-1);
  if (newest === undefined) throw new DomainError('order.not-issued', 'conflict', 'No order of this takedown has gone out yet');
  if (known.reopening?.round === newest.round && known.reopening.cause === cause && known.reopening.reason === reason) return [];
  if (isOpen(newest)) throw new DomainError('takedown.still-open', 'conflict', 'The order is still open; there is nothing to reopen');
  if ((cause === 'refusal_disputed') !== (newest.status === 'refused') && cause !== 'new_grounds') {
    throw new DomainError('takedown.reopening-cause', 'conflict', `The order is ${newest.status}, so ${cause} does not apply`);
  }
  const basis = basisOf(known, cause === 'new_grounds');
  if (basis === undefined) throw new DomainError('takedown.no-standing-report', 'conflict', 'Every report of this content was withdrawn; an order without reasons is never issued');
  return reopened(known, basis, known.reports.length, { cause, reason, reopenedBy }, issuing);
}

/** The takedown, if it is there and nothing went over to another. */
export function standing(state: Takedown): KnownTakedown {
  if (state.status === 'none') throw new DomainError('takedown.not-found', 'not-found', 'There is no such takedown');
  if (state.merged !== undefined) throw new DomainError('takedown.merged', 'conflict', `This takedown was merged into ${state.merged.into}`);
  return state;
}

/** The takedown, if this organisation may act on it: nobody acts on what is reported about itself. */
export function acted(takedown: Takedown, organisation: string): KnownTakedown {
  const state = standing(takedown);
  if (state.reports.some(({ target }) => target === `organiser:${organisation}`)) {
    throw new DomainError('takedown.self-interest', 'forbidden', `A report here is about ${organisation}; another agency must act on it`);
  }
  return state;
}

/** New grounds are the newest report's; otherwise the report that the last order rested on, if it still stands. */
function basisOf({ reports, orders }: KnownTakedown, newGrounds: boolean): StandingReport | undefined {
  const last = orders.at(-1);
  const same = reports.find(({ reasons, decidedBy, requestedAction }) => reasons === last?.reasons && decidedBy === last.decidedBy && requestedAction === last.requestedAction);
  return (newGrounds ? undefined : same) ?? reports.at(-1);
}

function reopened(
  state: KnownTakedown,
  basis: Joining,
  reports: number,
  { cause, reason, reopenedBy }: { cause: ReopeningCause; reason: string; reopenedBy: string },
  issuing: Issuing,
): TakedownEvent[] {
  const round = (state.orders.at(-1)?.round ?? 0) + 1;
  return [
    { type: 'TakedownReopened', data: { round, cause, reason, reopenedBy } },
    orderIssued(state, basis, { round, reports, approvedAt: issuing.at.toISOString() }, issuing),
  ];
}

function orderIssued(
  { takedownId, platform }: Pick<ContentOfTakedown, 'takedownId' | 'platform'>,
  basis: Joining,
  { round, reports, approvedAt, shortLink }: { round: number; reports: number; approvedAt: string; shortLink?: 'unresolvable' | 'unresolved_in_time' },
  { at, policies, legalBases, test }: Issuing,
): TakedownEvent {
  const { requestedAction, territories, clarificationUrl, category, legalBasis, reasons, decidedBy, issuedBy } = basis;
  return {
    type: 'OrderIssued',
    data: {
      orderId: `${takedownId}.${round}`,
      round,
      approvedAt,
      requestedAction,
      ...(territories === undefined ? {} : { territories }),
      ...(clarificationUrl === undefined ? {} : { clarificationUrl }),
      category,
      legalBasis: legalBasis.map((code) => ({ code, title: legalBases.get(code)?.title ?? code })),
      reasons,
      decidedBy,
      issuedBy,
      reports,
      terms: chooseTerms(policies, { at, category, platform }),
      test,
      ...(shortLink === undefined ? {} : { shortLink }),
    },
  };
}
