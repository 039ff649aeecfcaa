import type { Caller } from '@sejam/service-host';
import type { Client } from '@sejam/postgres';
import { clocksOf, expectedBy, firstAt, type FollowedOrder, type FollowedTakedown } from '../takedown/followed-takedown.js';

/** One open order as the board shows it. */
export interface Card {
  orderId: string;
  takedownId: string;
  round: number;
  platform: string;
  product: string;
  contentKey: string;
  url: string;
  category: string;
  region?: string;
  issue?: string;
  requestedAction: string;
  decidedBy: string;
  status: string;
  objection: string;
  test: boolean;
  escalation: number;
  issuedAt: string;
  deliveredAt?: string;
  /** What is expected next, and by when: `dispatch` of us, `resolution` of the platform, `ruling` of an agency. */
  clock: string;
  dueAt: string;
  acknowledgeBy?: string;
  /** A resolution deadline has passed. */
  missed: boolean;
}

export interface CardRow {
  readonly round: number;
  readonly revision: number;
  readonly reporters: readonly string[];
  readonly state: FollowedTakedown;
}

export const cardColumns = 'o.round, o.revision, t.reporters, t.state';

export function cardOf({ round, state }: Pick<CardRow, 'round' | 'state'>): Card {
  const order = state.orders.find((one) => one.round === round);
  if (order === undefined) throw new Error(`Takedown ${state.id} has no order ${round}`);
  const clocks = clocksOf(order, state.lastAt);
  const { clock, due } = expectedBy(order, clocks);
  const deliveredAt = firstAt(order, 'delivered', 'deemed_delivered');
  const acknowledgement = clocks.find((one) => one.clock === 'acknowledgement' && one.verdict.outcome === 'undecided');
  const region = state.reports[0]?.region;
  const issue = state.reports.find((report) => report.issue !== undefined)?.issue;
  return {
    orderId: `${state.id}.${round}`, takedownId: state.id, round, platform: state.platform, product: state.product, contentKey: state.contentKey,
    url: state.canonicalUrl, category: order.category,
    ...(region === undefined ? {} : { region }), ...(issue === undefined ? {} : { issue }),
    requestedAction: order.requestedAction, decidedBy: order.decidedBy, status: order.status, objection: order.objection, test: order.test,
    escalation: order.escalation, issuedAt: order.issuedAt, ...(deliveredAt === undefined ? {} : { deliveredAt }), clock, dueAt: due.toISOString(),
    ...(acknowledgement === undefined ? {} : { acknowledgeBy: acknowledgement.due.toISOString() }), missed: hasMissed(order, clocks),
  };
}

const hasMissed = (_order: FollowedOrder, clocks: ReturnType<typeof clocksOf>): boolean => clocks.some(({ clock, verdict }) => clock === 'resolution' && verdict.outcome === 'missed');

/** Parameters for `ownOnly`: the platform and the reporting organisation that a caller is bound to. */
export function ownParameters({ scope, kind, organisation }: Pick<Caller, 'scope' | 'kind' | 'organisation'>): [platform: string | null, reporter: string | null] {
  if (scope === 'all') return [null, null];
  return kind === 'platform' ? [organisation, null] : [null, organisation];
}

/** With `takedown` as t: partners find the takedowns that their reports joined, platforms their own. */
export const ownOnly = (platform: string, reporter: string): string => `(${platform}::text IS NULL OR t.platform = ${platform}) AND (${reporter}::text IS NULL OR ${reporter} = ANY(t.reporters))`;

export interface PlatformCount {
  platform: string;
  open: number;
  undelivered: number;
  overdue: number;
  objections: number;
  nextDueAt?: string;
}

export async function countOpen(client: Client, caller: Pick<Caller, 'scope' | 'kind' | 'organisation'>, now: Date): Promise<PlatformCount[]> {
  const { rows } = await client.query<{ platform: string; open: number; undelivered: number; overdue: number; objections: number; next: Date | null }>(
    `SELECT o.platform, count(*) AS open, count(*) FILTER (WHERE o.delivered_at IS NULL) AS undelivered, count(*) FILTER (WHERE o.due_at < $3) AS overdue,
       count(*) FILTER (WHERE t.state->'orders'->(o.round - 1)->>'objection' = 'pending') AS objections, min(o.due_at) AS next
     FROM placed_order o JOIN takedown t ON t.id = o.takedown_id WHERE o.open AND ${ownOnly('$1', '$2')} GROUP BY o.platform ORDER BY o.platform`,
    [...ownParameters(caller), now],
  );
  return rows.map(({ next, ...counts }) => ({ ...counts, ...(next === null ? {} : { nextDueAt: next.toISOString() }) }));
}

/** Contents approved more than a minute ago that stand in no takedown: something of ours is not working. Looks a day back. */
export async function countUnjoined(client: Client, now: Date): Promise<number> {
  const { rows } = await client.query<{ unjoined: number }>(
    `SELECT count(*) AS unjoined
     FROM report r CROSS JOIN LATERAL json_to_recordset(r.state->'contents') AS c ("takedownId" uuid, decision text, "decidedAt" timestamptz)
     LEFT JOIN takedown t ON t.id = c."takedownId" AND r.id = ANY(t.reports)
     WHERE r.approved_at > $1::timestamptz - interval '1 day' AND c.decision = 'approved' AND c."decidedAt" < $1::timestamptz - interval '60 seconds' AND t.id IS NULL`,
    [now],
  );
  return rows[0]?.unjoined ?? 0;
}
