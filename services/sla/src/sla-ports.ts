import type { DomainClock, Transact } from '@sejam/event-sourcing';
import type { Pool, Projection } from '@sejam/postgres';
import type { Logger, Metrics, transactorForRequests } from '@sejam/service-host';

/** What the slices of sla stand on; made once in `main.ts`, by hand in tests. */
export interface SlaPorts {
  readonly transact: Transact;
  readonly transactForRequests: ReturnType<typeof transactorForRequests>;
  readonly clock: DomainClock;
  readonly pool: Pool;
  /** Rows of clocks and policies. */
  readonly rows: Projection;
  readonly metrics: Metrics;
  readonly log: Logger;
}

export const PORTS = Symbol('SlaPorts');
