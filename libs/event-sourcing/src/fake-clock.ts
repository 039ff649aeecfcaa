import type { DomainClock } from './clock.js';

/** Domain time that stands still until the test turns it. */
export interface FakeClock extends DomainClock {
  /** Forwards, or backwards by a negative number. */
  advance(ms: number): void;
  set(time: Date | string): void;
}

export function fakeClock(start: Date | string = '2024-11-27T00:00:00.000Z', speed = 1): FakeClock {
  let nowMs = new Date(start).getTime();
  return {
    speed,
    now: () => new Date(nowMs),
    wallMsUntil: (due) => (due.getTime() - nowMs) / speed,
    advance: (ms) => {
      nowMs += ms;
    },
    set: (time) => {
      nowMs = new Date(time).getTime();
    },
  };
}
