import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { testDatabase, type TestDatabase } from '@sejam/testkit';
import { createPool, isDatabaseUnavailable, tx, type Pool } from './index.js';

describe('A pool', () => {
  let database: TestDatabase;
  let pool: Pool;
  beforeAll(async () => {
    database = await testDatabase();
    pool = await database.pool('intake', []);
    await pool.query('CREATE TABLE account (name text PRIMARY KEY, amount bigint NOT NULL, since timestamptz)');
  });
  afterAll(() => database.drop());

  it('reads and writes tables of its own schema without naming it', async () => {
    await pool.query('INSERT INTO account VALUES ($1, $2, $3)', ['meta', 7, '2024-11-27T00:00:00Z']);
    const { rows } = await pool.query<{ amount: number; since: Date }>('SELECT amount, since FROM intake.account WHERE name = $1', ['meta']);
    expect(rows).toEqual([{ amount: 7, since: new Date('2024-11-27T00:00:00Z') }]);
  });

  it('refuses a bigint that a number cannot hold, in place of rounding it', async () => {
    await expect(pool.query('SELECT 9007199254740993::bigint')).rejects.toThrow('does not fit');
  });

  it('refuses a schema name that would need quoting', () => {
    expect(() => createPool({ url: database.url, schema: 'a"; drop' })).toThrow('no schema name');
  });

  it('keeps all of a transaction or nothing', async () => {
    await tx(pool, (client) => client.query(`INSERT INTO account VALUES ('google', 1)`));
    const failing = tx(pool, async (client) => {
      await client.query(`DELETE FROM account WHERE name = 'google'`);
      throw new Error('changed my mind');
    });
    await expect(failing).rejects.toThrow('changed my mind');
    expect((await pool.query(`SELECT 1 FROM account WHERE name = 'google'`)).rowCount).toBe(1);
  });

  it('repeats a transaction that lost a deadlock', async () => {
    await pool.query(`INSERT INTO account VALUES ('a', 0), ('b', 0)`);
    const both = (first: string, second: string) =>
      tx(pool, async (client) => {
        await client.query('UPDATE account SET amount = amount + 1 WHERE name = $1', [first]);
        await client.query('SELECT pg_sleep(0.05)');
        await client.query('UPDATE account SET amount = amount + 1 WHERE name = $1', [second]);
      });
    await Promise.all([both('a', 'b'), both('b', 'a')]);
    const { rows } = await pool.query<{ amount: number }>(`SELECT amount FROM account WHERE name IN ('a', 'b')`);
    expect(rows.map(({ amount }) => amount)).toEqual([2, 2]);
  });

  it('calls a server that does not listen unavailable', async () => {
    const nowhere = createPool({ url: 'postgres://postgres@127.0.0.1:1/x', schema: 'intake' });
    await expect(nowhere.query('SELECT 1')).rejects.toMatchObject({ name: 'DomainError', kind: 'unavailable', code: 'database.unavailable' });
    await nowhere.end();
  });

  it('calls a connection that is cut in the middle unavailable, and goes on with another', async () => {
    const other = await database.pool('intake', undefined, { max: 1 });
    const { rows } = await other.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    const cut = other.query('SELECT pg_sleep(20)').catch((error: unknown) => error);
    await pool.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
    expect(isDatabaseUnavailable(await cut)).toBe(true);
    expect((await other.query('SELECT 1')).rowCount).toBe(1);
  });

  it('calls a statement that outlasts its time unavailable', async () => {
    const hasty = await database.pool('intake', undefined, { statementTimeoutMs: 50 });
    await expect(hasty.query('SELECT pg_sleep(5)')).rejects.toMatchObject({ code: 'database.unavailable' });
  });

  it('does not call a wrong statement unavailable', async () => {
    await expect(pool.query('SELECT nothing FROM nowhere')).rejects.toMatchObject({ code: '42P01' });
  });
});
