import type { BusMessage } from '@sejam/bus';
import { understand, type Action, type Message } from '@sejam/contracts';
import type { RequestCause } from '@sejam/service-host';
import type { Takedowns } from './act-on-takedown.js';
import type { Joining } from './takedown.js';

type Approved = Extract<Message<'sejam.intake.v1'>, { type: 'ContentsApproved' }>['data'];

/** So many contents of one report are written at the same time: each is a stream of its own. */
const AT_ONCE = 8;

/** Acts on what intake tells: approved contents join their takedowns, a withdrawn report leaves them. Safe to repeat. */
export async function followReports(takedowns: Takedowns, message: BusMessage): Promise<void> {
  const told = understand('sejam.intake.v1', message.type, message.data);
  if (told?.type === 'ContentsApproved') {
    const { data } = told;
    await inParts(data.contents, async (content) => {
      const { takedownId, contentKey, platform, product, provisional } = content;
      await takedowns.join({ takedownId, contentKey, platform, product, provisional }, joiningOf(data, content, message.time), causeOf(message, contentKey));
    });
  }
  if (told?.type === 'ReportWithdrawn') {
    const { reportId, reason, approved } = told.data;
    await inParts(approved, async ({ takedownId, contentKey }) => {
      await takedowns.leave(takedownId, { reportId, reason }, causeOf(message, contentKey));
    });
  }
}

/** What a message causes on one of the streams that it concerns. */
export function causeOf({ id, correlationId, traceparent }: BusMessage, part: string): RequestCause {
  return { causationId: `event:${id}#${part}`, correlationId: correlationId ?? id, traceparent, by: { organisation: 'sejam', holder: 'system:routing' } };
}

function joiningOf(approved: Approved, content: Approved['contents'][number], approvedAt: string): Joining {
  const { reportId, reportedBy, decidedBy, issuedBy, submittedAt, statement, reasons, requestedAction, legalBasis, factCheck } = approved;
  const { submittedByHolder, approvedByHolder, clarificationUrl, territories } = approved;
  const { submittedUrl, canonicalUrl, note } = content;
  if (statement === undefined) throw new Error(`ContentsApproved of report ${reportId} has no statement`);
  const { category, contentForm, region, language, target, issue, evidence } = statement;
  return {
    reportId, reportedBy, decidedBy, issuedBy, submittedAt, approvedAt, submittedUrl, canonicalUrl, category, contentForm, region,
    legalBasis: [...legalBasis], reasons, requestedAction: requestedAction as Action, submittedByHolder, approvedByHolder,
    ...(note === undefined ? {} : { note }),
    ...(language === undefined ? {} : { language }),
    ...(target === undefined ? {} : { target }),
    ...(issue === undefined ? {} : { issue: { reference: issue.reference, title: issue.title } }),
    ...(evidence.length === 0 ? {} : { evidence: evidence.map(({ mediaType, sha256, size, uri }) => ({ mediaType, sha256, size, uri })) }),
    ...(factCheck === undefined ? {} : { factCheck: factCheckOf(factCheck) }),
    ...(clarificationUrl === undefined ? {} : { clarificationUrl }),
    ...(territories.length === 0 ? {} : { territories: [...territories] }),
  };
}

function factCheckOf({ url, statement }: { readonly url?: string | undefined; readonly statement?: string | undefined }): NonNullable<Joining['factCheck']> {
  return { ...(url === undefined ? {} : { url }), ...(statement === undefined ? {} : { statement }) };
}

async function inParts<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  for (let start = 0; start < items.length; start += AT_ONCE) await Promise.all(items.slice(start, start + AT_ONCE).map(work));
}
