import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import type { EventStore } from '@sejam/event-sourcing';
import { testDatabase, testEventStore, type TestDatabase, type TestEventStore } from '@sejam/testkit';
import { postgresMigrations, refuseLostHistory, runProjection, type Pool } from './index.js';

describe('A schema that has followed a record', () => {
  let database: TestDatabase;
  let record: TestEventStore;
  /** What is put in the record's place. */
  let other: TestEventStore;
  let pool: Pool;
  let schemas = 0;

  beforeAll(async () => {
    database = await testDatabase();
  });
  afterAll(() => database.drop());
  beforeEach(async () => {
    [record, other] = await Promise.all([testEventStore(), testEventStore()]);
    pool = await database.pool(`followed_${++schemas}`, [postgresMigrations]);
  });
  afterEach(() => Promise.all([record.stop(), other.stop()]));

  const event = () => ({ id: uuidv7(), type: 'Happened', data: {}, metadata: { at: '2024-11-27T05:00:00.000Z', by: { organisation: 'kpu', holder: 'officer' }, causationId: 'c', correlationId: 'c' } });
  const events = Array.from({ length: 6 }, event);
  /** The same events at the same places, as a copy has them. */
  const happen = async (store: EventStore, from: number, to: number): Promise<void> => {
    for (let revision = from; revision < to; revision++) await store.append('thing-a', [events[revision]!], revision === 0 ? 'no-stream' : revision - 1);
  };
  const follow = async (): Promise<void> => {
    const projection = runProjection({ pool, store: record.store, name: 'things', prefixes: ['thing-'], async apply() {} });
    const last = await record.store.append('thing-b', [event()], 'any');
    expect(await projection.waitFor(last.position, 20_000)).toBe(true);
    await projection.stop();
  };
  const refusal = (store: EventStore) => refuseLostHistory(pool, store, pool.schema);

  it('goes on with it, and with a copy that is as new', async () => {
    await expect(refusal(record.store)).resolves.toBeUndefined();
    await happen(record.store, 0, 6);
    await follow();
    await expect(refusal(record.store)).resolves.toBeUndefined();
    await record.store.append('thing-b', [event()], 'any');
    await record.restart();
    await expect(refusal(record.store)).resolves.toBeUndefined();
  });

  it('refuses an older copy, which ends before its checkpoint', async () => {
    await happen(record.store, 0, 6);
    await happen(other.store, 0, 3);
    await follow();
    await expect(refusal(other.store)).rejects.toThrow('has followed the record ("things") beyond its end: the record was put back from an older copy');
  });

  it('refuses an older copy that has grown past its checkpoint since', async () => {
    await happen(record.store, 0, 3);
    await follow();
    await happen(other.store, 0, 3);
    for (let more = 0; more < 20; more++) await other.store.append('topic-other', [event()], 'any');
    await expect(refusal(other.store)).rejects.toThrow('thing-b revision 0, which it does not hold');
  });

  it('refuses an empty record', async () => {
    await happen(record.store, 0, 1);
    await follow();
    await expect(refusal(other.store)).rejects.toThrow(expect.objectContaining({ name: 'HistoryLost' }));
  });
});
