import { Gauge } from 'prom-client';
import type { DomainClock } from '@sejam/event-sourcing';
import type { Log, Pool } from '@sejam/postgres';
import type { Metrics } from '@sejam/service-host';
import { countUnjoined } from './board/open-orders.js';

/** Keeps the gauges level with the tables: orders by platform and status, lag by topic, what is parked, and the alarm of contents without a takedown. */
export function keepFigures({ pool, clock, metrics, log, lag, everyMs = 15_000 }: {
  pool: Pool;
  clock: DomainClock;
  metrics: Metrics;
  log: Log;
  lag: () => Promise<Readonly<Record<string, number>>>;
  everyMs?: number;
}): { stop(): Promise<void> } {
  const unjoined = new Gauge({ name: 'sejam_approved_without_takedown', help: 'Contents approved more than a minute ago that stand in no takedown', registers: [metrics.registry] });
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  async function refresh(): Promise<void> {
    const orders = await pool.query<{ platform: string; status: string; orders: number }>('SELECT platform, status, count(*) AS orders FROM placed_order GROUP BY platform, status');
    metrics.orders.reset();
    for (const { platform, status, orders: count } of orders.rows) metrics.orders.set({ platform, status }, count);
    const parked = await pool.query<{ cause: string; messages: number }>('SELECT cause, count(*) AS messages FROM parked_message GROUP BY cause');
    metrics.parked.reset();
    for (const { cause, messages } of parked.rows) metrics.parked.set({ cause }, messages);
    unjoined.set(await countUnjoined(pool, clock.now()));
    for (const [topic, behind] of Object.entries(await lag())) if (!Number.isNaN(behind)) metrics.consumerLag.set({ topic }, behind);
  }

  let running = Promise.resolve();
  const schedule = (ms: number): void => {
    timer = setTimeout(() => {
      running = refresh()
        .catch((error: unknown) => log.warn({ error: String(error) }, 'The figures could not be read; trying again'))
        .then(() => {
          if (!stopped) schedule(everyMs);
        });
    }, ms);
  };
  schedule(Math.min(everyMs, 1_000));

  return {
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
