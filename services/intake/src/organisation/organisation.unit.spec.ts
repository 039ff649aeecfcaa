import { describe, expect, it } from '@jest/globals';
import { specFor, type Given } from '@sejam/event-sourcing/testing';
import { addOfficer, issueKey, organisation, register, revokeKey, rolesOf, rotateKey, type OrganisationEvent, type OrganisationKind, type Role } from './organisation.js';

const given = specFor(organisation).given;
const now = new Date('2024-11-01T00:00:00.000Z');
const registered = (kind: OrganisationKind): Given<OrganisationEvent> => ({ type: 'OrganisationRegistered', data: { organisation: 'o', kind, name: 'O', ...(kind === 'partner' ? { partnerKind: 'media' as const } : {}) } });
const officer: Given<OrganisationEvent> = { type: 'OfficerAdded', data: { organisation: 'o', holder: 'officer:1' } };
const key = (changes: Partial<Parameters<typeof issueKey>[1]> = {}) => ({ keyId: 'k1', holder: 'officer:1', roles: ['reporter'] as Role[], secretSha256: 'aa', now, ...changes });
const issued: Given<OrganisationEvent> = { type: 'KeyIssued', data: { organisation: 'o', keyId: 'k1', holder: 'officer:1', roles: ['reporter'], secretSha256: 'aa' } };

describe('an organisation', () => {
  it('is registered once, under one kind', () => {
    given().when((state) => register(state, { organisation: 'o', kind: 'agency', name: 'O' })).then({ type: 'OrganisationRegistered', data: { organisation: 'o', kind: 'agency', name: 'O' } });
    given(registered('agency')).when((state) => register(state, { organisation: 'o', kind: 'agency', name: 'Other' })).thenNothing();
    given(registered('agency')).when((state) => register(state, { organisation: 'o', kind: 'auditor', name: 'O' })).thenRefused('organisation.exists');
  });

  it('says what kind of partner it is when it is one, and who carries out its decisions when it is an agency', () => {
    given().when((state) => register(state, { organisation: 'o', kind: 'partner', name: 'O' })).thenRefused('organisation.partner-kind');
    given().when((state) => register(state, { organisation: 'o', kind: 'agency', name: 'O', partnerKind: 'media' })).thenRefused('organisation.partner-kind');
    given().when((state) => register(state, { organisation: 'o', kind: 'partner', name: 'O', partnerKind: 'media', executor: 'kominfo' })).thenRefused('organisation.executor');
  });
});

describe('a key', () => {
  it('has only roles that the kind of organisation may have', () => {
    const allRoles: Role[] = ['reporter', 'reviewer', 'issuer', 'platform', 'auditor', 'operator', 'consumer'];
    for (const kind of Object.keys(rolesOf) as OrganisationKind[]) {
      for (const role of allRoles) {
        const decision = given(registered(kind), officer).when((state) => issueKey(state, key({ roles: [role] })));
        if (rolesOf[kind].includes(role)) expect(decision.events).toHaveLength(1);
        else decision.thenRefused('key.role-not-allowed');
      }
    }
    given(registered('agency'), officer).when((state) => issueKey(state, key({ roles: [] }))).thenRefused('key.role-not-allowed');
  });

  it('of a system submits and never decides', () => {
    given(registered('agency')).when((state) => issueKey(state, key({ holder: 'system:desk' }))).thenState((state) => expect(state).toMatchObject({ keys: { k1: { holder: 'system:desk' } } }));
    for (const role of ['reviewer', 'issuer'] as const) given(registered('agency')).when((state) => issueKey(state, key({ holder: 'system:desk', roles: ['reporter', role] }))).thenRefused('key.role-not-allowed');
  });

  it('belongs to an officer of the organisation or to a system of it, and does not begin expired', () => {
    given(registered('agency')).when((state) => issueKey(state, key())).thenRefused('key.holder-unknown');
    given(registered('agency')).when((state) => issueKey(state, key({ holder: 'system:Bad Name' }))).thenRefused('key.holder-unknown');
    given(registered('agency'), officer).when((state) => issueKey(state, key({ expiresAt: now.toISOString() }))).thenRefused('key.expiry-past');
    given().when((state) => issueKey(state, key())).thenRefused('organisation.not-found');
  });

  it('is rotated into one with the same holder and roles, once', () => {
    const rotation = { keyId: 'k1', newKeyId: 'k2', secretSha256: 'bb', overlapUntil: '2024-11-02T00:00:00.000Z' };
    const rotated = given(registered('agency'), officer, issued).when((state) => rotateKey(state, rotation));
    rotated.thenState((state) => expect(state).toMatchObject({ keys: { k1: { status: 'rotated' }, k2: { status: 'active', roles: ['reporter'], holder: 'officer:1' } } }));
    given(registered('agency'), officer, issued, ...rotated.events).when((state) => rotateKey(state, { ...rotation, newKeyId: 'k3' })).thenRefused('key.not-active');
    given(registered('agency')).when((state) => rotateKey(state, rotation)).thenRefused('key.not-found');
  });

  it('is revoked for good, and revoking it again adds nothing', () => {
    const revoked = given(registered('agency'), officer, issued).when((state) => revokeKey(state, { keyId: 'k1' }));
    revoked.then({ type: 'KeyRevoked', data: { organisation: 'o', keyId: 'k1' } });
    given(registered('agency'), officer, issued, ...revoked.events).when((state) => revokeKey(state, { keyId: 'k1' })).thenNothing();
    given(registered('agency')).when((state) => revokeKey(state, { keyId: 'k9' })).thenRefused('key.not-found');
  });

  it('may be added for an officer who is known already', () => {
    given(registered('agency'), officer).when((state) => addOfficer(state, { holder: 'officer:1' })).thenNothing();
  });
});
