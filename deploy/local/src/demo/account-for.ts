import type { SejamApi } from './sejam-api.js';

export interface Accounts {
  readonly reports: number;
  readonly contents: Readonly<Record<string, number>>;
  /** What nobody can say what became of; the demo has failed when there is any. */
  readonly unaccounted: readonly string[];
}

interface Report {
  readonly status: string;
  readonly contents: readonly { readonly contentKey?: string; readonly takedownId?: string; readonly decision?: string; readonly refused?: { readonly code: string } }[];
}

interface Takedown {
  readonly status: string;
  readonly mergedInto?: string;
  readonly reports: readonly { readonly reportId: string }[];
  readonly orders: readonly { readonly orderId: string; readonly delivered: boolean; readonly clocks: readonly { readonly clock: string; readonly dueAt: string; readonly met: boolean; readonly passed: boolean }[] }[];
  readonly timeline: readonly { readonly type: string; readonly data: { readonly reportId?: string } }[];
}

const answered = ['actioned', 'refused', 'reinstated', 'withdrawn'];

/** Follows every accepted report to what became of each of its contents, by what the API shows an auditor. */
export async function accountFor(api: SejamApi, accepted: ReadonlyMap<string, string>): Promise<Accounts> {
  const contents: Record<string, number> = {};
  const unaccounted: string[] = [];
  const count = (what: string): void => void (contents[what] = (contents[what] ?? 0) + 1);
  for (const [reference, id] of accepted) {
    const { status, body: report } = await api.get<Report>(`/v1/reports/${id}`, 'auditor');
    if (status !== 200) {
      unaccounted.push(`report ${reference}: ${status}`);
      continue;
    }
    for (const content of report.contents) {
      if (content.refused !== undefined) count('refused by intake');
      else if (content.decision === 'declined') count('declined');
      else if (content.decision === 'pending') {
        if (report.status === 'withdrawn') count('withdrawn before a decision');
        else unaccounted.push(`report ${reference}, ${content.contentKey}: nobody decided it`);
      } else {
        const outcome = await outcomeOf(api, content.takedownId as string, id);
        if (outcome.startsWith('?')) unaccounted.push(`report ${reference}, ${content.contentKey}: ${outcome.slice(1)}`);
        else count(outcome);
      }
    }
  }
  return { reports: accepted.size, contents, unaccounted };
}

async function outcomeOf(api: SejamApi, takedownId: string, reportId: string): Promise<string> {
  const { status, body: takedown } = await api.get<Takedown>(`/v1/takedowns/${takedownId}`, 'auditor');
  if (status !== 200) return `?its takedown ${takedownId} answers ${status}`;
  if (takedown.mergedInto !== undefined) return outcomeOf(api, takedown.mergedInto, reportId);
  const joined = takedown.timeline.some(({ type, data }) => type === 'ReportJoined' && data.reportId === reportId);
  if (!joined) return '?its report never joined the takedown';
  if (answered.includes(takedown.status)) return takedown.status;
  const order = takedown.orders.at(-1);
  const missed = order?.clocks.some(({ clock, passed }) => (clock === 'resolution' || clock === 'dispatch') && passed);
  if (missed === true) return 'missed, on the record';
  const resolution = order?.clocks.find(({ clock }) => clock === 'resolution');
  if (resolution !== undefined) return `?its order ${order?.orderId} is ${takedown.status}, due ${resolution.dueAt}, and neither answered nor missed`;
  return `?its takedown is ${takedown.status} and no clock runs`;
}
