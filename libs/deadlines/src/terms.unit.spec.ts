import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { builtInTerms, chooseTerms, type Policy } from './index.js';

const at = new Date('2024-11-27T08:00:00.000Z');
const order = { category: 'hoax.candidate', platform: 'tiktok', at };

function policy(name: string, more: Partial<Policy> = {}): Policy {
  return { ...builtInTerms, policy: name, version: 1, effectiveFrom: '2024-01-01T00:00:00.000Z', resolveWithinMinutes: 45, ...more };
}
const votingDays = { from: '2024-11-24T00:00:00.000Z', to: '2024-12-01T00:00:00.000Z' };
const chosen = (...policies: Policy[]): string => chooseTerms(policies, order).policy;

describe('the terms of an order', () => {
  it('are the built-in ones while there is no policy: 10 and 60 minutes, a warning at 75 %, clarification up to 30 minutes', () => {
    expect(chooseTerms([], order)).toEqual({ policy: 'default', version: 0, acknowledgeWithinMinutes: 10, resolveWithinMinutes: 60, warningPercent: 75, clarificationCapMinutes: 30 });
  });

  it('are those of the most specific policy: window, then category, then platform, then default', () => {
    const [byDefault, byPlatform, byCategory, byWindow] = [policy('d'), policy('p', { platform: 'tiktok' }), policy('c', { category: 'hoax.candidate' }), policy('w', { window: votingDays })];
    expect(chosen(byDefault)).toBe('d');
    expect(chosen(byDefault, byPlatform)).toBe('p');
    expect(chosen(byPlatform, byCategory, byDefault)).toBe('c');
    expect(chosen(byCategory, byWindow, byPlatform, byDefault)).toBe('w');
    expect(chosen(byCategory, policy('cp', { category: 'hoax.candidate', platform: 'tiktok' }))).toBe('cp');
    expect(chosen(policy('family', { category: 'hoax', platform: 'tiktok', effectiveFrom: '2024-11-01T00:00:00.000Z' }), byCategory)).toBe('c');
  });

  it('leave out what does not apply', () => {
    expect(chosen(policy('p', { platform: 'meta' }), policy('c', { category: 'hoax.other' }), policy('half', { category: 'hoax.cand' }))).toBe('default');
    expect(chosen(policy('family', { category: 'hoax' }))).toBe('family');
  });

  it('count a window from its first moment to just before its last', () => {
    const window = { from: at.toISOString(), to: new Date(at.getTime() + 1).toISOString() };
    expect(chosen(policy('w', { window }))).toBe('w');
    expect(chosen(policy('w', { window: { from: votingDays.from, to: at.toISOString() } }))).toBe('default');
  });

  it('are those of the highest version in force, however the policy changed since', () => {
    const versions = [1, 2, 3].map((version) => policy('d', { version, resolveWithinMinutes: 60 - version, effectiveFrom: `2024-11-2${version + 5}T08:00:00.000Z` }));
    expect(chooseTerms(versions, order)).toMatchObject({ version: 2, resolveWithinMinutes: 58 });
    expect(chosen(policy('p', { platform: 'tiktok' }), policy('p', { platform: 'meta', version: 2 }))).toBe('default');
  });

  it('are the later in force, then the first by name, when two are equally specific', () => {
    expect(chosen(policy('a'), policy('b', { effectiveFrom: '2024-02-01T00:00:00.000Z' }))).toBe('b');
    expect(chosen(policy('b'), policy('a'))).toBe('a');
  });

  it('are the same in whatever order the policies arrived, and hold nothing but terms', () => {
    const some = fc.record({
      policy: fc.constantFrom('a', 'b', 'c'),
      version: fc.integer({ min: 1, max: 4 }),
      window: fc.option(fc.constant(votingDays), { nil: undefined }),
      category: fc.option(fc.constantFrom('hoax', 'hoax.candidate', 'defamation'), { nil: undefined }),
      platform: fc.option(fc.constantFrom('tiktok', 'meta'), { nil: undefined }),
      day: fc.integer({ min: 20, max: 30 }),
    });
    const distinct = fc.uniqueArray(some, { maxLength: 10, selector: ({ policy: name, version }) => `${name}${version}` });
    const shuffled = distinct.chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })));
    fc.assert(
      fc.property(shuffled, ([list, other]) => {
        const asPolicies = (drafts: typeof list): Policy[] =>
          drafts.map(({ policy: name, version, window, category, platform, day }) =>
            policy(name, { version, effectiveFrom: `2024-11-${day}T00:00:00.000Z`, ...(window && { window }), ...(category && { category }), ...(platform && { platform }) }),
          );
        const terms = chooseTerms(asPolicies(list), order);
        expect(chooseTerms(asPolicies(other), order)).toEqual(terms);
        expect(Object.keys(terms)).toEqual(Object.keys(builtInTerms));
      }),
    );
  });
});
