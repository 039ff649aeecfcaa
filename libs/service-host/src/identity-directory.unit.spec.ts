import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { hashApiKey, keyIdOf, newApiKey } from './api-key.js';
import { heartbeatToleranceMs, IdentityDirectory, type IdentityEvent } from './identity-directory.js';

const first = newApiKey('first');
const second = newApiKey('second');
const registered: IdentityEvent = { type: 'OrganisationRegistered', data: { organisation: 'kpu', kind: 'agency', name: 'KPU' } };
const issued: IdentityEvent = { type: 'KeyIssued', data: { organisation: 'kpu', keyId: 'first', holder: 'officer:1', roles: ['reporter', 'unheard-of'], secretSha256: first.sha256 } };
const rotated: IdentityEvent = { type: 'KeyRotated', data: { organisation: 'kpu', keyId: 'first', newKeyId: 'second', secretSha256: second.sha256, overlapUntil: '2024-11-27T01:00:00.000Z' } };
const revoked: IdentityEvent = { type: 'KeyRevoked', data: { organisation: 'kpu', keyId: 'first' } };

const at = (time: string) => {
  const clock = { ms: Date.parse(time) };
  const directory = new IdentityDirectory(() => clock.ms);
  const feed = (...events: IdentityEvent[]) => events.forEach((event) => directory.apply(event));
  return { clock, directory, feed };
};

describe('a key', () => {
  it('carries its id, is hashed whole, and is never the same twice', () => {
    expect(first.key).toMatch(/^sjm_first_[A-Za-z0-9_-]{43}$/);
    expect(keyIdOf(first.key)).toBe('first');
    expect(first.sha256).toBe(hashApiKey(first.key));
    expect(newApiKey('first').key).not.toBe(first.key);
    expect(newApiKey().keyId).toMatch(/^[0-9a-f]{12}$/);
    expect(() => newApiKey('Not an id')).toThrow('lower-case');
  });

  it('has no id when it is not well-formed', () => {
    fc.assert(fc.property(fc.string(), (text) => keyIdOf(text) === undefined));
    expect(keyIdOf(`${first.key}x`)).toBeUndefined();
  });
});

describe('the identity directory', () => {
  it('knows an issued key, its holder and those of its roles that it understands', () => {
    const { directory, feed } = at('2024-11-27T00:00:00Z');
    feed(registered, issued);
    expect(directory.check(first.key)).toMatchObject({ outcome: 'good', key: { holder: 'officer:1', roles: ['reporter'] }, organisation: { kind: 'agency' } });
    expect(directory.check(newApiKey('first').key)).toEqual({ outcome: 'unknown' });
    expect(directory.check('')).toEqual({ outcome: 'unknown' });
  });

  it('lets both keys work during a rotation, then only the new one', () => {
    const { clock, directory, feed } = at('2024-11-27T00:59:59Z');
    feed(registered, issued, rotated);
    expect([directory.check(first.key).outcome, directory.check(second.key).outcome]).toEqual(['good', 'good']);
    clock.ms = Date.parse('2024-11-27T01:00:00Z');
    expect([directory.check(first.key).outcome, directory.check(second.key).outcome]).toEqual(['expired', 'good']);
  });

  it('does not know a revoked key any more, whatever comes again', () => {
    const { directory, feed } = at('2024-11-27T00:00:00Z');
    feed(registered, issued, revoked, issued);
    expect(directory.check(first.key)).toEqual({ outcome: 'unknown' });
  });

  it('ends up the same when any of its events come twice', () => {
    const history = [registered, issued, rotated, revoked];
    fc.assert(
      fc.property(fc.array(fc.nat(3), { maxLength: 8 }), (again) => {
        const once = at('2024-11-27T00:00:00Z');
        const twice = at('2024-11-27T00:00:00Z');
        once.feed(...history);
        history.forEach((event, index) => twice.feed(event, ...again.filter((one) => one <= index).map((one) => history[one] as IdentityEvent)));
        for (const key of [first.key, second.key]) expect(twice.directory.check(key)).toEqual(once.directory.check(key));
      }),
    );
  });

  it('skips events it does not know', () => {
    const { directory } = at('2024-11-27T00:00:00Z');
    expect(() => directory.apply({ type: 'OrganisationPainted', data: {} })).not.toThrow();
  });

  it('is fresh for five minutes after the time that the newest heartbeat tells, and not before the first', () => {
    const { clock, directory } = at('2024-11-27T00:00:00Z');
    expect(directory.fresh).toBe(false);
    directory.heartbeat(new Date(clock.ms - heartbeatToleranceMs + 1));
    expect(directory.fresh).toBe(true);
    directory.heartbeat(new Date(clock.ms - heartbeatToleranceMs - 60_000)); // an older one that came late
    expect(directory.fresh).toBe(true);
    clock.ms += 1;
    expect(directory.fresh).toBe(false);
    expect(directory.alwaysFresh().fresh).toBe(true);
  });
});
