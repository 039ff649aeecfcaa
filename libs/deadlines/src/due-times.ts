import type { Terms } from './terms.js';

const minuteMs = 60_000;

/** An agency decides a report's contents within 15 minutes of `ReportSubmitted`. */
export function decisionDue(submittedAt: string): Date {
  return later(submittedAt, 15);
}

/** The clearing house gets an order to its platform within 60 seconds of `OrderIssued.approvedAt`. */
export function dispatchDue(approvedAt: string): Date {
  return later(approvedAt, 1);
}

export function acknowledgementDue(terms: Terms, deliveredAt: string): Date {
  return later(deliveredAt, terms.acknowledgeWithinMinutes);
}

/** The round's first question of the platform, and the first answer to it. */
export interface Clarification {
  readonly requestedAt: string;
  readonly providedAt?: string;
}

/**
 * A question that was asked in time moves the due time by as long as our side takes to answer, at most the cap; while it is unanswered, by the
 * whole cap. An answer that makes due earlier again never moves it to before that answer.
 */
export function resolutionDue(terms: Terms, deliveredAt: string, clarification?: Clarification): Date {
  const unmoved = later(deliveredAt, terms.resolveWithinMinutes);
  if (clarification === undefined || Date.parse(clarification.requestedAt) > unmoved.getTime()) return unmoved;
  const { requestedAt, providedAt } = clarification;
  const capMs = terms.clarificationCapMinutes * minuteMs;
  const waitedMs = providedAt === undefined ? capMs : Date.parse(providedAt) - Date.parse(requestedAt);
  return new Date(unmoved.getTime() + Math.min(capMs, waitedMs));
}

/** After an objection was dismissed while the order was open, the whole resolution time runs again from the ruling. */
export function secondResolutionDue(terms: Terms, dismissedAt: string): Date {
  return later(dismissedAt, terms.resolveWithinMinutes);
}

/** An agency rules on an objection within 24 hours of `ObjectionRaised`. */
export function rulingDue(raisedAt: string): Date {
  return later(raisedAt, 24 * 60);
}

/** When the one warning of a resolution clock is given: that percentage of the time from its start to its due time, as due is now. */
export function warningDue(terms: Terms, startedAt: string, due: Date): Date {
  const startMs = Date.parse(startedAt);
  return new Date(startMs + Math.floor(((due.getTime() - startMs) * terms.warningPercent) / 100));
}

function later(at: string, minutes: number): Date {
  return new Date(Date.parse(at) + minutes * minuteMs);
}
