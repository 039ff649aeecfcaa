import { describe, expect, it } from '@jest/globals';
import { all, event, eventStoreContract } from './event-store.contract.js';
import { memoryEventStore } from './testing.js';

eventStoreContract('in memory', async () => ({ store: memoryEventStore(), stop: async () => undefined }));

describe('the event store in memory', () => {
  it('can fail an append before or after it is recorded', async () => {
    const store = memoryEventStore();
    store.failAppends('before');
    store.failAppends('after');
    const events = [event()];
    await expect(store.append('thing-1', events, 'no-stream')).rejects.toMatchObject({ name: 'StoreUnavailable' });
    expect(store.all()).toEqual([]);
    await expect(store.append('thing-1', events, 'no-stream')).rejects.toMatchObject({ name: 'StoreUnavailable' });
    expect(await all(store.read('thing-1'))).toHaveLength(1);
    expect(await store.append('thing-1', events, 'no-stream')).toMatchObject({ revision: 0 });
  });

  it('answers nothing after it is closed', async () => {
    const store = memoryEventStore();
    await store.close();
    await expect(store.ping()).rejects.toMatchObject({ name: 'StoreUnavailable' });
    await expect(store.append('thing-1', [event()], 'no-stream')).rejects.toMatchObject({ name: 'StoreUnavailable' });
  });
});
