import type { MasterKey } from '@sejam/privacy';
import type { Pool, Projection } from '@sejam/postgres';
import type { DomainClock, EventStore } from '@sejam/event-sourcing';
import type { IdentityDirectory, Metrics, transactorForRequests } from '@sejam/service-host';
import type { LegalBasis } from '@sejam/contracts';
import type { IdempotencyKeys } from './report/idempotency-keys.js';

/** What the slices of intake stand on; made once in `main.ts`, by hand in tests. */
export interface IntakePorts {
  readonly store: EventStore;
  readonly transact: ReturnType<typeof transactorForRequests>;
  readonly clock: DomainClock;
  readonly pool: Pool;
  /** Rows of reports, for whoever must see what was just appended. */
  readonly reports: Pick<Projection, 'waitFor'>;
  /** Folded from intake's own record, at once. */
  readonly directory: IdentityDirectory;
  readonly idempotencyKeys: IdempotencyKeys;
  readonly masterKey: MasterKey;
  readonly legalBases: ReadonlyMap<string, LegalBasis>;
  readonly metrics: Metrics;
}

export const PORTS = Symbol('IntakePorts');
