import type { BusMessage } from '@sejam/bus';
import { understand, type Message } from '@sejam/contracts';
import type { Client } from '@sejam/postgres';
import { columns } from '../takedown/takedown-view.js';

type ReportMessage = Message<'sejam.intake.v1'>;

/** What the messages of one report's stream have told so far; kept as JSON in its row. */
export interface FollowedReport {
  id: string;
  reference: string;
  reportedBy: string;
  category: string;
  region: string;
  issue?: string;
  submittedAt: string;
  withdrawnAt?: string;
  contents: FollowedContent[];
}

export interface FollowedContent {
  contentKey: string;
  takedownId: string;
  platform: string;
  product: string;
  canonicalUrl: string;
  decision: 'pending' | 'approved' | 'declined';
  decidedBy?: string;
  decidedAt?: string;
  reason?: string;
}

export type ReportStatus = 'submitted' | 'approved' | 'declined' | 'withdrawn';

/** As intake says it: submitted until every content is decided, then approved if any was. */
export function reportStatus({ contents, withdrawnAt }: FollowedReport): ReportStatus {
  if (withdrawnAt !== undefined) return 'withdrawn';
  if (contents.some(({ decision }) => decision === 'pending')) return 'submitted';
  return contents.some(({ decision }) => decision === 'approved') ? 'approved' : 'declined';
}

/** Takes the messages of `sejam.intake.v1` into `report` and `unroutable_report`. */
export async function applyReportMessages(client: Client, messages: readonly BusMessage[]): Promise<void> {
  const understood = messages.flatMap((message) => {
    const known = understand('sejam.intake.v1', message.type, message.data);
    return known === undefined ? [] : [{ message, known }];
  });
  const ids = [...new Set(understood.filter(({ known }) => known.type !== 'ReportSubmitted' && known.type !== 'ReportUnroutable').map(({ known }) => known.data.reportId))];
  const { rows } = ids.length === 0 ? { rows: [] } : await client.query<{ id: string; state: FollowedReport }>('SELECT id, state FROM report WHERE id = ANY($1::uuid[])', [ids]);
  const reports = new Map(rows.map(({ id, state }) => [id, state]));
  const changed = new Set<FollowedReport>();
  const unroutable: unknown[][] = [];
  for (const { message, known } of understood) {
    if (known.type === 'ReportUnroutable') {
      unroutable.push([message.id, message.time, known.data.category, known.data.reportedBy]);
      continue;
    }
    if (known.type === 'ReportSubmitted') reports.set(known.data.reportId, submitted(known.data, message.time));
    const report = reports.get(known.data.reportId);
    // An operator has skipped its first message: the view does without the report.
    if (report === undefined) continue;
    take(report, known, message.time);
    changed.add(report);
  }
  if (changed.size > 0) await client.query(upsertReports, columns([...changed].map(reportRow), 9));
  if (unroutable.length > 0) await client.query(insertUnroutable, columns(unroutable, 4));
}

function submitted({ reportId, reference, reportedBy, statement, contents }: Extract<ReportMessage, { type: 'ReportSubmitted' }>['data'], at: string): FollowedReport {
  return {
    id: reportId, reference, reportedBy, submittedAt: at, ...stated(statement),
    contents: contents.map(({ contentKey, takedownId, platform, product, canonicalUrl }) => ({ contentKey, takedownId, platform, product, canonicalUrl, decision: 'pending' })),
  };
}

function stated(statement: { category: string; region: string; issue?: { reference: string } | undefined } | undefined): Pick<FollowedReport, 'category' | 'region' | 'issue'> {
  if (statement === undefined) throw new Error('A report without a statement');
  const { category, region, issue } = statement;
  return { category, region, ...(issue === undefined ? {} : { issue: issue.reference }) };
}

/** Changes what it is given. */
function take(report: FollowedReport, { type, data }: ReportMessage, at: string): void {
  switch (type) {
    case 'ReportAmended':
      delete report.issue;
      Object.assign(report, stated(data.statement));
      return;
    case 'ContentsApproved':
      return decide(report, data.contents, { decision: 'approved', decidedBy: data.decidedBy, decidedAt: at, reason: data.reasons });
    case 'ContentsDeclined':
      return decide(report, data.contents, { decision: 'declined', decidedBy: data.decidedBy, decidedAt: at, reason: data.reason });
    case 'ReportWithdrawn':
      report.withdrawnAt = at;
      return;
    case 'ReportSubmitted':
    case 'ReportUnroutable':
    case 'DeadlinePassed':
    case 'ErasureRequested':
    case 'ErasureWithdrawn':
    case 'SubjectErased':
      return;
  }
}

function decide(report: FollowedReport, contents: readonly { contentKey: string }[], decision: Pick<FollowedContent, 'decision' | 'decidedBy' | 'decidedAt' | 'reason'>): void {
  const keys = new Set(contents.map(({ contentKey }) => contentKey));
  for (const content of report.contents) if (keys.has(content.contentKey)) Object.assign(content, decision);
}

function reportRow(report: FollowedReport): unknown[] {
  const approvals = report.contents.filter(({ decision }) => decision === 'approved').map(({ decidedAt }) => decidedAt ?? '');
  return [
    report.id, report.reportedBy, reportStatus(report), report.category, report.issue ?? null, JSON.stringify(report.contents.map(({ contentKey }) => contentKey)),
    report.submittedAt, report.withdrawnAt === undefined ? (approvals.sort().at(-1) ?? null) : null, JSON.stringify(report),
  ];
}

const upsertReports = `
  INSERT INTO report (id, reported_by, status, category, issue, content_keys, submitted_at, approved_at, state)
  SELECT id, reported_by, status, category, issue, ARRAY(SELECT json_array_elements_text(content_keys)), submitted_at, approved_at, state
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::json[], $7::timestamptz[], $8::timestamptz[], $9::json[])
    AS new (id, reported_by, status, category, issue, content_keys, submitted_at, approved_at, state)
  ON CONFLICT (id) DO UPDATE SET status = excluded.status, category = excluded.category, issue = excluded.issue, approved_at = excluded.approved_at, state = excluded.state`;

const insertUnroutable = `
  INSERT INTO unroutable_report (event_id, at, category, reported_by)
  SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[]) ON CONFLICT DO NOTHING`;
