import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { domainClock } from './index.js';

const start = '2026-03-01T10:00:00.000Z';
const origin = '2024-11-27T00:00:00.000Z';

describe('the domain clock', () => {
  it('begins at the origin and runs at its speed', () => {
    let wallMs = Date.parse(start);
    const clock = domainClock({ start, origin, speed: 60 }, () => wallMs);
    expect(clock.now().toISOString()).toBe(origin);
    wallMs += 1000;
    expect(clock.now().toISOString()).toBe('2024-11-27T00:01:00.000Z');
    expect(clock.wallMsUntil(new Date('2024-11-27T01:01:00.000Z'))).toBe(60_000);
    expect(clock.wallMsUntil(new Date('2024-11-27T00:00:00.000Z'))).toBe(-1000);
  });

  it('is the wall clock when origin is start and speed 1', () => {
    fc.assert(
      fc.property(fc.date({ noInvalidDate: true, min: new Date('2000-01-01'), max: new Date('2100-01-01') }), (wall) => {
        expect(domainClock({ start, origin: start, speed: 1 }, () => wall.getTime()).now()).toEqual(wall);
      }),
    );
  });

  it('has waited exactly long enough when the wall milliseconds it names are over', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 600 }), fc.integer({ min: 0, max: 86_400_000 }), (speed, aheadMs) => {
        const wallMs = Date.parse(start) + 123;
        const due = new Date(domainClock({ start, origin, speed }, () => wallMs).now().getTime() + aheadMs);
        const waitMs = domainClock({ start, origin, speed }, () => wallMs).wallMsUntil(due);
        const then = domainClock({ start, origin, speed }, () => wallMs + Math.ceil(waitMs)).now();
        expect(then.getTime()).toBeGreaterThanOrEqual(due.getTime() - 1);
      }),
    );
  });

  it('refuses a speed that is not greater than 0, and what is no time', () => {
    for (const speed of [0, -1, NaN, Infinity]) expect(() => domainClock({ start, origin, speed }, Date.now)).toThrow(RangeError);
    expect(() => domainClock({ start: 'yesterday', origin, speed: 1 }, Date.now)).toThrow(RangeError);
  });
});
