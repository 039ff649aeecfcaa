import { legalBases } from '@sejam/contracts';
import type { Given } from '@sejam/event-sourcing/testing';
import type { ContentOfTakedown, Issuing } from './joining.js';
import type { Terms } from '@sejam/deadlines';
import type { Joining, TakedownEvent } from './takedown.js';

export const takedownId = '6f0b6a4e-3c1d-5f5e-8a43-0d8a2f5b9c11';
export const orderId = `${takedownId}.1`;
export const startMs = Date.parse('2024-11-27T02:00:00.000Z');

/** Minutes after the first report was approved. */
export function minute(minutes: number): string {
  return new Date(startMs + minutes * 60_000).toISOString();
}

export const terms: Terms = {
  policy: 'default', version: 0, acknowledgeWithinMinutes: 10, resolveWithinMinutes: 60, warningPercent: 75, clarificationCapMinutes: 30,
};

export const content: ContentOfTakedown = {
  takedownId, contentKey: 'tiktok:video:7399295712095227142', platform: 'tiktok', product: 'tiktok', provisional: false,
};

export const shortLink: ContentOfTakedown = { ...content, contentKey: 'tiktok:short:ZSabc', provisional: true };

export function joining(changes: Partial<Joining> = {}): Joining {
  return {
    reportId: 'report-1', reportedBy: 'bawaslu', decidedBy: 'bawaslu', issuedBy: 'kominfo', submittedAt: minute(-5), approvedAt: minute(0),
    submittedUrl: 'https://www.tiktok.com/@x/video/7399295712095227142?_r=1', canonicalUrl: 'https://www.tiktok.com/@x/video/7399295712095227142',
    category: 'hoax.voting_procedure', contentForm: 'video', region: '32.73', legalBasis: ['UU-10-2016:69-c'],
    reasons: 'It says that voting moved to 28 November.', factCheck: { url: 'https://kpu.example/fact' }, requestedAction: 'removed',
    submittedByHolder: 'officer:submitter', approvedByHolder: 'officer:approver', ...changes,
  };
}

export function issuing(minutes: number): Issuing {
  return { at: new Date(minute(minutes)), policies: [], legalBases: legalBases(), test: false };
}

export const opened: Given<TakedownEvent> = {
  type: 'TakedownOpened',
  at: minute(0),
  data: {
    takedownId, contentKey: content.contentKey, platform: 'tiktok', product: 'tiktok', submittedUrl: joining().submittedUrl,
    canonicalUrl: joining().canonicalUrl, category: 'hoax.voting_procedure', provisional: false,
  },
};

export const openedByShortLink: Given<TakedownEvent> = {
  type: 'TakedownOpened',
  at: minute(0),
  data: { ...(opened as Extract<TakedownEvent, { type: 'TakedownOpened' }>).data, contentKey: shortLink.contentKey, provisional: true },
};

export const joined: Given<TakedownEvent> = { type: 'ReportJoined', data: joining() };

export function issued(round = 1, at = minute(0)): Given<TakedownEvent> & { type: 'OrderIssued' } {
  return {
    type: 'OrderIssued',
    at,
    data: {
      orderId: `${takedownId}.${round}`, round, approvedAt: at, requestedAction: 'removed', category: 'hoax.voting_procedure',
      legalBasis: [{ code: 'UU-10-2016:69-c', title: legalBases().get('UU-10-2016:69-c')?.title ?? '' }], reasons: joining().reasons,
      decidedBy: 'bawaslu', issuedBy: 'kominfo', reports: 1, terms, test: false,
    },
  };
}

export function delivered(at = minute(0), of = orderId): Given<TakedownEvent> {
  return { type: 'OrderDelivered', at, data: { orderId: of, via: 'webhook', webhookId: 'w-1', attempt: 1 } };
}

/** An order that reached its platform at minute 0. */
export const underway: readonly Given<TakedownEvent>[] = [opened, joined, issued(), delivered()];

export function acknowledged(at: string, of = orderId): Given<TakedownEvent> {
  return { type: 'OrderAcknowledged', at, data: { orderId: of } };
}

export function actioned(at: string, of = orderId): Given<TakedownEvent> {
  return { type: 'ContentActioned', at, data: { orderId: of, action: 'removed', asRequested: true, actionedAt: at } };
}

export function refused(at: string, of = orderId): Given<TakedownEvent> {
  return { type: 'OrderRefused', at, data: { orderId: of, reason: 'protected_speech', explanation: 'Satire' } };
}

export function objected(at: string, counted = true, of = orderId): Given<TakedownEvent> {
  return { type: 'ObjectionRaised', at, data: { orderId: of, grounds: 'It is a parody', counted } };
}

export function withdrawn(cause: 'issuer' | 'reports_withdrawn' | 'objection_upheld', at: string, of = orderId): Given<TakedownEvent> {
  return { type: 'OrderWithdrawn', at, data: { orderId: of, cause, reason: 'No longer needed', withdrawnBy: 'kominfo' } };
}

export function reinstated(at: string, of = orderId): Given<TakedownEvent> {
  return { type: 'ContentReinstated', at, data: { orderId: of, reason: 'Appeal granted' } };
}

export function asked(at: string, of = orderId): Given<TakedownEvent> {
  return { type: 'ClarificationRequested', at, data: { orderId: of, question: 'Which minute?' } };
}

export function clarified(at: string, of = orderId): Given<TakedownEvent> {
  return { type: 'ClarificationProvided', at, data: { orderId: of, answer: 'At 0:12', providedBy: 'kominfo' } };
}

export function passed(at: string, of = orderId): Given<TakedownEvent> {
  return { type: 'DeadlinePassed', at, data: { clock: 'resolution', orderId: of, run: 1, due: minute(60) } };
}

export function reminded(at: string, of = orderId): Given<TakedownEvent> {
  return { type: 'EscalationDue', at, data: { orderId: of, level: 1 } };
}
