import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ownerOf, refuseAmbiguous } from './path-table.js';

const uuid = 'e04c2974-46b0-5f04-b304-d77138ac4758';

describe('the path table', () => {
  it.each([
    ['/v1/reports', 'intake'],
    ['/v1/reports/batch', 'intake'],
    [`/v1/reports/${uuid}`, 'intake'],
    [`/v1/reports/${uuid}/approval`, 'intake'],
    [`/v1/reports/${uuid}/outcome`, 'reporting'],
    ['/v1/organisations/bawaslu/keys/k1/rotation', 'intake'],
    [`/v1/privacy/erasures/report-${uuid}.1/confirmation`, 'intake'],
    [`/v1/takedowns/${uuid}/escalations/1/approval`, 'routing'],
    ['/v1/platforms/tiktok/webhooks', 'routing'],
    [`/v1/platforms/tiktok/orders/${uuid}.1/answers`, 'routing'],
    [`/v1/deliveries/${uuid}/retry`, 'routing'],
    ['/v1/refused-webhooks', 'routing'],
    ['/v1/clocks', 'sla'],
    ['/v1/sla-policies/default', 'sla'],
    ['/v1/board/stream', 'reporting'],
    ['/board', 'reporting'],
    ['/v1/statistics/compliance', 'reporting'],
    ['/v1/exports/takedowns.csv', 'reporting'],
    ['/v1/transparency/2024-11', 'reporting'],
    ['/v1/events', 'reporting'],
    [`/v1/audit/takedowns/${uuid}`, 'audit'],
    ['/v1/webhook-keys/rotation', 'routing'],
    ['/.well-known/sejam-webhook-keys.json', 'routing'],
    ['/.well-known/security.txt', 'audit'],
    ['/v1/parked/sla:17/replay', 'sla'],
    ['/v1/parked/routing%3A17/skip', 'routing'],
  ])('says that %s belongs to %s', (path, service) => {
    expect(ownerOf(path)).toBe(service);
  });

  it.each(['/v1', '/v1/', '/v1/reportsx', '/v1/report', '/v2/reports', '/internal/openapi.json', '/health/ready', '/metrics', '/v1/parked', '/v1/parked/nobody:1/replay', `/v1/reports/${uuid}/outcome/x/outcome/y`.replace('/v1/reports', '/v1/none')])(
    'knows no owner of %s',
    (path) => {
      expect(ownerOf(path)).toBeUndefined();
    },
  );
});

describe('a path that two servers may read differently', () => {
  it.each([
    '/v1/reports/../../internal/openapi.json',
    '/v1/reports/%2e%2e/%2E%2e/internal/openapi.json',
    '/v1/reports/..%2f..%2finternal',
    '/v1/reports/%252e%252e/internal',
    '/v1/reports/..\\..\\internal',
    '/v1/reports/%5c..%5cinternal',
    '/v1/reports//internal',
    '/v1/reports/./x',
    '/v1/reports/..;/internal',
    '/v1/reports/%00',
    '/v1/reports/%0d%0aHost:evil',
    '/v1/reports/%ff',
    '/v1/reports/%',
    '//internal/openapi.json',
  ])('is refused: %j', (path) => {
    expect(() => refuseAmbiguous(path)).toThrow(expect.objectContaining({ code: 'request.malformed', status: 400 }));
  });

  it('never leads out of its prefix when it is not refused', () => {
    const piece = fc.constantFrom('v1', 'reports', '..', '.', '%2e', '%2E%2e', '%2f', '%5c', '\\', '', ';', 'internal', 'openapi.json', '%25', '@', ':', '?', '#', 'a b', 'é');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), fc.array(fc.constantFrom('/', ''), { maxLength: 8 }), (pieces, joints) => {
        const path = `/v1/reports/${pieces.map((one, index) => one + (joints[index] ?? '/')).join('')}`;
        try {
          refuseAmbiguous(path);
        } catch {
          return;
        }
        const { pathname, host } = new URL(path, 'http://intake.example');
        expect(host).toBe('intake.example');
        expect(decodeURIComponent(pathname)).toBe(decodeURIComponent(path));
      }),
      { numRuns: 2_000 },
    );
  });
});
