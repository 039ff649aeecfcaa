import type { DomainClock, EventStore } from '@sejam/event-sourcing';
import type { Pool } from '@sejam/postgres';
import type { NoteVerifier, TlogPolicy } from '@sejam/transparency-log';
import type { Alarms } from './log/alarms.js';

/** What the slices of audit stand on; made once in `main.ts`, by hand in tests. */
export interface AuditPorts {
  readonly store: EventStore;
  readonly clock: DomainClock;
  readonly pool: Pool;
  /** The log's public key; its name is the origin. */
  readonly logKey: NoteVerifier;
  readonly policy?: TlogPolicy;
  readonly alarms: Alarms;
  /** Aborted when the service ends: followers of the record must let go then. */
  readonly closing: AbortSignal;
}

export const PORTS = Symbol('AuditPorts');
