import type { Client } from '@sejam/postgres';
import type { Span } from './local-time.js';

/** Of a span: reports submitted in it, with their issues and contents; orders issued in it; reports that were refused as unroutable in it. */
export interface VolumeFigures {
  /** Different issue references. */
  issues: number;
  /** Different contents. */
  contents: number;
  reports: number;
  orders: number;
  /** Reports of which every content was declined. */
  declined: number;
  unroutable: number;
}

interface Row extends VolumeFigures {
  category: string | null;
}

/** With a category: of it alone, or of all within it (`hoax` holds `hoax.candidate`). What is counted once in total may count in two categories. */
export async function countVolume(client: Client, { from, to, category, tests }: Span & { category?: string; tests: boolean }): Promise<{ total: VolumeFigures; byCategory: (VolumeFigures & { category: string })[] }> {
  const within = (column: string): string =>
    `($1::timestamptz IS NULL OR ${column} >= $1) AND ($2::timestamptz IS NULL OR ${column} < $2) AND ($3::text IS NULL OR category = $3 OR starts_with(category, $3 || '.'))`;
  const { rows } = await client.query<Row>(
    `WITH submitted AS (SELECT category, status, issue, content_keys FROM report WHERE ${within('submitted_at')}),
     reports AS (
       SELECT category, count(*) AS reports, count(DISTINCT issue) AS issues, count(*) FILTER (WHERE status = 'declined') AS declined FROM submitted GROUP BY GROUPING SETS ((category), ())),
     contents AS (SELECT category, count(DISTINCT key) AS contents FROM submitted, unnest(content_keys) AS key GROUP BY GROUPING SETS ((category), ())),
     orders AS (SELECT category, count(*) AS orders FROM placed_order WHERE ($4 OR NOT test) AND ${within('issued_at')} GROUP BY GROUPING SETS ((category), ())),
     unroutable AS (SELECT category, count(*) AS unroutable FROM unroutable_report WHERE ${within('at')} GROUP BY GROUPING SETS ((category), ())),
     every AS (SELECT category FROM reports UNION SELECT category FROM orders UNION SELECT category FROM unroutable)
     SELECT every.category, coalesce(issues, 0) AS issues, coalesce(contents, 0) AS contents, coalesce(reports, 0) AS reports, coalesce(orders, 0) AS orders,
       coalesce(declined, 0) AS declined, coalesce(unroutable, 0) AS unroutable
     FROM every
     LEFT JOIN reports ON reports.category IS NOT DISTINCT FROM every.category
     LEFT JOIN contents ON contents.category IS NOT DISTINCT FROM every.category
     LEFT JOIN orders ON orders.category IS NOT DISTINCT FROM every.category
     LEFT JOIN unroutable ON unroutable.category IS NOT DISTINCT FROM every.category
     ORDER BY every.category NULLS FIRST`,
    [from, to, category ?? null, tests],
  );
  const none: VolumeFigures = { issues: 0, contents: 0, reports: 0, orders: 0, declined: 0, unroutable: 0 };
  const { category: _, ...total } = rows.find((row) => row.category === null) ?? { category: null, ...none };
  return { total, byCategory: rows.flatMap(({ category: name, ...figures }) => (name === null ? [] : [{ category: name, ...figures }])) };
}
