import type { Message } from '@sejam/contracts';
import { orderClocks, type Clock, type Fact, type FactKind, type Terms } from '@sejam/deadlines';

export type TakedownMessage = Message<'sejam.takedown.v1'>;

/** What the messages of one takedown's stream have told so far; kept as JSON in its row. */
export interface FollowedTakedown {
  id: string;
  platform: string;
  product: string;
  contentKey: string;
  canonicalUrl: string;
  category: string;
  openedAt: string;
  /** Recorded time of the newest event: the first one later than a due time decides its clock, whatever it is. */
  lastAt: string;
  reports: JoinedReport[];
  orders: FollowedOrder[];
  mergedInto?: string;
}

export interface JoinedReport {
  reportId: string;
  reportedBy: string;
  region: string;
  issue?: string;
  submittedAt: string;
  left?: true;
}

export type OrderStatus = 'awaiting_delivery' | 'delivered' | 'acknowledged' | 'clarification_requested' | 'refused' | 'actioned' | 'reinstated' | 'withdrawn' | 'merged';

export interface FollowedOrder {
  round: number;
  status: OrderStatus;
  issuedAt: string;
  approvedAt: string;
  requestedAction: string;
  category: string;
  decidedBy: string;
  issuedBy: string;
  terms: Terms;
  test: boolean;
  /** Round 1: the earliest submission among the reports it was issued for; later rounds: the reopening. */
  firstReportAt: string;
  /** The first event of each kind, in their order: clocks look at no other. */
  firsts: [kind: FactKind, at: string][];
  action?: { action: string; asRequested: boolean; until?: string };
  refusal?: { reason: string; explanation: string };
  objection: 'none' | 'pending' | 'upheld' | 'dismissed';
  verification: 'none' | 'claimed' | 'verified' | 'still_online' | 'reappeared';
  reinstated?: string;
  withdrawal?: { cause: string; reason: string };
  escalation: number;
}

const rank: Readonly<Record<OrderStatus, number>> = {
  awaiting_delivery: 0, delivered: 1, acknowledged: 2, clarification_requested: 3, refused: 4, actioned: 5, reinstated: 6, withdrawn: 7, merged: 7,
};

/** Unanswered, also with an objection pending. */
export const isOpen = ({ status }: Pick<FollowedOrder, 'status'>): boolean => rank[status] <= rank.clarification_requested;

export const statusOf = ({ orders, mergedInto }: FollowedTakedown): OrderStatus => orders.at(-1)?.status ?? (mergedInto === undefined ? 'awaiting_delivery' : 'merged');

/** The takedown before its first message. */
export const unknownTakedown = (id: string): FollowedTakedown => ({
  id, platform: '', product: '', contentKey: '', canonicalUrl: '', category: '', openedAt: '', lastAt: '', reports: [], orders: [],
});

/** Something was recorded, whatever it is. */
export function hear(takedown: FollowedTakedown, at: string): void {
  takedown.lastAt = at;
  if (takedown.openedAt === '') takedown.openedAt = at;
}

/** Takes one message in, in the stream's order. Changes what it is given: a rebuild folds millions. */
export function take(takedown: FollowedTakedown, { type, data }: TakedownMessage, at: string): void {
  hear(takedown, at);
  if (data.takedown !== undefined) {
    const { platform, product, contentKey, category } = data.takedown;
    takedown.category = category;
    // An operator may have skipped its first message. What each of them carries is enough to go on, and a report that joins brings the content's address.
    if (takedown.platform === '') Object.assign(takedown, { platform, product, contentKey });
  }
  switch (type) {
    case 'TakedownOpened': {
      const { platform, product, contentKey, canonicalUrl } = data;
      Object.assign(takedown, { platform, product, contentKey, canonicalUrl, openedAt: at });
      return;
    }
    case 'ReportJoined': {
      const { reportId, reportedBy, region, issue, submittedAt } = data;
      if (takedown.canonicalUrl === '') takedown.canonicalUrl = data.canonicalUrl;
      takedown.reports = takedown.reports.filter((report) => report.reportId !== reportId);
      takedown.reports.push({ reportId, reportedBy, region, submittedAt, ...(issue === undefined ? {} : { issue: issue.reference }) });
      return;
    }
    case 'ReportLeft':
      for (const report of takedown.reports) if (report.reportId === data.reportId) report.left = true;
      return;
    case 'OrderIssued': {
      const { round, approvedAt, requestedAction, category, decidedBy, issuedBy, test, terms } = data;
      if (terms === undefined) throw new Error('An order without terms');
      const { $typeName: _, $unknown: __, ...plainTerms } = terms;
      const submissions = takedown.reports.map((report) => report.submittedAt);
      takedown.orders.push({
        round, approvedAt, requestedAction, category, decidedBy, issuedBy, test, terms: plainTerms, issuedAt: at, status: 'awaiting_delivery',
        firstReportAt: round === 1 ? submissions.reduce((first, next) => (next < first ? next : first), approvedAt) : approvedAt,
        firsts: [['issued', at]], objection: 'none', verification: 'none', escalation: 0,
      });
      return;
    }
    case 'TakedownMerged': {
      takedown.mergedInto = data.into;
      for (const order of takedown.orders) first(order, 'merged', at);
      const newest = takedown.orders.at(-1);
      if (newest !== undefined) newest.status = 'merged';
      return;
    }
    case 'ContentIdentified':
    case 'TakedownReopened':
      return;
    default: {
      const order = takedown.orders.find(({ round }) => data.orderId === `${takedown.id}.${round}`);
      if (order !== undefined) takeOfOrder(order, { type, data } as OrderMessage, at);
    }
  }
}

type OrderMessage = Exclude<TakedownMessage, { type: 'TakedownOpened' | 'ReportJoined' | 'ReportLeft' | 'OrderIssued' | 'TakedownMerged' | 'ContentIdentified' | 'TakedownReopened' }>;

function takeOfOrder(order: FollowedOrder, { type, data }: OrderMessage, at: string): void {
  switch (type) {
    case 'OrderDelivered':
      first(order, 'delivered', at);
      return rise(order, 'delivered');
    case 'OrderDeemedDelivered':
      first(order, 'deemed_delivered', at);
      return rise(order, 'delivered');
    case 'OrderDeliveryFailed':
      if (data.side === 'platform') first(order, 'delivery_failed', at);
      return;
    case 'OrderAcknowledged':
      first(order, 'acknowledged', at);
      return rise(order, 'acknowledged');
    case 'ClarificationRequested':
      first(order, 'clarification_requested', at);
      return rise(order, 'clarification_requested');
    case 'ClarificationProvided':
      first(order, 'clarification_provided', at);
      if (order.status === 'clarification_requested') order.status = 'acknowledged';
      return;
    case 'ContentActioned': {
      const { action, asRequested, until } = data;
      first(order, 'actioned', at);
      order.action = { action, asRequested, ...(until === undefined ? {} : { until }) };
      order.verification = 'claimed';
      return rise(order, 'actioned');
    }
    case 'OrderRefused':
      first(order, 'refused', at);
      order.refusal = { reason: data.reason, explanation: data.explanation };
      return rise(order, 'refused');
    case 'ObjectionRaised':
      if (!data.counted) return;
      first(order, 'objection_raised', at);
      order.objection = 'pending';
      return;
    case 'ObjectionUpheld':
      first(order, 'objection_upheld', at);
      order.objection = 'upheld';
      return;
    case 'ObjectionDismissed':
      first(order, 'objection_dismissed', at);
      order.objection = 'dismissed';
      return;
    case 'OrderWithdrawn':
      first(order, data.cause === 'merged' ? 'merged' : 'withdrawn', at);
      order.withdrawal = { cause: data.cause, reason: data.reason };
      order.status = data.cause === 'merged' ? 'merged' : 'withdrawn';
      return;
    case 'ContentReinstated':
      first(order, 'reinstated', at);
      order.reinstated = data.reason;
      order.status = 'reinstated';
      return;
    case 'RemovalVerified':
      order.verification = 'verified';
      return;
    case 'ContentStillOnline':
      order.verification = 'still_online';
      return;
    case 'ContentReappeared':
      order.verification = 'reappeared';
      return;
    case 'EscalationDue':
    case 'Escalated':
      order.escalation = Math.max(order.escalation, data.level);
      return;
    case 'EscalationProposed':
    case 'NoticeDelivered':
    case 'WarningIssued':
    case 'DeadlinePassed':
      return;
  }
}

function first(order: FollowedOrder, kind: FactKind, at: string): void {
  if (!order.firsts.some(([known]) => known === kind)) order.firsts.push([kind, at]);
}

function rise(order: FollowedOrder, answered: OrderStatus): void {
  if (rank[answered] > rank[order.status]) order.status = answered;
}

/** When the first of these happened to an order; undefined: none did. */
export function firstAt(order: FollowedOrder, ...kinds: readonly FactKind[]): string | undefined {
  return order.firsts.find(([kind]) => kinds.includes(kind))?.[1];
}

/** An order's clocks by the rule of `@sejam/deadlines`, from the takedown's own messages: sla's messages may come later. */
export function clocksOf(order: FollowedOrder, lastAt: string): Clock[] {
  const facts: Fact[] = order.firsts.map(([kind, at]) => ({ kind, at }));
  // Stands for everything that matters to no clock but may have been the first event later than due.
  facts.push({ kind: 'other', at: lastAt });
  return orderClocks(facts, order);
}

/** What ended, or will end, the platform's part: action, reasoned refusal, or the objection that counts. */
export const answeredAt = (order: FollowedOrder): string | undefined => firstAt(order, 'actioned', 'refused', 'objection_raised');

/** By which time something is expected next: from us until it is delivered, from the agency while an objection is pending, else the platform. */
export function expectedBy(order: FollowedOrder, clocks: readonly Clock[]): { clock: Clock['clock']; due: Date } {
  const wanted = firstAt(order, 'delivered', 'deemed_delivered') === undefined ? 'dispatch' : order.objection === 'pending' ? 'ruling' : 'resolution';
  const clock = clocks.findLast((one) => one.clock === wanted);
  if (clock === undefined) throw new Error(`Order ${order.round} has no ${wanted} clock`);
  return { clock: wanted, due: clock.due };
}

/** Over all runs of the resolution clock: missed once is missed. Undefined while it has not started. */
export function resolutionOf(clocks: readonly Clock[]): Clock['verdict']['outcome'] | undefined {
  const outcomes = clocks.filter(({ clock }) => clock === 'resolution').map(({ verdict }) => verdict.outcome);
  return outcomes.find((outcome) => outcome === 'missed') ?? outcomes.at(-1);
}
