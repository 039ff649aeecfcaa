import { Gauge } from 'prom-client';
import type { BusMessage } from '@sejam/bus';
import { understand } from '@sejam/contracts';
import type { DomainClock } from '@sejam/event-sourcing';
import { isDatabaseUnavailable, type Client, type Migrations } from '@sejam/postgres';
import type { Logger, Metrics } from '@sejam/service-host';

export const approvalMigrations: Migrations = { part: 'approval', folder: new URL('../../migrations/approval/', import.meta.url) };

/** Domain time within which an approved content stands in a takedown, or the operator is alarmed. */
export const STANDS_WITHIN_MS = 60_000;

const LOOK_EVERY_MS = 5_000;

/** For a consumer of its own, so that what keeps an approval from its takedown does not keep the alarm from the operator. */
export async function keepApprovals(client: Client, messages: readonly BusMessage[]): Promise<void> {
  const rows = messages.flatMap((message) => {
    const told = understand('sejam.intake.v1', message.type, message.data);
    if (told?.type !== 'ContentsApproved') return [];
    const { reportId, contents } = told.data;
    return contents.map(({ takedownId }) => ({ report_id: reportId, takedown_id: takedownId, approved_at: message.time }));
  });
  if (rows.length === 0) return;
  await client.query(
    `INSERT INTO approved_content SELECT * FROM jsonb_to_recordset($1::jsonb) AS r (report_id text, takedown_id uuid, approved_at timestamptz) ON CONFLICT DO NOTHING`,
    [JSON.stringify(rows)],
  );
}

/** How many approved contents stand in no takedown although it is time. Forgets those that do. */
export async function countStranded(client: Client, now: Date): Promise<number> {
  await client.query(
    `DELETE FROM approved_content AS a USING takedown AS t WHERE t.id = a.takedown_id
       AND (t.state ? 'merged' OR t.state->'left' ? a.report_id OR t.state->'reports' @> jsonb_build_array(jsonb_build_object('reportId', a.report_id)))`,
  );
  const { rows } = await client.query<{ stranded: number }>('SELECT count(*) AS stranded FROM approved_content WHERE approved_at < $1', [new Date(now.getTime() - STANDS_WITHIN_MS)]);
  return rows[0]?.stranded ?? 0;
}

/** The operator's alarm: a figure that is 0, and a line in the log when it is not. */
export function watchApprovals({ client, clock, metrics, log }: { client: Client; clock: DomainClock; metrics: Metrics; log: Logger }): { stop(): void } {
  const stranded = new Gauge({
    name: 'sejam_approved_without_takedown', help: 'Approved contents that stand in no takedown 60 s after their approval', registers: [metrics.registry],
  });
  let said = 0;
  const look = (): void => {
    countStranded(client, clock.now()).then((count) => {
      stranded.set(count);
      if (count > said) log.error({ contents: count }, 'Approved contents stand in no takedown 60 s after their approval');
      said = count;
    }).catch((error: unknown) => {
      if (!isDatabaseUnavailable(error)) log.warn({ error: String(error) }, 'Whether approved contents stand in a takedown could not be seen');
    });
  };
  const timer = setInterval(look, LOOK_EVERY_MS);
  return { stop: () => clearInterval(timer) };
}
