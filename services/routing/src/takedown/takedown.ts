export type Action =
  | 'removed' | 'access_disabled' | 'labelled' | 'demoted' | 'age_restricted' | 'interaction_restricted'
  | 'account_suspended' | 'account_terminated' | 'already_gone';

export type RefusalReason =
  | 'not_found' | 'not_illegal_here' | 'insufficient_information' | 'wrong_platform' | 'protected_speech'
  | 'duplicate' | 'technically_impossible' | 'other';

export type ReopeningCause = 'new_report' | 'still_online' | 'reappeared' | 'refusal_disputed' | 'new_grounds';

export type Clock = 'dispatch' | 'acknowledgement' | 'resolution' | 'ruling';

/** Chosen once, when the order is issued; a later policy never changes them. Minutes; percent of the resolution time. */
export interface Terms {
  policy: string;
  version: number;
  acknowledgeWithinMinutes: number;
  resolveWithinMinutes: number;
  warningPercent: number;
  clarificationCapMinutes: number;
}

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
  | {
      type: 'ContentIdentified';
      data: { contentKey: string; canonicalUrl: string; platform: string; product: string; takedownId: string };
    }
  | { type: 'TakedownMerged'; data: { into: string; contentKey: string; reports: string[] } };
