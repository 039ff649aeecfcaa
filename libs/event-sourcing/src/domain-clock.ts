import type { DomainClock } from './clock.js';

/** The three numbers that fix domain time, from the record's first event. */
export interface TimeBase {
  /** Wall time at which the record was opened, RFC 3339. */
  readonly start: string;
  /** Domain time at that moment, RFC 3339. */
  readonly origin: string;
  /** Domain milliseconds per wall millisecond, greater than 0. */
  readonly speed: number;
}

/** Domain time = origin + (wall − start) × speed. `wallNow` gives milliseconds since 1970, such as `Date.now`. */
export function domainClock({ start, origin, speed }: TimeBase, wallNow: () => number): DomainClock {
  const startMs = Date.parse(start);
  const originMs = Date.parse(origin);
  if (!(speed > 0) || !Number.isFinite(speed)) throw new RangeError(`The speed of domain time must be greater than 0, not ${speed}`);
  if (Number.isNaN(startMs) || Number.isNaN(originMs)) throw new RangeError(`Not times: ${start}, ${origin}`);
  const nowMs = (): number => originMs + (wallNow() - startMs) * speed;
  return {
    speed,
    now: () => new Date(nowMs()),
    wallMsUntil: (due) => (due.getTime() - nowMs()) / speed,
  };
}
