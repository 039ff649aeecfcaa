import { describe, expect, it } from '@jest/globals';
import { classifyAttempt, isGoneForGood, type AttemptFault, type AttemptOutcome } from './attempt.js';

const answered = (status: number, retryAfter?: string): AttemptOutcome => ({ kind: 'answered', status, body: '', durationMs: 3, ...(retryAfter ? { retryAfter } : {}) });
const failed = (fault: AttemptFault): AttemptOutcome => ({ kind: 'failed', fault, detail: '', durationMs: 3 });

describe('a delivery attempt', () => {
  it('succeeds by 2xx alone', () => {
    for (const status of [200, 201, 202, 204, 299]) expect(classifyAttempt(answered(status))).toEqual({ delivered: true, status });
    for (const status of [199, 300, 301, 304, 400, 404, 410, 429, 500, 599]) {
      expect(classifyAttempt(answered(status))).toMatchObject({ delivered: false, side: 'platform', cause: `http-${status}`, gone: status === 410 });
    }
  });

  it('that the platform refused, cut off, botched or ignored is on its side', () => {
    for (const fault of ['connection-refused', 'connection-reset', 'tls', 'timeout'] as const) {
      expect(classifyAttempt(failed(fault))).toEqual({ delivered: false, side: 'platform', cause: fault, gone: false });
    }
  });

  it('that failed for any other cause is on ours', () => {
    for (const fault of ['dns', 'address-not-allowed', 'url-not-allowed', 'network-unreachable', 'cancelled', 'other'] as const) {
      expect(classifyAttempt(failed(fault))).toEqual({ delivered: false, side: 'ours', cause: fault, gone: false });
    }
  });

  it('hands on what the platform asked for', () => {
    expect(classifyAttempt(answered(503, '30'))).toMatchObject({ retryAfter: '30' });
  });
});

describe('an endpoint', () => {
  const minutes = (...list: number[]) => list.map((minute) => new Date(Date.UTC(2024, 10, 27, 5) + minute * 60_000));

  it('is paused by 410 three times within five minutes, in any order', () => {
    expect(isGoneForGood(minutes(0, 2, 5))).toBe(true);
    expect(isGoneForGood(minutes(60, 0, 64, 62))).toBe(true);
  });

  it('is not paused by fewer, or by three over a longer time', () => {
    expect(isGoneForGood([])).toBe(false);
    expect(isGoneForGood(minutes(0, 1))).toBe(false);
    expect(isGoneForGood(minutes(0, 3, 5.01))).toBe(false);
  });
});
