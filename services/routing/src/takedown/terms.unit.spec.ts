import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { builtInTerms, chooseTerms, type Policy } from './terms.js';

const at = new Date('2024-11-27T00:00:00.000Z');
const asked = { at, category: 'hoax.candidate', platform: 'tiktok' };
const base: Policy = { ...builtInTerms, policy: 'default', version: 1, effectiveFrom: '2024-01-01T00:00:00.000Z' };

describe('the terms of an order', () => {
  it('are the built-in ones until a policy is in force', () => {
    expect(chooseTerms([], asked)).toEqual(builtInTerms);
    expect(chooseTerms([{ ...base, effectiveFrom: '2024-11-27T00:00:00.001Z' }], asked)).toEqual(builtInTerms);
    expect(chooseTerms([{ ...base, effectiveFrom: at.toISOString() }], asked).version).toBe(1);
  });

  it('come from the newest version in force of a policy', () => {
    const policies = [base, { ...base, version: 3, effectiveFrom: '2025-01-01T00:00:00.000Z' }, { ...base, version: 2 }];
    expect(chooseTerms(policies, asked).version).toBe(2);
  });

  it('come from the most specific policy: window, then category, then platform', () => {
    const window = { from: '2024-11-24T00:00:00.000Z', to: '2024-12-01T00:00:00.000Z' };
    const policies: Policy[] = [
      base,
      { ...base, policy: 'of-platform', platform: 'tiktok' },
      { ...base, policy: 'of-category', category: 'hoax' },
      { ...base, policy: 'of-both', category: 'hoax.candidate', platform: 'tiktok' },
      { ...base, policy: 'of-window', window },
    ];
    const chosenFrom = (count: number): string => chooseTerms(policies.slice(0, count), asked).policy;
    expect([1, 2, 3, 4, 5].map(chosenFrom)).toEqual(['default', 'of-platform', 'of-category', 'of-both', 'of-window']);
  });

  it('ignore a policy of another category, platform or time', () => {
    const policies: Policy[] = [
      { ...base, policy: 'a', category: 'hoax.candid' },
      { ...base, policy: 'b', platform: 'meta' },
      { ...base, policy: 'c', window: { from: '2024-11-24T00:00:00.000Z', to: at.toISOString() } },
    ];
    expect(chooseTerms(policies, asked)).toEqual(builtInTerms);
  });

  it('do not depend on the order in which policies arrived', () => {
    const policy = fc.record({
      policy: fc.constantFrom('a', 'b', 'c'), version: fc.integer({ min: 1, max: 3 }), category: fc.constantFrom(undefined, 'hoax'), platform: fc.constantFrom(undefined, 'tiktok', 'meta'),
    });
    const distinct = fc.uniqueArray(policy, { selector: ({ policy: id, version }) => `${id}/${version}`, maxLength: 9 });
    fc.assert(fc.property(distinct.chain((some) => fc.tuple(fc.constant(some), fc.shuffledSubarray(some, { minLength: some.length }))), ([some, shuffled]) => {
      const whole = (list: typeof some): Policy[] => list.map(({ category, platform, ...rest }) => ({ ...base, ...rest, ...(category === undefined ? {} : { category }), ...(platform === undefined ? {} : { platform }) }));
      expect(chooseTerms(whole(shuffled), asked)).toEqual(chooseTerms(whole(some), asked));
    }));
  });
});
