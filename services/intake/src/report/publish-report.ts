import { publishErasure } from '../erasure/publish-erasure.js';
import type { ReportEvent } from './report.js';

/** What intake tells of a stored event: all but the reporter and the hash of the request. */
export function publishReport(event: ReportEvent): { type: ReportEvent['type']; data: object } {
  const { type, data } = event;
  switch (type) {
    case 'ReportSubmitted': {
      const { reporter: _reporter, requestSha256: _requestSha256, ...published } = data;
      return { type, data: published };
    }
    case 'ReportUnroutable': {
      const { requestSha256: _requestSha256, ...published } = data;
      return { type, data: published };
    }
    case 'ReportAmended':
    case 'ContentsApproved':
    case 'ContentsDeclined':
    case 'ReportWithdrawn':
    case 'DeadlinePassed':
      return { type, data };
    case 'ErasureRequested':
    case 'ErasureWithdrawn':
    case 'SubjectErased':
      return publishErasure(event);
  }
}
