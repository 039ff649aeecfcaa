import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createPool, startEmbeddedPostgres, type EmbeddedPostgres } from './index.js';

describe('The embedded PostgreSQL', () => {
  let home: string;
  const servers: EmbeddedPostgres[] = [];
  const start = async (further: { port?: number; folder?: string } = {}): Promise<EmbeddedPostgres> => {
    const server = await startEmbeddedPostgres({ dataFolder: join(home, further.folder ?? 'postgres'), settings: { fsync: 'off' }, ...(further.port === undefined ? {} : { port: further.port }) });
    servers.push(server);
    return server;
  };
  const ask = async (server: EmbeddedPostgres, sql: string): Promise<Record<string, unknown>[]> => {
    const pool = createPool({ url: server.url, schema: 'public' });
    try {
      return (await pool.query(sql)).rows;
    } finally {
      await pool.end();
    }
  };
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'sejam-postgres-'));
  });
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.stop()));
    await rm(home, { recursive: true, force: true });
  });

  it('keeps what was committed over a stop, and over kill -9', async () => {
    const first = await start();
    await ask(first, 'CREATE TABLE thing AS SELECT 1 AS n');
    await first.stop();
    const second = await start();
    await ask(second, 'INSERT INTO thing VALUES (2)');
    process.kill(second.pid, 'SIGKILL');
    expect(await second.ended).toEqual({ code: null, signal: 'SIGKILL' });
    const third = await start();
    expect(await ask(third, 'SELECT n FROM thing ORDER BY n')).toEqual([{ n: 1 }, { n: 2 }]);
  });

  it('ends a server that a crash has left behind on its folder', async () => {
    const left = await start();
    const next = await start();
    expect(await left.ended).toEqual({ code: 0, signal: null });
    expect(next.pid).not.toBe(left.pid);
    expect(await ask(next, 'SELECT 1 AS n')).toEqual([{ n: 1 }]);
  });

  it('speaks UTF-8 and UTC, whatever the language of the machine', async () => {
    const server = await start();
    expect(await ask(server, `SELECT upper('äß') AS upper, current_setting('timezone') AS zone, current_setting('server_encoding') AS encoding`)).toEqual([
      { upper: 'Äß', zone: 'UTC', encoding: 'UTF8' },
    ]);
  });

  it('lets nobody in without its password, which only the owner can read', async () => {
    const server = await start();
    const url = new URL(server.url);
    url.password = 'guess';
    const stranger = createPool({ url: url.href, schema: 'public' });
    await expect(stranger.query('SELECT 1')).rejects.toMatchObject({ code: '28P01' });
    await stranger.end();
    expect((await stat(join(home, 'postgres.password'))).mode & 0o077).toBe(0);
  });

  it('says in one sentence that its port is taken', async () => {
    const other = createServer();
    await new Promise<void>((done) => other.listen(0, '127.0.0.1', done));
    const { port } = other.address() as AddressInfo;
    await expect(start({ port })).rejects.toThrow(new RegExp(`^PostgreSQL cannot have port ${port}: .*address already in use[^\n]*$`));
    other.close();
  });

  it('says in one sentence that its data are of another version, and leaves them alone', async () => {
    await (await start()).stop();
    const version = join(home, 'postgres', 'PG_VERSION');
    await writeFile(version, '9\n');
    await expect(start()).rejects.toThrow(/^PostgreSQL did not start: [^\n]*version 9[^\n]*$/);
    expect(await readFile(version, 'utf8')).toBe('9\n');
  });

  it('says in one sentence that password and data do not belong together', async () => {
    await (await start()).stop();
    await writeFile(join(home, 'postgres.password'), 'another\n');
    await expect(start()).rejects.toThrow(/^PostgreSQL refuses the password in .*postgres\.password/);
  });

  it('begins anew after a first start that was cut off in the middle', async () => {
    await mkdir(join(home, 'postgres.new', 'base'), { recursive: true });
    await mkdir(join(home, 'postgres'));
    expect(await ask(await start(), 'SELECT 1 AS n')).toEqual([{ n: 1 }]);
  });

  it('starts below a folder that is closed to others, as root and as anybody', async () => {
    await mkdir(join(home, 'closed', 'data'), { recursive: true });
    await chmod(join(home, 'closed'), 0o700);
    const first = await start({ folder: 'closed/data/postgres' });
    await ask(first, 'CREATE TABLE thing (n int)');
    await first.stop();
    const second = await start({ folder: 'closed/data/postgres' });
    expect(await ask(second, 'SELECT n FROM thing')).toEqual([]);
    expect(second.dataFolder).toBe(first.dataFolder);
    await second.stop();
    if (second.dataFolder !== join(home, 'closed/data/postgres')) await rm(second.dataFolder, { recursive: true });
  });
});
