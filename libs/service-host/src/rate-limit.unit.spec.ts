import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { RateLimiter } from './rate-limit.js';

describe('a rate limiter', () => {
  it('lets a burst through, then says how long to wait, and forgives with time', () => {
    let now = 0;
    const limiter = new RateLimiter(2, 2, () => now);
    expect([1, 2, 3, 4].map(() => limiter.take('a'))).toEqual([0, 0, 0, 0]);
    expect(limiter.take('a')).toBeCloseTo(0.5);
    expect(limiter.take('b')).toBe(0);
    now = 500;
    expect(limiter.take('a')).toBe(0);
    expect(limiter.take('a')).toBeGreaterThan(0);
  });

  it('never admits more than the burst and what came in since', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(400), { maxLength: 200 }), (pauses) => {
        let now = 0;
        let admitted = 0;
        const limiter = new RateLimiter(5, 4, () => now);
        for (const pause of pauses) {
          now += pause;
          if (limiter.take('a') === 0) admitted += 1;
        }
        expect(admitted).toBeLessThanOrEqual(20 + (now / 1000) * 5 + 1e-6);
      }),
    );
  });

  it('still limits one caller while ten thousand strangers pass by', () => {
    const limiter = new RateLimiter(1, 1, () => 0);
    for (let index = 0; index < 25_000; index++) limiter.take(`stranger-${index}`);
    expect(limiter.take('a')).toBe(0);
    expect(limiter.take('a')).toBeGreaterThan(0);
  });
});
