import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { eventually, testDatabase, type TestDatabase } from '@sejam/testkit';
import { adoptCheckpoint, comparePositions, keepLease, postgresMigrations, readCheckpoint, saveCheckpoint, tx, type LeaseKeeper, type Pool } from './index.js';

describe('A lease', () => {
  let database: TestDatabase;
  let pool: Pool;
  const keepers: LeaseKeeper[] = [];
  beforeAll(async () => {
    database = await testDatabase();
    pool = await database.pool('leases', [postgresMigrations]);
  });
  afterAll(() => database.drop());
  beforeEach(() => pool.query('TRUNCATE lease, checkpoint'));
  afterEach(async () => {
    await Promise.all(keepers.splice(0).map((keeper) => keeper.stop()));
  });

  const epochs: number[] = [];
  let running = 0;
  let most = 0;
  beforeEach(() => {
    [running, most] = [0, 0];
    epochs.length = 0;
  });
  const keep = (ttlMs = 300, work?: (signal: AbortSignal) => Promise<void>): LeaseKeeper => {
    const keeper = keepLease({
      pool,
      name: 'watch',
      ttlMs,
      async work({ epoch, signal }) {
        epochs.push(epoch);
        most = Math.max(most, ++running);
        try {
          if (work) await work(signal);
          else if (!signal.aborted) await once(signal, 'abort');
        } finally {
          running--;
        }
      },
    });
    keepers.push(keeper);
    return keeper;
  };

  it('is held by one of many, and by another as soon as that one gives it up', async () => {
    const all = [keep(), keep(), keep()];
    for (let round = 1; round <= 3; round++) {
      const holder = await eventually(() => all.find((keeper) => keeper.held() !== undefined) ?? false);
      expect(holder.held()).toBe(round);
      await holder.stop();
      all.splice(all.indexOf(holder), 1);
    }
    expect(most).toBe(1);
    expect(epochs).toEqual([1, 2, 3]);
  });

  it('is renewed beyond its time while its holder lives', async () => {
    const keeper = keep(150);
    await eventually(() => expect(keeper.held()).toBe(1));
    const { rows: before } = await pool.query<{ expires: Date }>('SELECT expires FROM lease');
    await eventually(async () => {
      const { rows } = await pool.query<{ expires: Date }>('SELECT expires FROM lease');
      expect(rows[0]!.expires.getTime()).toBeGreaterThan(before[0]!.expires.getTime() + 400);
    });
    expect(epochs).toEqual([1]);
  });

  it('ends the work of a holder that was overtaken', async () => {
    keep(200);
    await eventually(() => expect(epochs).toEqual([1]));
    await pool.query('UPDATE lease SET holder = gen_random_uuid(), epoch = 7');
    await eventually(() => expect(running).toBe(0));
    await eventually(() => expect(epochs).toEqual([1, 8]));
  });

  it('ends the work when the database has been away for its whole time', async () => {
    const own = await database.pool('leases', undefined, { applicationName: 'cut off' });
    let ended = false;
    const keeper = keepLease({
      pool: own,
      name: 'cut off',
      ttlMs: 400,
      async work({ signal }) {
        if (!signal.aborted) await once(signal, 'abort');
        ended = true;
      },
    });
    keepers.push(keeper);
    await eventually(() => expect(keeper.held()).toBe(1));
    const cutting = setInterval(() => void pool.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cut off'`).catch(() => {}), 5);
    await pool.query('LOCK TABLE lease IN ACCESS EXCLUSIVE MODE').catch(() => {}); // outside a transaction: refused, and nothing is held
    const blocked = tx(pool, async (client) => {
      await client.query('LOCK TABLE lease IN ACCESS EXCLUSIVE MODE');
      await eventually(() => ended);
    });
    await blocked;
    clearInterval(cutting);
    expect(ended).toBe(true);
  });

  it('is taken again after work that failed', async () => {
    let failures = 2;
    keep(150, async (signal) => {
      if (failures-- > 0) throw new Error('not now');
      if (!signal.aborted) await once(signal, 'abort');
    });
    await eventually(() => expect(epochs).toHaveLength(3));
  });
});

describe('A checkpoint', () => {
  let database: TestDatabase;
  let pool: Pool;
  beforeAll(async () => {
    database = await testDatabase();
    pool = await database.pool('checkpoints', [postgresMigrations]);
  });
  afterAll(() => database.drop());

  it('keeps both numbers of a position, also the largest', async () => {
    const largest = { commit: '18446744073709551615', prepare: '18446744073709551614' };
    expect(await readCheckpoint(pool, 'large')).toBeUndefined();
    expect(await adoptCheckpoint(pool, 'large', 1)).toBeUndefined();
    await saveCheckpoint(pool, 'large', 1, largest);
    expect(await readCheckpoint(pool, 'large')).toEqual(largest);
    expect(comparePositions(largest, { ...largest, prepare: '18446744073709551613' })).toBe(1);
    expect(comparePositions({ commit: '9', prepare: '9' }, { commit: '10', prepare: '1' })).toBe(-1);
  });

  it('cannot be moved, and rolls back what was done beside it, in an older epoch', async () => {
    await pool.query('CREATE TABLE done (n int)');
    await adoptCheckpoint(pool, 'fenced', 1);
    await saveCheckpoint(pool, 'fenced', 1, { commit: '1', prepare: '1' });
    expect(await adoptCheckpoint(pool, 'fenced', 2)).toEqual({ commit: '1', prepare: '1' });
    const late = tx(pool, async (client) => {
      await client.query('INSERT INTO done VALUES (1)');
      await saveCheckpoint(client, 'fenced', 1, { commit: '2', prepare: '2' });
    });
    await expect(late).rejects.toMatchObject({ name: 'LeaseLost', epoch: 1 });
    expect((await pool.query('SELECT * FROM done')).rowCount).toBe(0);
    await expect(adoptCheckpoint(pool, 'fenced', 1)).rejects.toMatchObject({ name: 'LeaseLost' });
    expect(await readCheckpoint(pool, 'fenced')).toEqual({ commit: '1', prepare: '1' });
  });
});
