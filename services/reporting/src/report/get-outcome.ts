import { Controller, Get, Inject, Param, ParseUUIDPipe } from '@nestjs/common';
import { DomainError } from '@sejam/event-sourcing';
import { Caller } from '@sejam/service-host';
import { PORTS, type ReportingPorts } from '../reporting-ports.js';
import { answeredAt, clocksOf, expectedBy, firstAt, statusOf, type FollowedTakedown } from '../takedown/followed-takedown.js';
import { reportStatus, type FollowedContent, type FollowedReport, type ReportStatus } from './report-view.js';

/** What came of one content of a report. */
export interface ContentOutcome {
  contentKey: string;
  takedownId: string;
  platform: string;
  product: string;
  canonicalUrl: string;
  decision: FollowedContent['decision'];
  decidedBy?: string;
  decidedAt?: string;
  /** Of the takedown, as its newest order has it; absent while there is none. */
  status?: string;
  /** The takedown goes on as this one: what follows is of it. */
  mergedInto?: string;
  order?: {
    orderId: string;
    round: number;
    issuedAt: string;
    deliveredAt?: string;
    dueAt: string;
    answeredAt?: string;
    resolution?: string;
    requestedAction: string;
    action?: { action: string; asRequested: boolean; until?: string };
    refusal?: { reason: string; explanation: string };
    objection: string;
    verification: string;
    reinstated?: string;
    withdrawal?: { cause: string; reason: string };
  };
}

export interface ReportOutcome {
  id: string;
  reference: string;
  status: ReportStatus;
  reportedBy: string;
  submittedAt: string;
  /** The agency's own clock, as sla tells of it. */
  decision?: { dueAt: string; outcome: string; decidedAt?: string };
  contents: ContentOutcome[];
}

@Controller('v1/reports')
export class GetOutcome {
  constructor(@Inject(PORTS) private readonly ports: ReportingPorts) {}

  @Get(':id/outcome')
  async outcome(@Param('id', ParseUUIDPipe) id: string, @Caller() caller: Caller): Promise<ReportOutcome> {
    const { pool } = this.ports;
    const { rows } = await pool.query<{ state: FollowedReport }>('SELECT state FROM report WHERE id = $1', [id]);
    const report = rows[0]?.state;
    if (report === undefined || (caller.scope === 'own' && report.reportedBy !== caller.organisation)) {
      throw new DomainError('report.not-found', 'not-found', 'There is no such report');
    }
    const takedowns = await this.#takedowns(report.contents.map(({ takedownId }) => takedownId));
    const clocks = await pool.query<{ due_at: Date; outcome: string; decided_at: Date | null }>("SELECT due_at, outcome, decided_at FROM clock WHERE subject = $1 AND clock = 'decision' AND run = 1", [id]);
    const clock = clocks.rows[0];
    return {
      id: report.id,
      reference: report.reference,
      status: reportStatus(report),
      reportedBy: report.reportedBy,
      submittedAt: report.submittedAt,
      ...(clock === undefined ? {} : { decision: { dueAt: clock.due_at.toISOString(), outcome: clock.outcome, ...(clock.decided_at === null ? {} : { decidedAt: clock.decided_at.toISOString() }) } }),
      contents: report.contents.map((content) => outcomeOf(content, takedowns)),
    };
  }

  /** With the targets of merged ones, which are never merged themselves. */
  async #takedowns(ids: readonly string[]): Promise<ReadonlyMap<string, FollowedTakedown>> {
    const { rows } = await this.ports.pool.query<{ state: FollowedTakedown }>(
      `SELECT state FROM takedown WHERE id = ANY($1::uuid[])
       UNION ALL
       SELECT into_.state FROM takedown merged JOIN takedown into_ ON into_.id = (merged.state->>'mergedInto')::uuid WHERE merged.id = ANY($1::uuid[])`,
      [ids],
    );
    return new Map(rows.map(({ state }) => [state.id, state]));
  }
}

function outcomeOf({ reason: _, ...content }: FollowedContent, takedowns: ReadonlyMap<string, FollowedTakedown>): ContentOutcome {
  const own = takedowns.get(content.takedownId);
  if (own === undefined || content.decision !== 'approved') return content;
  const takedown = (own.mergedInto === undefined ? undefined : takedowns.get(own.mergedInto)) ?? own;
  const order = takedown.orders.at(-1);
  const merged = own.mergedInto === undefined ? {} : { mergedInto: own.mergedInto };
  if (order === undefined) return { ...content, ...merged, status: statusOf(takedown) };
  const clocks = clocksOf(order, takedown.lastAt);
  const resolution = clocks.findLast(({ clock }) => clock === 'resolution');
  const { action, refusal, objection, verification, reinstated, withdrawal, round, issuedAt, requestedAction } = order;
  const deliveredAt = firstAt(order, 'delivered', 'deemed_delivered');
  const answered = answeredAt(order);
  return {
    ...content,
    ...merged,
    status: order.status,
    order: {
      orderId: `${takedown.id}.${round}`, round, issuedAt, requestedAction,
      ...(deliveredAt === undefined ? {} : { deliveredAt }),
      dueAt: (resolution?.due ?? expectedBy(order, clocks).due).toISOString(),
      ...(answered === undefined ? {} : { answeredAt: answered }),
      ...(resolution === undefined ? {} : { resolution: resolution.verdict.outcome }),
      ...(action === undefined ? {} : { action }), ...(refusal === undefined ? {} : { refusal }), objection, verification,
      ...(reinstated === undefined ? {} : { reinstated }), ...(withdrawal === undefined ? {} : { withdrawal }),
    },
  };
}
