import { describe, expect, it } from '@jest/globals';
import { DomainError, StoreUnavailable, UnknownEventType, VersionConflict, type ErrorKind } from '@sejam/event-sourcing';
import { problemOf, RequestRefused } from './problem.js';

const statusOf = (error: unknown) => problemOf(error, 'r').problem.status;

describe('a problem', () => {
  it('has the status of the kind of its refusal', () => {
    const kinds: Record<ErrorKind, number> = { invalid: 422, 'not-found': 404, conflict: 409, forbidden: 403, unavailable: 503 };
    for (const [kind, status] of Object.entries(kinds)) expect(statusOf(new DomainError('thing.x', kind as ErrorKind, 'No'))).toBe(status);
    expect(statusOf(new DomainError('rate-limited', 'unavailable', 'Slowly'))).toBe(429);
    expect(statusOf(new RequestRefused(413, 'request.too-large', 'Large'))).toBe(413);
  });

  it('is 503 with Retry-After for all that passes by itself', () => {
    const passing = [
      new DomainError('thing.away', 'unavailable', 'Away', { retryAfterSeconds: 0.2 }),
      new StoreUnavailable('away'),
      new VersionConflict('report-1', 1, 2),
      new UnknownEventType('report-1', 'ReportPainted'),
      Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }),
      Object.assign(new Error('terminating connection due to administrator command'), { code: '57P01' }),
      new Error('Connection terminated unexpectedly'),
    ];
    for (const error of passing) {
      const { problem, headers, defect } = problemOf(error, 'r');
      expect(problem.status).toBe(503);
      expect(Number(headers['retry-after'])).toBeGreaterThanOrEqual(1);
      expect(defect).toBe(false);
    }
  });

  it('is opaque for a defect, whatever was thrown', () => {
    for (const thrown of [new Error('password=hunter2'), 'hunter2', undefined, null, { hunter2: 1 }, Object.assign(new Error('hunter2'), { code: '23505' })]) {
      const { problem, defect } = problemOf(thrown, 'r');
      expect([problem.status, problem.code, defect]).toEqual([500, 'service.defect', true]);
      expect(JSON.stringify(problem)).not.toContain('hunter2');
    }
  });

  it('carries the pointer of a refusal', () => {
    expect(problemOf(new DomainError('report.bad', 'invalid', 'Bad', { pointer: '/contents/0' }), 'r').problem.errors).toEqual([{ pointer: '/contents/0', code: 'report.bad', detail: 'Bad' }]);
  });
});
