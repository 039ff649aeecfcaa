/**
 * Domain time: what `at`, due times, windows and schedules are measured in. Time-outs, leases, webhook timestamps and logs use the
 * wall clock instead and never this.
 */
export interface DomainClock {
  now(): Date;
  /** Domain milliseconds per wall millisecond; 1 in production. */
  readonly speed: number;
  /** Wall milliseconds until the domain time `due`; 0 or less when it has passed. */
  wallMsUntil(due: Date): number;
}
