import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import type { NewEvent, Position } from '@sejam/event-sourcing';
import { eventually, testDatabase, testEventStore, type TestDatabase, type TestEventStore } from '@sejam/testkit';
import { postgresMigrations, runProjection, type Pool, type Projection, type ProjectionOptions } from './index.js';

describe('A projection', () => {
  let database: TestDatabase;
  let record: TestEventStore;
  let pool: Pool;
  let n = 0;
  let prefix: string;
  let poison: number | undefined;
  const projections: Projection[] = [];

  beforeAll(async () => {
    [database, record] = await Promise.all([testDatabase(), testEventStore()]);
  });
  afterAll(() => Promise.all([database.drop(), record.stop()]));
  beforeEach(async () => {
    poison = undefined;
    prefix = `thing${++n}-`;
    pool = await database.pool(`projection_${n}`, [postgresMigrations]);
    // No key: an event that counted twice would be seen.
    await pool.query('CREATE TABLE happened (stream text, number int, batch int)');
  });
  afterEach(async () => {
    await Promise.all(projections.splice(0).map((projection) => projection.stop()));
  });

  const start = (further: Partial<ProjectionOptions> = {}): Projection => {
    const projection = runProjection({
      pool,
      store: record.store,
      name: 'things',
      prefixes: [prefix],
      leaseTtlMs: 900,
      async apply(client, events) {
        await client.query('INSERT INTO happened SELECT *, $3 FROM unnest($1::text[], $2::int[])', [
          events.map(({ stream }) => stream),
          events.map(({ data }) => (data as { number: number }).number),
          events.length,
        ]);
        if (events.some(({ data }) => (data as { number: number }).number === poison)) throw new Error('cannot be applied');
      },
      ...further,
    });
    projections.push(projection);
    return projection;
  };
  const happen = async (subject: string, from: number, count = 1): Promise<Position> => {
    const events = Array.from({ length: count }, (_, index): NewEvent => ({
      id: uuidv7(),
      type: 'Happened',
      data: { number: from + index },
      metadata: { at: '2024-11-27T05:00:00.000Z', by: { organisation: 'kpu', holder: 'officer' }, causationId: `c${from + index}`, correlationId: 'c' },
    }));
    return (await record.store.append(`${prefix}${subject}`, events, from === 0 ? 'no-stream' : from - 1)).position;
  };
  const rows = async (): Promise<number[]> => (await pool.query<{ number: number }>('SELECT number FROM happened ORDER BY number')).rows.map(({ number }) => number);
  const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

  it('applies each event of its categories once, in large batches, and says when it has caught up', async () => {
    await happen('a', 0, 400);
    await record.store.append(`foreign-${uuidv7()}`, [{ id: uuidv7(), type: 'Other', data: {}, metadata: { at: '', by: { organisation: '', holder: '' }, causationId: '', correlationId: '' } }], 'no-stream');
    const projection = start();
    await eventually(() => expect(projection.status()).toMatchObject({ active: true, connected: true, caughtUp: true, lagMs: 0 }));
    expect(await rows()).toEqual(upTo(400));
    const { rows: batches } = await pool.query<{ batch: number }>('SELECT DISTINCT batch FROM happened');
    expect(Math.max(...batches.map(({ batch }) => batch))).toBeGreaterThan(10);
  });

  it('lets a caller wait until its own write is in the rows, on a stand-by too', async () => {
    const [first, second] = [start(), start()];
    await eventually(() => expect([first, second].filter((one) => one.status().active)).toHaveLength(1));
    for (let number = 0; number < 10; number++) {
      const position = await happen('a', number);
      expect(await Promise.all([first.waitFor(position, 5_000), second.waitFor(position, 5_000)])).toEqual([true, true]);
      expect(await rows()).toEqual(upTo(number + 1));
    }
  });

  it('gathers what keeps coming into few transactions, and hurries for a caller that waits', async () => {
    const projection = start({ gatherMs: 400 });
    await projection.waitFor(await happen('a', 0), 5_000);
    for (let number = 1; number <= 20; number++) await happen('a', number);
    await eventually(async () => expect(await rows()).toEqual(upTo(21)));
    const { rows: batches } = await pool.query<{ batch: number }>('SELECT batch FROM happened WHERE number > 0 AND number < 20 ORDER BY batch');
    expect(batches.at(-1)?.batch).toBeGreaterThan(1);
    const patient = start({ name: 'patient', gatherMs: 60_000 });
    for (let number = 21; number < 24; number++) expect(await patient.waitFor(await happen('a', number), 10_000)).toBe(true);
  }, 40_000);

  it('does not let a caller wait for ever', async () => {
    const projection = start();
    await happen('a', 0);
    expect(await projection.waitFor({ commit: '9999999999999', prepare: '9999999999999' }, 50)).toBe(false);
  });

  it('goes on where it was, in another instance', async () => {
    const first = start();
    await first.waitFor(await happen('a', 0, 20), 5_000);
    await first.stop();
    await happen('a', 20, 20);
    const second = start();
    await eventually(async () => expect(await rows()).toEqual(upTo(40)));
    expect(await second.waitFor(await happen('a', 40), 5_000)).toBe(true);
    expect(await rows()).toEqual(upTo(41));
  });

  it('keeps neither rows nor place of a batch that fails, says why, and repeats it until it works', async () => {
    poison = 3;
    const projection = start();
    await happen('a', 0, 6);
    await eventually(() => expect(projection.status().failing).toContain('cannot be applied'));
    expect((await rows()).includes(3)).toBe(false);
    poison = undefined;
    await eventually(async () => expect(await rows()).toEqual(upTo(6)));
    await eventually(() => expect(projection.status().failing).toBeUndefined());
  });

  it('counts each event once although instances overtake each other and connections break', async () => {
    start({ batchMax: 3 });
    start({ batchMax: 5 });
    let number = 0;
    for (let round = 0; round < 12; round++) {
      await happen('a', number, 7);
      number += 7;
      if (round % 3 === 1) await pool.query(`UPDATE lease SET expires = '-infinity'`);
      if (round % 3 === 2) await pool.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND pid <> pg_backend_pid()', [`sejam ${pool.schema}`]);
    }
    await eventually(async () => expect(await rows()).toEqual(upTo(number)), { withinMs: 30_000 });
  }, 40_000);

  it('waits out a record that restarts', async () => {
    const projection = start();
    await projection.waitFor(await happen('a', 0), 5_000);
    await record.restart();
    const position = await eventually(() => happen('a', 1));
    expect(await projection.waitFor(position, 20_000)).toBe(true);
    expect(await rows()).toEqual([0, 1]);
  }, 30_000);
});
