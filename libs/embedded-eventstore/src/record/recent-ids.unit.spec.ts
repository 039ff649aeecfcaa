import { describe, expect, it } from '@jest/globals';
import { RecentIds } from './recent-ids.js';

describe('ids appended lately', () => {
  it('are remembered for at least 65 536 further ones, and not for ever', () => {
    const ids = new RecentIds();
    for (let index = 0; index < 200_000; index += 1) ids.add(`id-${index}`, { stream: 's', revision: index, position: index });
    expect(ids.get('s', 'id-199999')?.revision).toBe(199_999);
    expect(ids.get('s', `id-${200_000 - 65_536}`)?.revision).toBe(200_000 - 65_536);
    expect(ids.get('s', 'id-0')).toBeUndefined();
  });

  it('count for their own stream alone', () => {
    const ids = new RecentIds();
    ids.add('a', { stream: 'one', revision: 0, position: 64 });
    expect(ids.get('two', 'a')).toBeUndefined();
  });

  it('are forgotten when their write has failed', () => {
    const ids = new RecentIds();
    ids.add('kept', { stream: 's', revision: 0, position: 64 });
    ids.add('lost', { stream: 's', revision: 1, position: 300 });
    ids.forgetFrom(300);
    expect(ids.get('s', 'kept')).toBeDefined();
    expect(ids.get('s', 'lost')).toBeUndefined();
  });
});
