import { describe, expect, it } from '@jest/globals';
import { defineAccess, refusalBy, scopeBy, type AccessRow } from './access.js';

const row = (further: Partial<AccessRow> = {}): AccessRow => ({ method: 'GET', path: '/v1/things/:id', roles: ['reporter'], ...further });

describe('an access table', () => {
  it('is refused as it is written when it contradicts itself', () => {
    expect(() => defineAccess([row(), row()])).toThrow('two rows for GET /v1/things/:id');
    expect(() => defineAccess([row({ ownParameter: 'platform' })])).toThrow('"platform"');
    expect(() => defineAccess([row({ roles: [] })])).toThrow('nobody');
    expect(defineAccess([row(), row({ method: 'PUT' })])).toHaveLength(2);
  });

  it('lets in who has one of the roles and is of one of the kinds', () => {
    const reporter = { kind: 'agency', roles: ['reporter'] } as const;
    expect(refusalBy(row(), undefined)).toBe('key.missing');
    expect(refusalBy(row(), reporter)).toBeUndefined();
    expect(refusalBy(row({ roles: ['issuer', 'reviewer'] }), reporter)).toBe('key.role-missing');
    expect(refusalBy(row({ kinds: ['partner'] }), reporter)).toBe('key.role-missing');
    expect(refusalBy(row({ roles: 'public' }), undefined)).toBeUndefined();
    expect(refusalBy(row({ roles: 'signature' }), undefined)).toBeUndefined();
  });

  it('shows partners and platforms their own, the others all, unless a row says otherwise', () => {
    const kinds = ['agency', 'auditor', 'operator', 'partner', 'platform'] as const;
    expect(kinds.map((kind) => scopeBy(row(), kind))).toEqual(['all', 'all', 'all', 'own', 'own']);
    expect(scopeBy(row({ scope: { agency: 'own' } }), 'agency')).toBe('own');
  });
});
