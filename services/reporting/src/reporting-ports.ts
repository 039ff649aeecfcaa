import type { Bus, Consumer } from '@sejam/bus';
import type { DomainClock } from '@sejam/event-sourcing';
import type { Log, Pool } from '@sejam/postgres';
import type { IdentityDirectory } from '@sejam/service-host';

/** What the slices of reporting stand on; made once in `main.ts`, by hand in tests. */
export interface ReportingPorts {
  readonly pool: Pool;
  readonly bus: Bus;
  readonly clock: DomainClock;
  readonly log: Log;
  /** Aborted when the end begins: streams of answers end then. */
  readonly closing: AbortSignal;
  /** Of an `Authorization` header that was good when a stream began. */
  readonly holdsGoodKey: (authorization: string | undefined) => boolean;
  /** By name: parked messages are replayed and skipped by them. */
  readonly consumers: () => Readonly<Record<string, Consumer>>;
}

export const PORTS = Symbol('ReportingPorts');

export const keyStillGood = (directory: IdentityDirectory) => (authorization: string | undefined): boolean =>
  directory.check(/^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1] ?? '').outcome === 'good';
