import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { testDatabase, type TestDatabase } from '@sejam/testkit';
import { migrate, postgresMigrations, type Migrations, type Pool } from './index.js';

describe('Migrations', () => {
  let database: TestDatabase;
  let folder: string;
  let part: Migrations;
  let pool: Pool;
  let schemas = 0;
  const file = (name: string, sql: string): Promise<void> => writeFile(join(folder, name), sql);

  beforeAll(async () => {
    database = await testDatabase();
  });
  afterAll(() => database.drop());
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sejam-migrations-'));
    part = { part: 'things', folder: pathToFileURL(`${folder}/`) };
    pool = await database.pool(`service_${++schemas}`);
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('build a schema that is missing, in order, and only what is new afterwards', async () => {
    await file('001-thing.sql', 'CREATE TABLE thing (name text)');
    await migrate(pool, [part, postgresMigrations]);
    await file('002-fill.sql', `ALTER TABLE thing ADD size int; INSERT INTO thing VALUES ('a', 1)`);
    await migrate(pool, [part, postgresMigrations]);
    await migrate(pool, [part, postgresMigrations]);
    expect((await pool.query('SELECT * FROM thing')).rows).toEqual([{ name: 'a', size: 1 }]);
    expect((await pool.query('SELECT name FROM lease')).rows).toEqual([]);
  });

  it('keep the schemas of two services apart', async () => {
    await file('001-thing.sql', 'CREATE TABLE thing (name text)');
    const other = await database.pool(`service_${++schemas}`);
    await migrate(pool, [part]);
    await migrate(other, [part]);
    await pool.query(`INSERT INTO thing VALUES ('mine')`);
    expect((await other.query('SELECT * FROM thing')).rowCount).toBe(0);
  });

  it('run once although many instances start at the same moment', async () => {
    await file('001-count.sql', 'CREATE TABLE ran (n serial); INSERT INTO ran DEFAULT VALUES; SELECT pg_sleep(0.1)');
    const instances = await Promise.all(Array.from({ length: 6 }, () => database.pool(pool.schema)));
    await Promise.all(instances.map((instance) => migrate(instance, [part])));
    expect((await pool.query('SELECT * FROM ran')).rowCount).toBe(1);
  });

  it('leave nothing of a run that failed', async () => {
    await file('001-good.sql', 'CREATE TABLE good (n int)');
    await file('002-bad.sql', 'CREATE TABLE bad (n int); SELECT 1 / 0');
    await expect(migrate(pool, [part])).rejects.toThrow('division by zero');
    await file('002-bad.sql', 'CREATE TABLE bad (n int)');
    await migrate(pool, [part]);
    expect((await pool.query('SELECT * FROM good, bad')).rowCount).toBe(0);
  });

  it('refuse a file that was changed after it had been applied', async () => {
    await file('001-thing.sql', 'CREATE TABLE thing (name text)');
    await migrate(pool, [part]);
    await file('001-thing.sql', 'CREATE TABLE thing (name text, size int)');
    await expect(migrate(pool, [part])).rejects.toThrow('things/001-thing.sql was changed');
  });

  it('refuse a schema that a newer version has built', async () => {
    await file('001-thing.sql', 'CREATE TABLE thing (name text)');
    await file('002-more.sql', 'CREATE TABLE more (name text)');
    await migrate(pool, [part]);
    await rm(join(folder, '002-more.sql'));
    await expect(migrate(pool, [part])).rejects.toThrow('newer version');
  });

  it('refuse a gap in the numbers', async () => {
    await file('001-thing.sql', 'SELECT 1');
    await file('003-more.sql', 'SELECT 1');
    await expect(migrate(pool, [part])).rejects.toThrow('003-more.sql breaks the numbering');
  });
});
