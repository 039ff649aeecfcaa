import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ATTEMPTS_MIN, deliverySchedule, nextAttempt, parseRetryAfter, RETRY_AFTER_MAX_MS } from './delivery-schedule.js';

const first = new Date('2024-11-27T05:00:00Z');
const after = (seconds: number) => new Date(first.getTime() + seconds * 1000);
const next = (elapsedSeconds: number, over: Partial<Parameters<typeof nextAttempt>[0]> = {}) =>
  nextAttempt({ firstAttemptAt: first, failedAt: after(elapsedSeconds), attempts: 1, random: () => 0, ...over });
const nextSeconds = (...args: Parameters<typeof next>) => {
  const answer = next(...args);
  return answer === 'parked' ? answer : (answer.at.getTime() - first.getTime()) / 1000;
};

describe('the delivery schedule', () => {
  it('is 0, 5, 15, 30 s, 1, 2, 5, 10, 15 min, every 5 min to 2 h, every 30 min to 24 h', () => {
    const minutes = deliverySchedule.map((offset) => offset / 60_000);
    expect(deliverySchedule.slice(0, 4)).toEqual([0, 5_000, 15_000, 30_000]);
    expect(minutes.slice(4, 11)).toEqual([1, 2, 5, 10, 15, 20, 25]);
    expect(minutes.slice(29, 33)).toEqual([120, 150, 180, 210]);
    expect(minutes.at(-1)).toBe(1440);
    expect(deliverySchedule).toHaveLength(74);
  });

  it('is walked step by step by attempts that fail at once', () => {
    const times = [0];
    for (;;) {
      const at = nextSeconds(times.at(-1)!, { attempts: times.length });
      if (at === 'parked') break;
      times.push(at);
    }
    expect(times.map((seconds) => seconds * 1000)).toEqual(deliverySchedule);
  });

  it('skips the steps that a slow attempt has used up', () => {
    expect(nextSeconds(15)).toBe(30);
    expect(nextSeconds(75)).toBe(120);
  });

  it('never parks a message that was hardly tried, however long the clearing house was down', () => {
    const day = 24 * 3600;
    expect(nextSeconds(2 * day, { attempts: ATTEMPTS_MIN - 1 })).toBe(2 * day + 1800);
    expect(next(2 * day, { attempts: ATTEMPTS_MIN })).toBe('parked');
  });

  it('always lies ahead, and jitter delays it by less than a tenth of the step', () => {
    const cases = [fc.integer({ min: 0, max: 100_000 }), fc.integer({ min: 1, max: 100 }), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })] as const;
    fc.assert(
      fc.property(...cases, (elapsed, attempts, random) => {
        const plain = nextSeconds(elapsed, { attempts });
        const jittered = nextSeconds(elapsed, { attempts, random: () => random });
        if (plain === 'parked' || jittered === 'parked') return expect(jittered).toBe(plain);
        expect(plain).toBeGreaterThan(elapsed);
        expect(jittered).toBeGreaterThanOrEqual(plain);
        expect(jittered - plain).toBeLessThanOrEqual(180);
      }),
    );
    expect(nextSeconds(0, { random: () => 0.999 })).toBeCloseTo(5.5, 1);
  });

  it('waits as long as Retry-After asks, but no longer than five minutes, and never less than planned', () => {
    expect(nextSeconds(0, { retryAfterMs: 42_000 })).toBe(42);
    expect(nextSeconds(0, { retryAfterMs: 1_000 })).toBe(5);
    expect(nextSeconds(0, { retryAfterMs: 86_400_000 })).toBe(RETRY_AFTER_MAX_MS / 1000);
    expect(nextSeconds(2 * 3600, { retryAfterMs: 86_400_000 })).toBe(2.5 * 3600);
  });

  it('lets three attempts fail within 15 minutes whatever the platform asks for', () => {
    const times = [0];
    while (times.length < 3) times.push(nextSeconds(times.at(-1)!, { retryAfterMs: 1e9, random: () => 0.999 }) as number);
    expect(times[2]).toBeLessThan(15 * 60);
  });
});

describe('Retry-After', () => {
  it('is read as seconds or as an HTTP date', () => {
    expect(parseRetryAfter('120', first)).toBe(120_000);
    expect(parseRetryAfter('Wed, 27 Nov 2024 05:01:30 GMT', first)).toBe(90_000);
    expect(parseRetryAfter('Wed, 27 Nov 2024 04:00:00 GMT', first)).toBe(0);
  });

  it('says nothing when it is absent or malformed', () => {
    for (const value of [undefined, '', 'soon', '-5', '1.5', '1e3', 'May', '2024-11-27', 'Wed, 99 Nov 2024 05:01:30 GMT', '9'.repeat(20)]) {
      expect(parseRetryAfter(value, first)).toBeUndefined();
    }
  });
});
