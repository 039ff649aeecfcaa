import { clockVerdicts, type ClockVerdict } from '../verdict/clocks.js';
import { text, type StreamEvent } from '../verdict/stream-event.js';

export type OrderStatus = 'awaiting_delivery' | 'delivered' | 'acknowledged' | 'clarification_requested' | 'refused' | 'actioned' | 'reinstated' | 'withdrawn' | 'merged';

export interface OrderState {
  readonly orderId: string;
  readonly round: number;
  readonly status: OrderStatus;
  readonly issuedAt: string;
  readonly requestedAction: string;
  readonly clocks: readonly { readonly clock: string; readonly run: number; readonly due: string; readonly verdict: ClockVerdict['verdict'] }[];
}

/** What the record said of one takedown up to a moment. */
export interface TakedownState {
  readonly takedownId: string;
  readonly at: string;
  readonly status: OrderStatus;
  readonly objection: 'none' | 'pending' | 'upheld' | 'dismissed';
  readonly verification: 'none' | 'claimed' | 'verified' | 'still_online' | 'reappeared';
  readonly contentKey: string;
  readonly canonicalUrl: string;
  readonly platform: string;
  readonly product: string;
  readonly category: string;
  readonly openedAt: string;
  readonly mergedInto?: string;
  readonly reports: readonly { readonly reportId: string; readonly reportedBy: string }[];
  readonly orders: readonly OrderState[];
  readonly timeline: readonly { readonly at: string; readonly type: string; readonly eventId: string; readonly revision: number; readonly by: string; readonly proof?: string }[];
}

const RANK: Readonly<Record<OrderStatus, number>> = {
  awaiting_delivery: 0, delivered: 1, acknowledged: 2, clarification_requested: 3, refused: 4, actioned: 5, reinstated: 6, withdrawn: 7, merged: 7,
};

/** The status that an event would raise an order to; one of lower rank changes nothing. */
const RISES_TO: Readonly<Record<string, OrderStatus>> = {
  OrderDelivered: 'delivered', OrderDeemedDelivered: 'delivered', OrderAcknowledged: 'acknowledged', ClarificationRequested: 'clarification_requested',
  OrderRefused: 'refused', ContentActioned: 'actioned',
};

const OBJECTION: Readonly<Record<string, TakedownState['objection']>> = { ObjectionRaised: 'pending', ObjectionUpheld: 'upheld', ObjectionDismissed: 'dismissed' };

const VERIFICATION: Readonly<Record<string, TakedownState['verification']>> = {
  ContentActioned: 'claimed', RemovalVerified: 'verified', ContentStillOnline: 'still_online', ContentReappeared: 'reappeared',
};

export const OPEN: ReadonlySet<OrderStatus> = new Set(['awaiting_delivery', 'delivered', 'acknowledged', 'clarification_requested']);

/** The state as of `at`: what was recorded up to and at that time, nothing that was known later. Undefined before the takedown was opened. */
export function takedownAsOf(stream: string, all: readonly StreamEvent[], at: string): TakedownState | undefined {
  const events = all.filter((event) => event.at <= at);
  const opened = events.find(({ type }) => type === 'TakedownOpened');
  if (opened === undefined) return undefined;
  const issued = events.filter(({ type }) => type === 'OrderIssued');
  const verdicts = clockVerdicts(stream, events);
  const merged = events.find(({ type }) => type === 'TakedownMerged');
  const orders = issued.map((event, index): OrderState => {
    const orderId = text(event, 'orderId');
    const own = events.filter(({ data }) => data['orderId'] === orderId);
    return {
      orderId, round: Number(event.data['round']), issuedAt: event.at, requestedAction: text(event, 'requestedAction'),
      status: statusOf(merged !== undefined && index === issued.length - 1 ? [...own, merged].sort((one, other) => one.revision - other.revision) : own),
      clocks: verdicts.filter(({ subject }) => subject === orderId).map(({ clock, run, due, verdict }) => ({ clock, run, due, verdict })),
    };
  });
  const newest = events.filter(({ data }) => data['orderId'] === orders.at(-1)?.orderId);
  const left = new Set(events.filter(({ type }) => type === 'ReportLeft').map((event) => text(event, 'reportId')));
  return {
    takedownId: text(opened, 'takedownId'), at,
    status: orders.at(-1)?.status ?? (merged === undefined ? 'awaiting_delivery' : 'merged'),
    objection: lastOf(newest.filter(({ type, data }) => type !== 'ObjectionRaised' || data['counted'] === true), OBJECTION) ?? 'none',
    verification: lastOf(newest, VERIFICATION) ?? 'none',
    contentKey: text(opened, 'contentKey'), canonicalUrl: text(opened, 'canonicalUrl'), platform: text(opened, 'platform'), product: text(opened, 'product'),
    category: text(opened, 'category'), openedAt: opened.at,
    ...(merged === undefined ? {} : { mergedInto: text(merged, 'into') }),
    reports: events.filter((event) => event.type === 'ReportJoined' && !left.has(text(event, 'reportId'))).map((event) => ({ reportId: text(event, 'reportId'), reportedBy: text(event, 'reportedBy') })),
    orders,
    timeline: events.map((event) => ({ at: event.at, type: event.type, eventId: event.id, revision: event.revision, by: event.by === undefined ? '' : `${event.by.organisation}/${event.by.holder}`, ...(event.proof === undefined ? {} : { proof: event.proof }) })),
  };
}

function statusOf(events: readonly StreamEvent[]): OrderStatus {
  let status: OrderStatus = 'awaiting_delivery';
  for (const { type, data } of events) {
    const risen = RISES_TO[type];
    if (type === 'TakedownMerged') status = 'merged';
    else if (type === 'OrderWithdrawn') status = data['cause'] === 'merged' ? 'merged' : 'withdrawn';
    else if (type === 'ContentReinstated') status = 'reinstated';
    else if (type === 'ClarificationProvided' && status === 'clarification_requested') status = 'acknowledged';
    else if (risen !== undefined && RANK[risen] > RANK[status]) status = risen;
  }
  return status;
}

function lastOf<T>(events: readonly StreamEvent[], meaning: Readonly<Record<string, T>>): T | undefined {
  const last = events.findLast(({ type }) => meaning[type] !== undefined);
  return last && meaning[last.type];
}
