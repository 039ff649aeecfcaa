import { Gauge } from 'prom-client';
import type { DomainClock } from '@sejam/event-sourcing';
import type { Log, Pool } from '@sejam/postgres';
import type { Metrics } from '@sejam/service-host';
import { countUnjoined } from './board/open-orders.js';

/** Keeps the gauges level with the tables: orders by platform and status, and the alarm of contents without a takedown. */
export function keepFigures({ pool, clock, metrics, log, everyMs = 15_000 }: {
  pool: Pool;
  clock: DomainClock;
  metrics: Metrics;
  log: Log;
  everyMs?: number;
}): { stop(): Promise<void> } {
  const unjoined = new Gauge({ name: 'sejam_approved_without_takedown', help: 'Contents approved more than a minute ago that stand in no takedown', registers: [metrics.registry] });
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  async function refresh(): Promise<void> {
    const orders = await pool.query<{ platform: string; status: string; orders: number }>('SELECT platform, status, count(*) AS orders FROM placed_order GROUP BY platform, status');
    metrics.orders.reset();
    for (const { platform, status, orders: count } of orders.rows) metrics.orders.set({ platform, status }, count);
    unjoined.set(await countUnjoined(pool, clock.now()));
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
