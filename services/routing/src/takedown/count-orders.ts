import { isDatabaseUnavailable, type Client } from '@sejam/postgres';
import type { Metrics } from '@sejam/service-host';

/** Wall time. */
const COUNT_EVERY_MS = 10_000;

/** Keeps the figure of orders by platform and status, as the rows tell it. While PostgreSQL is away it stands still. */
export function countOrders(client: Client, metrics: Metrics, onError: (error: unknown) => void): { stop(): void } {
  const count = async (): Promise<void> => {
    const { rows } = await client.query<{ platform: string; status: string; orders: number }>('SELECT platform, status, count(*) AS orders FROM takedown_order GROUP BY platform, status');
    metrics.orders.reset();
    for (const { platform, status, orders } of rows) metrics.orders.set({ platform, status }, orders);
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
