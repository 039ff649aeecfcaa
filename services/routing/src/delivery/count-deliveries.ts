import { Gauge } from 'prom-client';
import { isDatabaseUnavailable, type Client } from '@sejam/postgres';
import type { Metrics } from '@sejam/service-host';

/** Wall time. */
const COUNT_EVERY_MS = 10_000;

/** Keeps the figures of messages that wait, by platform. While PostgreSQL is away they stand still. */
export function countDeliveries(client: Client, { registry }: Metrics, onError: (error: unknown) => void): { stop(): void } {
  const waiting = new Gauge({ name: 'sejam_deliveries_waiting', help: 'Messages to a platform that are not delivered', labelNames: ['platform', 'status'], registers: [registry] });
  const count = async (): Promise<void> => {
    const { rows } = await client.query<{ platform: string; status: string; waiting: number }>(
      `SELECT platform, CASE WHEN status = 'pending' AND attempts > 0 THEN 'failing' ELSE status END AS status, count(*) AS waiting
       FROM delivery WHERE status IN ('pending', 'parked') GROUP BY 1, 2`,
    );
    waiting.reset();
    for (const row of rows) waiting.set({ platform: row.platform, status: row.status }, row.waiting);
  };
  const counting = (): void => {
    count().catch((error: unknown) => {
      if (!isDatabaseUnavailable(error)) onError(error);
    });
  };
  const timer = setInterval(counting, COUNT_EVERY_MS);
  counting();
  return { stop: () => clearInterval(timer) };
}
