import type { Action, RefusalReason } from '@sejam/contracts';
import type { Terms } from '@sejam/deadlines';
import type { Aggregate, RecordedEvent } from '@sejam/event-sourcing';

export type ReopeningCause = 'new_report' | 'still_online' | 'reappeared' | 'refusal_disputed' | 'new_grounds';

export type Clock = 'dispatch' | 'acknowledgement' | 'resolution' | 'ruling';

export interface Evidence {
  mediaType: string;
  sha256: string;
  size: number;
  uri: string;
}

/** One approved content of one report, as it joins a takedown. */
export interface Joining {
  reportId: string;
  reportedBy: string;
  decidedBy: string;
  issuedBy: string;
  submittedAt: string;
  approvedAt: string;
  submittedUrl: string;
  canonicalUrl: string;
  note?: string;
  category: string;
  contentForm: string;
  language?: string;
  region: string;
  target?: string;
  issue?: { reference: string; title: string };
  evidence?: Evidence[];
  legalBasis: string[];
  reasons: string;
  factCheck?: { url?: string; statement?: string };
  requestedAction: Action;
  clarificationUrl?: string;
  territories?: string[];
  submittedByHolder: string;
  approvedByHolder: string;
}

// Events are permanent: add optional fields freely, never rename or remove one.
// Events marked (message) keep the exact body sent to the platform in `metadata.message`.
// Answers of a platform keep their proof in `metadata.signed`.
export type TakedownEvent =
  | {
      type: 'TakedownOpened';
      data: {
        takedownId: string;
        contentKey: string;
        platform: string;
        product: string;
        submittedUrl: string;
        canonicalUrl: string;
        category: string;
        /** The key is a short link's: no order goes out until the link is resolved, found unresolvable, or 10 s have passed. */
        provisional: boolean;
      };
    }
  /** `attention` shows it to issuers, who may reopen. */
  | { type: 'ReportJoined'; data: Joining & { attention?: 'refused' | 'objection_upheld' | 'other_action' } }
  | { type: 'ReportLeft'; data: { reportId: string; reason: string } }
  /** (message) order.issued */
  | {
      type: 'OrderIssued';
      data: {
        orderId: string;
        round: number;
        /** The dispatch clock runs from here: the first report's approval, or the reopening. */
        approvedAt: string;
        requestedAction: Action;
        territories?: string[];
        clarificationUrl?: string;
        category: string;
        legalBasis: { code: string; title: string }[];
        reasons: string;
        decidedBy: string;
        issuedBy: string;
        reports: number;
        terms: Terms;
        /** Issued while the platform's endpoint was put with `test: true`; left out of the statistics. */
        test: boolean;
        /** What became of a provisional key before the order went out. */
        shortLink?: 'unresolvable' | 'unresolved_in_time';
      };
    }
  | {
      type: 'OrderDelivered';
      data: { orderId: string; via: 'webhook' | 'feed' | 'answer'; webhookId?: string; attempt?: number };
    }
  | {
      type: 'OrderDeliveryFailed';
      data: { orderId: string; webhookId: string; attempt: number; side: 'platform' | 'ours'; cause: string; httpStatus?: number };
    }
  /** The platform's endpoint failed for 15 min: the order's clocks start all the same. */
  | { type: 'OrderDeemedDelivered'; data: { orderId: string; attempts: number; causes: string[] } }
  | { type: 'OrderAcknowledged'; data: { orderId: string } }
  | { type: 'ClarificationRequested'; data: { orderId: string; question: string } }
  /** (message) clarification.provided */
  | { type: 'ClarificationProvided'; data: { orderId: string; answer: string; providedBy: string } }
  | {
      type: 'ContentActioned';
      data: {
        orderId: string;
        action: Action;
        asRequested: boolean;
        territories?: string[];
        until?: string;
        labelUrl?: string;
        automated?: 'yes' | 'partly' | 'no';
        actionedAt: string;
      };
    }
  | { type: 'OrderRefused'; data: { orderId: string; reason: RefusalReason; explanation: string } }
  /** `counted`: the first objection to an order counts, later ones are recorded. */
  | { type: 'ObjectionRaised'; data: { orderId: string; grounds: string; counted: boolean } }
  /** (message) objection.ruled */
  | { type: 'ObjectionUpheld'; data: { orderId: string; reason: string; ruledBy: string } }
  /** (message) objection.ruled. With the order still open, the resolution clock runs again (run 2). */
  | { type: 'ObjectionDismissed'; data: { orderId: string; reason: string; ruledBy: string } }
  /** (message) order.withdrawn */
  | {
      type: 'OrderWithdrawn';
      data: {
        orderId: string;
        cause: 'issuer' | 'reports_withdrawn' | 'objection_upheld' | 'merged';
        reason: string;
        withdrawnBy: string;
      };
    }
  | { type: 'RemovalVerified'; data: { orderId: string; seenBy: string; note?: string } }
  | { type: 'ContentStillOnline'; data: { orderId: string; seenBy: string; note?: string } }
  | { type: 'ContentReappeared'; data: { orderId: string; seenBy: string; note?: string } }
  | { type: 'ContentReinstated'; data: { orderId: string; reason: string } }
  /** `round`: the number of the order that follows. */
  | { type: 'TakedownReopened'; data: { round: number; cause: ReopeningCause; reason: string; reopenedBy: string } }
  /** (message) deadline.approaching */
  | { type: 'WarningIssued'; data: { orderId: string; clock: 'resolution'; run: number; due: string } }
  /** (message for acknowledgement and resolution) deadline.missed */
  | { type: 'DeadlinePassed'; data: { clock: Clock; orderId: string; run: number; due: string } }
  /** A notice (any message but order.issued) reached the platform: `webhookId` is the id of the event that caused it. */
  | { type: 'NoticeDelivered'; data: { orderId: string; webhookId: string; via: 'webhook' | 'feed' } }
  /** Level 1 is the reminder (message: order.escalated); level 2 tells officers that a letter is due. */
  | { type: 'EscalationDue'; data: { orderId: string; level: 1 | 2 } }
  | {
      type: 'EscalationProposed';
      data: { orderId: string; n: number; level: 2 | 3 | 4 | 5; letterNumber: string; reason: string; proposedBy: string };
    }
  /** (message) order.escalated. `n` names the proposal that a second holder approved. */
  | { type: 'Escalated'; data: { orderId: string; n: number; level: 2 | 3 | 4 | 5; letterNumber: string; reason: string; approvedBy: string } }
  /** A short link was followed to this content. */
  | {
      type: 'ContentIdentified';
      data: { contentKey: string; canonicalUrl: string; platform: string; product: string; takedownId: string };
    }
  /** Its standing reports join the takedown `into`, which is never provisional. */
  | { type: 'TakedownMerged'; data: { into: string; contentKey: string; reports: string[] } };

/** In rising rank: an answer of lower rank after a higher one is recorded and changes nothing. `withdrawn` and `merged` win over all. */
export type OrderStatus =
  | 'awaiting_delivery' | 'delivered' | 'acknowledged' | 'clarification_requested' | 'refused' | 'actioned' | 'reinstated' | 'withdrawn' | 'merged';

export interface Objection {
  readonly status: 'pending' | 'upheld' | 'dismissed';
  readonly raisedAt: string;
  /** Of the ruling. */
  readonly eventId?: string;
}

export interface Order {
  readonly orderId: string;
  readonly round: number;
  readonly status: OrderStatus;
  readonly issuedAt: string;
  /** The dispatch clock runs from here. */
  readonly approvedAt: string;
  readonly requestedAction: Action;
  readonly reasons: string;
  readonly decidedBy: string;
  readonly test: boolean;
  readonly terms: Terms;
  /** What its clocks are judged by, in the stream's order. */
  readonly trail: readonly OrderFact[];
  /** It reached the platform: by webhook, feed or an answer. Deeming is not delivery. */
  readonly delivered: boolean;
  readonly deemed: boolean;
  /** Causes of the failures on the platform's side, in order. */
  readonly platformFailures: readonly string[];
  /** Attempts recorded as failed, as `<webhookId>/<attempt>`. */
  readonly failedAttempts: readonly string[];
  /** Only the one that counts. */
  readonly objection?: Objection;
  readonly actioned: boolean;
  readonly question?: string;
  readonly clarification?: { readonly answer: string; readonly eventId: string };
  readonly withdrawal?: { readonly cause: 'issuer' | 'reports_withdrawn' | 'objection_upheld' | 'merged'; readonly eventId: string };
  readonly verification: Verification;
  readonly observation?: { readonly type: Observation; readonly seenBy: string; readonly note?: string; readonly eventId: string };
  /** Clocks warned of, as `<clock>/<run>`. */
  readonly warned: readonly string[];
  readonly passed: readonly { readonly clock: Clock; readonly run: number; readonly due: string }[];
  /** Highest level carried out: 1 is the reminder. */
  readonly escalation: number;
}

/** Claimed is not verified: what the platform says, and then what officers and partners saw. */
export type Verification = 'none' | 'claimed' | 'verified' | 'still_online' | 'reappeared';

export type Observation = 'RemovalVerified' | 'ContentStillOnline' | 'ContentReappeared';

/** One event of an order as its clocks see it. */
export type OrderFact = TakedownEvent & { readonly id: string; readonly metadata: { readonly at: string } };

export interface StandingReport extends Joining {
  readonly attention?: 'refused' | 'objection_upheld' | 'other_action';
}

export interface Proposal {
  readonly orderId: string;
  readonly n: number;
  readonly level: 2 | 3 | 4 | 5;
  readonly letterNumber: string;
  readonly reason: string;
  readonly proposedBy: string;
  readonly proposedByHolder: string;
  readonly eventId: string;
  /** Of its approval. */
  readonly approvalEventId?: string;
}

export interface KnownTakedown {
  readonly status: OrderStatus;
  readonly takedownId: string;
  readonly contentKey: string;
  readonly platform: string;
  readonly product: string;
  readonly submittedUrl: string;
  readonly canonicalUrl: string;
  readonly category: string;
  readonly provisional: boolean;
  readonly openedAt: string;
  /** Organisations whose reports joined, also if they have left. */
  readonly reporters: readonly string[];
  /** Standing ones, in the order of joining. */
  readonly reports: readonly StandingReport[];
  /** Reports that left, also before they were seen to join. */
  readonly left: readonly string[];
  /** Every holder who submitted or approved a report that joined: none of them rules on an objection. */
  readonly holders: readonly string[];
  readonly orders: readonly Order[];
  readonly reopening?: { readonly round: number; readonly cause: ReopeningCause; readonly reason: string; readonly at: string; readonly eventId: string };
  readonly proposals: readonly Proposal[];
  /** Ids of the messages known to have reached the platform. */
  readonly noticed: readonly string[];
  readonly identified?: { readonly takedownId: string; readonly contentKey: string; readonly canonicalUrl: string; readonly platform: string; readonly product: string };
  readonly merged?: { readonly into: string; readonly eventId: string; readonly at: string; readonly reports: readonly StandingReport[] };
}

/** Only what decisions and messages look at. */
export type Takedown = { readonly status: 'none' } | KnownTakedown;

export const takedown: Aggregate<Takedown, TakedownEvent> = {
  category: 'takedown',
  initialState: { status: 'none' },
  eventTypes: [
    'TakedownOpened', 'ReportJoined', 'ReportLeft', 'OrderIssued', 'OrderDelivered', 'OrderDeliveryFailed', 'OrderDeemedDelivered',
    'OrderAcknowledged', 'ClarificationRequested', 'ClarificationProvided', 'ContentActioned', 'OrderRefused', 'ObjectionRaised',
    'ObjectionUpheld', 'ObjectionDismissed', 'OrderWithdrawn', 'RemovalVerified', 'ContentStillOnline', 'ContentReappeared',
    'ContentReinstated', 'TakedownReopened', 'WarningIssued', 'DeadlinePassed', 'NoticeDelivered', 'EscalationDue',
    'EscalationProposed', 'Escalated', 'ContentIdentified', 'TakedownMerged',
  ],
  evolve: (state, event) => {
    if (state.status === 'none') return event.type === 'TakedownOpened' ? opened(event.data, event.metadata.at) : state;
    const next = evolveKnown(state, event);
    return { ...next, status: next.orders.at(-1)?.status ?? (next.merged === undefined ? 'awaiting_delivery' : 'merged') };
  },
};

function opened(data: Extract<TakedownEvent, { type: 'TakedownOpened' }>['data'], at: string): KnownTakedown {
  return { ...data, status: 'awaiting_delivery', openedAt: at, reporters: [], reports: [], left: [], holders: [], orders: [], proposals: [], noticed: [] };
}

function evolveKnown(state: KnownTakedown, event: RecordedEvent<TakedownEvent>): KnownTakedown {
  const { at } = event.metadata;
  switch (event.type) {
    case 'TakedownOpened':
      return state;
    case 'ReportJoined': {
      const { reportedBy, submittedByHolder, approvedByHolder } = event.data;
      return {
        ...state,
        reports: [...state.reports, event.data],
        reporters: [...new Set([...state.reporters, reportedBy])],
        holders: [...new Set([...state.holders, submittedByHolder, approvedByHolder])],
      };
    }
    case 'ReportLeft':
      return {
        ...state,
        reports: state.reports.filter(({ reportId }) => reportId !== event.data.reportId),
        left: [...state.left, event.data.reportId],
      };
    case 'OrderIssued': {
      const { orderId, round, approvedAt, requestedAction, reasons, decidedBy, test, terms } = event.data;
      const order: Order = {
        orderId, round, approvedAt, requestedAction, reasons, decidedBy, test, terms, issuedAt: at, status: 'awaiting_delivery', trail: [event],
        delivered: false, deemed: false, platformFailures: [], failedAttempts: [], actioned: false, verification: 'none', warned: [], passed: [], escalation: 0,
      };
      return { ...state, orders: [...state.orders, order] };
    }
    case 'OrderDelivered':
      return withOrder(state, event, (order) => ({ ...order, delivered: true, status: risen(order, 'delivered') }));
    case 'OrderDeliveryFailed': {
      const { webhookId, attempt, side, cause } = event.data;
      return withOrder(state, event, (order) => ({
        ...order,
        failedAttempts: [...order.failedAttempts, `${webhookId}/${attempt}`],
        platformFailures: side === 'platform' ? [...order.platformFailures, cause] : order.platformFailures,
      }));
    }
    case 'OrderDeemedDelivered':
      return withOrder(state, event, (order) => ({ ...order, deemed: true, status: risen(order, 'delivered') }));
    case 'OrderAcknowledged':
      return withOrder(state, event, (order) => ({ ...order, status: risen(order, 'acknowledged') }));
    case 'ClarificationRequested':
      return withOrder(state, event, (order) => ({ ...order, question: event.data.question, status: risen(order, 'clarification_requested') }));
    case 'ClarificationProvided':
      return withOrder(state, event, (order) => ({
        ...order,
        clarification: { answer: event.data.answer, eventId: event.id },
        status: order.status === 'clarification_requested' ? 'acknowledged' : order.status,
      }));
    case 'ContentActioned':
      return withOrder(state, event, (order) => ({ ...order, actioned: true, verification: 'claimed', status: risen(order, 'actioned') }));
    case 'OrderRefused':
      return withOrder(state, event, (order) => ({ ...order, status: risen(order, 'refused') }));
    case 'ObjectionRaised':
      return withOrder(state, event, (order) => (event.data.counted ? { ...order, objection: { status: 'pending', raisedAt: at } } : order));
    case 'ObjectionUpheld':
      return withOrder(state, event, (order) => ({ ...order, objection: { raisedAt: at, ...order.objection, status: 'upheld', eventId: event.id } }));
    case 'ObjectionDismissed':
      return withOrder(state, event, (order) => ({ ...order, objection: { raisedAt: at, ...order.objection, status: 'dismissed', eventId: event.id } }));
    case 'OrderWithdrawn': {
      const { cause } = event.data;
      return withOrder(state, event, (order) => ({ ...order, withdrawal: { cause, eventId: event.id }, status: cause === 'merged' ? 'merged' : 'withdrawn' }));
    }
    case 'RemovalVerified':
    case 'ContentStillOnline':
    case 'ContentReappeared': {
      const { orderId: _, ...seen } = event.data;
      return withOrder(state, event, (order) => ({ ...order, observation: { type: event.type, eventId: event.id, ...seen }, verification: verifications[event.type] }));
    }
    case 'ContentReinstated':
      return withOrder(state, event, (order) => ({ ...order, status: 'reinstated' }));
    case 'TakedownReopened': {
      const { round, cause, reason } = event.data;
      return { ...state, reopening: { round, cause, reason, at, eventId: event.id } };
    }
    case 'WarningIssued':
      return withOrder(state, event, (order) => ({ ...order, warned: [...order.warned, `${event.data.clock}/${event.data.run}`] }));
    case 'DeadlinePassed': {
      const { clock, run, due } = event.data;
      return withOrder(state, event, (order) => ({ ...order, passed: [...order.passed, { clock, run, due }] }));
    }
    case 'NoticeDelivered':
      return { ...state, noticed: [...state.noticed, event.data.webhookId] };
    case 'EscalationDue':
      return withOrder(state, event, (order) => ({ ...order, escalation: Math.max(order.escalation, 1) }));
    case 'EscalationProposed': {
      const proposal: Proposal = { ...event.data, proposedByHolder: event.metadata.by.holder, eventId: event.id };
      return { ...state, proposals: [...state.proposals, proposal] };
    }
    case 'Escalated': {
      const { n, level } = event.data;
      const proposals = state.proposals.map((proposal) => (proposal.n === n ? { ...proposal, approvalEventId: event.id } : proposal));
      return withOrder({ ...state, proposals }, event, (order) => ({ ...order, escalation: Math.max(order.escalation, level) }));
    }
    case 'ContentIdentified':
      return { ...state, identified: event.data };
    case 'TakedownMerged': {
      const merged = { into: event.data.into, eventId: event.id, at, reports: state.reports.filter(({ reportId }) => event.data.reports.includes(reportId)) };
      const newest = state.orders.at(-1);
      const orders = newest === undefined ? [] : [...state.orders.slice(0, -1), { ...newest, status: 'merged' as const, trail: [...newest.trail, event] }];
      return { ...state, merged, orders };
    }
  }
}

const verifications: Record<Observation, Verification> = { RemovalVerified: 'verified', ContentStillOnline: 'still_online', ContentReappeared: 'reappeared' };

const rank: Record<OrderStatus, number> = {
  awaiting_delivery: 0, delivered: 1, acknowledged: 2, clarification_requested: 3, refused: 4, actioned: 5, reinstated: 6, withdrawn: 7, merged: 7,
};

/** The status after an answer of this rank. */
export function risen(order: Order, answered: OrderStatus): OrderStatus {
  return rank[answered] > rank[order.status] ? answered : order.status;
}

/** Changes the order that the event names and no other, and lets its clocks see the event. */
function withOrder<Event extends Extract<TakedownEvent, { data: { orderId: string } }>>(
  state: KnownTakedown,
  event: RecordedEvent<Event>,
  change: (order: Order) => Order,
): KnownTakedown {
  const fact = event as unknown as OrderFact;
  const orders = state.orders.map((order) => (order.orderId === event.data.orderId ? { ...change(order), trail: [...order.trail, fact] } : order));
  return { ...state, orders };
}

/** Unanswered, also with an objection pending. */
export function isOpen({ status }: { readonly status: OrderStatus }): boolean {
  return rank[status] <= rank.clarification_requested;
}

export function orderOf(state: Takedown, orderId: string): Order | undefined {
  return state.status === 'none' ? undefined : state.orders.find((order) => order.orderId === orderId);
}
