import type { Client } from '@sejam/postgres';
import type { Span } from './local-time.js';

/**
 * Of the orders issued in a span. Each order is exactly one of undelivered, running, actioned, refused, withdrawn, or reinstated without an
 * action; deemed, objected, missed and reinstated are counted across these. The README defines each figure.
 */
export interface ComplianceFigures {
  issued: number;
  undelivered: number;
  deemed: number;
  running: number;
  actioned: { asRequested: number; otherwise: number };
  refused: number;
  objected: number;
  withdrawn: number;
  missed: number;
  withinTerms: number;
  within60MinOfDelivery: number;
  within60MinOfFirstReport: number;
  /** From delivery to the answer, nearest rank; null while nothing was answered. */
  medianSeconds: number | null;
  p90Seconds: number | null;
  p99Seconds: number | null;
  reinstated: number;
}

export const dimensions = ['platform', 'product', 'category', 'region', 'agency', 'issue'] as const;
export type Dimension = (typeof dimensions)[number];

const withdrawn = `status IN ('withdrawn', 'merged')`;
const seconds = 'extract(epoch FROM answered_at - delivered_at)';
const rank = (fraction: number): string => `(percentile_disc(${fraction}) WITHIN GROUP (ORDER BY ${seconds}) FILTER (WHERE answered_at IS NOT NULL AND delivered_at IS NOT NULL))::float8`;

/** `undefined` as group: over all of them. */
export async function countOrders(client: Client, { from, to, tests, by }: Span & { tests: boolean; by?: Dimension }): Promise<{ group: string | null; figures: ComplianceFigures }[]> {
  const { rows } = await client.query<Record<string, number | null> & { group: string | null }>(
    `SELECT ${by ?? 'NULL::text'} AS "group", count(*) AS issued,
       count(*) FILTER (WHERE open AND delivered_at IS NULL) AS undelivered,
       count(*) FILTER (WHERE deemed) AS deemed,
       count(*) FILTER (WHERE open AND delivered_at IS NOT NULL) AS running,
       count(*) FILTER (WHERE NOT ${withdrawn} AND as_requested) AS as_requested,
       count(*) FILTER (WHERE NOT ${withdrawn} AND NOT as_requested) AS otherwise,
       count(*) FILTER (WHERE status = 'refused') AS refused,
       count(*) FILTER (WHERE objected) AS objected,
       count(*) FILTER (WHERE ${withdrawn}) AS withdrawn,
       count(*) FILTER (WHERE resolution = 'missed') AS missed,
       count(*) FILTER (WHERE resolution = 'met') AS within_terms,
       count(*) FILTER (WHERE answered_at <= delivered_at + interval '60 minutes') AS of_delivery,
       count(*) FILTER (WHERE answered_at <= first_report_at + interval '60 minutes') AS of_first_report,
       ${rank(0.5)} AS median, ${rank(0.9)} AS p90, ${rank(0.99)} AS p99,
       count(*) FILTER (WHERE reinstated) AS reinstated
     FROM placed_order
     WHERE ($1::timestamptz IS NULL OR issued_at >= $1) AND ($2::timestamptz IS NULL OR issued_at < $2) AND ($3 OR NOT test)
     ${by === undefined ? '' : `GROUP BY ${by} ORDER BY ${by} NULLS LAST`}`,
    [from, to, tests],
  );
  return rows.map(({ group, ...row }) => ({ group, figures: figuresOf(row) }));
}

function figuresOf(row: Readonly<Record<string, number | null>>): ComplianceFigures {
  const count = (name: string): number => row[name] ?? 0;
  return {
    issued: count('issued'), undelivered: count('undelivered'), deemed: count('deemed'), running: count('running'),
    actioned: { asRequested: count('as_requested'), otherwise: count('otherwise') },
    refused: count('refused'), objected: count('objected'), withdrawn: count('withdrawn'), missed: count('missed'), withinTerms: count('within_terms'),
    within60MinOfDelivery: count('of_delivery'), within60MinOfFirstReport: count('of_first_report'),
    medianSeconds: row['median'] ?? null, p90Seconds: row['p90'] ?? null, p99Seconds: row['p99'] ?? null, reinstated: count('reinstated'),
  };
}
