import type { FurtherMetadata, RecordedEvent } from '@sejam/event-sourcing';
import type { Caller } from '@sejam/service-host';
import { clocksOf } from './order-clocks.js';
import type { KnownTakedown, Order, StandingReport, TakedownEvent } from './takedown.js';

type Seen = Pick<Caller, 'kind' | 'organisation'>;

export interface OrderDocument {
  orderId: string;
  takedownId: string;
  round: number;
  status: string;
  objection: string;
  verification: string;
  issuedAt: string;
  requestedAction: string;
  reasons: string;
  decidedBy: string;
  test: boolean;
  terms: Order['terms'];
  delivered: boolean;
  deemed: boolean;
  escalation: number;
  clocks: { clock: string; run: number; dueAt: string; met: boolean; passed: boolean }[];
}

export interface TakedownSummary {
  id: string;
  contentKey: string;
  platform: string;
  product: string;
  canonicalUrl: string;
  category: string;
  status: string;
  objection: string;
  verification: string;
  round: number;
  openedAt: string;
  reports: number;
  attention: string[];
  order?: OrderDocument;
  mergedInto?: string;
}

export interface Recorded {
  eventId: string;
  revision: number;
  type: string;
  at: string;
  by: { organisation: string; holder?: string };
  /** Of an answer by webhook: `asymmetric` where the platform's own key signed it, `shared` where a secret did that we know too. */
  proof?: 'shared' | 'asymmetric';
  data: object;
}

export interface TakedownDocument extends Omit<TakedownSummary, 'reports' | 'order'> {
  submittedUrl: string;
  provisional: boolean;
  reports: object[];
  orders: OrderDocument[];
  answers: Recorded[];
  timeline: Recorded[];
}

/** One order with its terms and due times, as anybody may see it who may see the order. */
export function orderDocument({ takedownId }: KnownTakedown, order: Order): OrderDocument {
  const { orderId, round, status, issuedAt, requestedAction, reasons, decidedBy, test, terms, delivered, deemed, escalation, verification } = order;
  const clocks = clocksOf(order).map(({ clock, run, due, met }) => {
    const dueAt = due.toISOString();
    return { clock, run, dueAt, met, passed: order.passed.some((passed) => passed.clock === clock && passed.run === run && passed.due === dueAt) };
  });
  return {
    orderId, takedownId, round, status, objection: order.objection?.status ?? 'none', verification, issuedAt, requestedAction, reasons, decidedBy, test, terms,
    delivered, deemed, escalation, clocks,
  };
}

/** A takedown in a list. */
export function takedownSummary(state: KnownTakedown, seen: Seen): TakedownSummary {
  const newest = state.orders.at(-1);
  const reports = reportsFor(state, seen);
  return {
    id: state.takedownId, contentKey: state.contentKey, platform: state.platform, product: state.product, canonicalUrl: state.canonicalUrl,
    category: state.category, status: state.status, objection: newest?.objection?.status ?? 'none', verification: newest?.verification ?? 'none',
    round: newest?.round ?? 0, openedAt: state.openedAt, reports: reports.length,
    attention: [...new Set(reports.flatMap(({ attention }) => (attention === undefined ? [] : [attention])))],
    ...(newest === undefined ? {} : { order: orderDocument(state, newest) }),
    ...(state.merged === undefined ? {} : { mergedInto: state.merged.into }),
  };
}

/** A takedown with all that happened. To a partner the reports of others are as if they were not there. */
export function takedownDocument(state: KnownTakedown, history: readonly RecordedEvent<TakedownEvent>[], seen: Seen): TakedownDocument {
  const { reports: _reports, order: _order, ...summary } = takedownSummary(state, seen);
  const reports = reportsFor(state, seen);
  const own = new Set(history.flatMap(({ type, data }) => (type === 'ReportJoined' && data.reportedBy === seen.organisation ? [data.reportId] : [])));
  const timeline = history.filter((event) => !isPartner(seen) || !('reportId' in event.data) || own.has(event.data.reportId)).map((event) => recorded(event, seen));
  return {
    ...summary,
    submittedUrl: isPartner(seen) ? (reports[0]?.submittedUrl ?? state.canonicalUrl) : state.submittedUrl,
    provisional: state.provisional,
    reports: reports.map((report) => (isPartner(seen) ? hiddenFromPartners('ReportJoined', report) : report)),
    orders: state.orders.map((order) => orderDocument(state, order)),
    answers: timeline.filter(({ type }) => answerTypes.has(type)),
    timeline,
  };
}

/** What a platform sees of what happened to its order: nobody's identity, and no report. */
export function answersOf(history: readonly RecordedEvent<TakedownEvent>[], orderId: string): Recorded[] {
  const ofOrder = history.filter(({ type, data }) => answerTypes.has(type) && 'orderId' in data && data.orderId === orderId);
  return ofOrder.map(({ id, revision, type, metadata, data }) => ({ eventId: id, revision, type, at: metadata.at, by: { organisation: metadata.by.organisation }, ...proofOf(metadata), data }));
}

const answerTypes = new Set<string>(['OrderAcknowledged', 'ClarificationRequested', 'ContentActioned', 'OrderRefused', 'ObjectionRaised', 'ContentReinstated'] satisfies TakedownEvent['type'][]);

function isPartner({ kind }: Seen): boolean {
  return kind === 'partner';
}

function reportsFor({ reports }: KnownTakedown, seen: Seen): readonly StandingReport[] {
  return isPartner(seen) ? reports.filter(({ reportedBy }) => reportedBy === seen.organisation) : reports;
}

function recorded({ id, revision, type, data, metadata }: RecordedEvent<TakedownEvent>, seen: Seen): Recorded {
  const { organisation, holder } = metadata.by;
  const shown = isPartner(seen) ? hiddenFromPartners(type, data) : data;
  return { eventId: id, revision, type, at: metadata.at, by: isPartner(seen) ? { organisation } : { organisation, holder }, ...proofOf(metadata), data: shown };
}

function proofOf({ proof }: FurtherMetadata): Pick<Recorded, 'proof'> {
  return proof === undefined ? {} : { proof };
}

/** Officers are the agencies' own matter, and the URL that opened a takedown may be another's. */
function hiddenFromPartners(type: string, data: object): object {
  const hidden = new Set(['submittedByHolder', 'approvedByHolder', ...(type === 'TakedownOpened' ? ['submittedUrl'] : [])]);
  return Object.fromEntries(Object.entries(data).filter(([name]) => !hidden.has(name)));
}
