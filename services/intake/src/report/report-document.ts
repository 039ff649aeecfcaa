import { isErased } from '../erasure/erasure.js';
import type { OpenReport } from './report.js';

/** One URL of a report, in the order of the request. */
export type ContentDocument =
  | {
      url: string;
      canonicalUrl: string;
      contentKey: string;
      platform: string;
      product: string;
      takedownId: string;
      note?: string;
      decision: 'pending' | 'approved' | 'declined';
      decidedBy?: string;
    }
  | { url: string; refused: { code: string; detail: string } };

/** A report as the API shows it. `eventId` is the event that says what the request asked for, or the newest decision's. */
export interface ReportDocument {
  id: string;
  reference: string;
  status: OpenReport['status'];
  reportedBy: string;
  submittedAt: string;
  category: string;
  contentForm: string;
  language?: string;
  issue?: { reference: string; title: string };
  legalBasis?: string[];
  region: string;
  target?: string;
  summary: string;
  evidence?: OpenReport['statement']['evidence'];
  contents: ContentDocument[];
  /** To the organisation that submitted the report alone. */
  reporter?: { name?: string; contact?: string; erased?: true };
  eventId: string;
}

export function reportDocument(state: OpenReport, eventId: string = state.submittedEventId): ReportDocument {
  const { reportId: id, reference, status, reportedBy, submittedAt, statement } = state;
  const byIndex: [number, ContentDocument][] = state.refused.map(({ index, submittedUrl, code, detail }) => [
    index,
    { url: submittedUrl, refused: { code, detail } },
  ]);
  for (const { index, submittedUrl, alsoSubmittedAs = [], canonicalUrl, contentKey, platform, product, takedownId, note, decision, decidedBy } of state.contents) {
    const common = {
      canonicalUrl, contentKey, platform, product, takedownId, decision,
      ...(note === undefined ? {} : { note }),
      ...(decidedBy === undefined ? {} : { decidedBy }),
    };
    for (const place of [{ index, url: submittedUrl }, ...alsoSubmittedAs]) byIndex.push([place.index, { url: place.url, ...common }]);
  }
  const contents = byIndex.sort(([one], [other]) => one - other).map(([, content]) => content);
  return { id, reference, status, reportedBy, submittedAt, ...statement, contents, eventId };
}

/** For the organisation that submitted: nobody else is told that there was a reporter. */
export function erasedReporter(state: OpenReport): Pick<ReportDocument, 'reporter'> {
  return isErased(state) ? { reporter: { erased: true } } : {};
}
