import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { postgresMigrations, type Pool } from '@sejam/postgres';
import { eventually, testDatabase, testEventStore, type TestDatabase, type TestEventStore } from '@sejam/testkit';
import { busMigrations, logBus, refuseLostOffsets } from '../index.js';

describe('A schema that has handled the messages of a topic', () => {
  let database: TestDatabase;
  let record: TestEventStore;
  let older: TestEventStore;
  let pool: Pool;

  beforeAll(async () => {
    [database, record, older] = await Promise.all([testDatabase(), testEventStore(), testEventStore()]);
    pool = await database.pool('handled', [postgresMigrations, busMigrations]);
  });
  afterAll(() => Promise.all([database.drop(), record.stop(), older.stop()]));

  it('refuses a record whose topic is shorter than what was handled', async () => {
    const message = (n: number) => ({ key: 'thing-a', headers: { ce_id: String(n), ce_type: 'Happened' }, value: JSON.stringify({ n }) });
    const bus = logBus({ store: record.store });
    await bus.publish('things', [message(0), message(1), message(2)]);
    await logBus({ store: older.store }).publish('things', [message(0), message(1)]);
    let handled = 0;
    bus.consume({ group: 'readers', topics: ['things'], pool, handle: async (messages) => void (handled += messages.length) });
    await eventually(async () => expect((await pool.query('SELECT next FROM topic_offset')).rows).toEqual([{ next: 3 }]));
    await bus.close();
    expect(handled).toBe(3);
    await expect(refuseLostOffsets(pool, record.store)).resolves.toBeUndefined();
    await expect(refuseLostOffsets(pool, older.store)).rejects.toThrow('has handled 3 messages of things (consumer "readers"), and the record holds 2');
  });
});
