import { setTimeout as delay } from 'node:timers/promises';
import type { Consumer } from '@sejam/bus';
import { isDatabaseUnavailable, type Log, type Pool } from '@sejam/postgres';
import type { Metrics } from './metrics.js';

export interface ConsumerFiguresOptions {
  /** The schema in which messages are parked. */
  readonly pool: Pool;
  readonly metrics: Metrics;
  /** By name; asked each time, since a transport's consumer is there only after the start. */
  consumers(): Readonly<Record<string, Pick<Consumer, 'lag'>>>;
  readonly log: Log;
  /** Wall time. */
  readonly everyMs?: number;
}

/** Keeps the gauges level that say what a service has not handled: by topic the slowest consumer's lag, and what is parked. While a server is away they stand still. */
export function keepConsumerFigures({ pool, metrics, consumers, log, everyMs = 10_000 }: ConsumerFiguresOptions): { stop(): Promise<void> } {
  const stopping = new AbortController();

  async function refresh(): Promise<void> {
    const { rows } = await pool.query<{ cause: string; messages: number }>('SELECT cause, count(*) AS messages FROM parked_message GROUP BY cause');
    metrics.parked.reset();
    for (const { cause, messages } of rows) metrics.parked.set({ cause }, messages);
    const slowest = new Map<string, number>();
    for (const consumer of Object.values(consumers())) {
      for (const [topic, lag] of Object.entries(await consumer.lag())) if (!Number.isNaN(lag)) slowest.set(topic, Math.max(lag, slowest.get(topic) ?? 0));
    }
    for (const [topic, lag] of slowest) metrics.consumerLag.set({ topic }, lag);
  }

  const keeping = (async () => {
    for (let pauseMs = Math.min(everyMs, 1_000); ; pauseMs = everyMs) {
      await delay(pauseMs, undefined, { signal: stopping.signal, ref: false }).catch(() => undefined);
      if (stopping.signal.aborted) return;
      await refresh().catch((error: unknown) => {
        if (!isDatabaseUnavailable(error)) log.warn({ error: String(error) }, 'What is not handled could not be counted; trying again');
      });
    }
  })();

  return {
    async stop() {
      stopping.abort();
      await keeping;
    },
  };
}
