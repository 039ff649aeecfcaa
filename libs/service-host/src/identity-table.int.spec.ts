import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { tx, type Pool } from '@sejam/postgres';
import { eventually, testDatabase, type TestDatabase } from '@sejam/testkit';
import { identityMigrations, IdentityDirectory, IdentityTable, keepHeartbeat, keepIdentityEvent, newApiKey, type IdentityEvent } from './index.js';

const key = newApiKey('kpu-1');
const events: IdentityEvent[] = [
  { type: 'OrganisationRegistered', data: { organisation: 'kpu', kind: 'agency', name: 'KPU' } },
  { type: 'KeyIssued', data: { organisation: 'kpu', keyId: 'kpu-1', holder: 'officer:1', roles: ['reporter'], secretSha256: key.sha256 } },
  { type: 'KeyRevoked', data: { organisation: 'kpu', keyId: 'kpu-1' } },
];

describe('the identity table', () => {
  let database: TestDatabase;
  let pool: Pool;
  beforeAll(async () => {
    database = await testDatabase();
    pool = await database.pool('sla', [identityMigrations]);
  }, 60_000);
  afterAll(async () => database.drop());

  const keep = (revision: number) => tx(pool, (client) => keepIdentityEvent(client, { stream: 'organisation-kpu', revision, event: events[revision] as IdentityEvent }));

  it('keeps two instances level: each knows a key, a revocation and a heartbeat that only one of them was told of', async () => {
    const directories = [new IdentityDirectory(), new IdentityDirectory()];
    const tables = directories.map((directory) => new IdentityTable(pool, directory, { everyMs: 10 }));
    await keep(0);
    await keep(1);
    await keep(1);
    for (const table of tables) await table.start();
    expect(directories.map((directory) => directory.check(key.key).outcome)).toEqual(['good', 'good']);
    await expect(tables[0]?.assertFresh()).rejects.toThrow('no heartbeat');

    await keepHeartbeat(pool, new Date());
    await keepHeartbeat(pool, new Date(Date.now() - 3_600_000));
    await keep(2);
    await eventually(() => expect(directories.map((directory) => directory.check(key.key).outcome)).toEqual(['unknown', 'unknown']));
    await eventually(() => expect(directories.every((directory) => directory.fresh)).toBe(true));
    await Promise.all(tables.map((table) => table.stop()));
  });

  it('is read again from its beginning by an instance that starts later', async () => {
    const directory = new IdentityDirectory();
    await new IdentityTable(pool, directory).refresh();
    expect(directory.organisation('kpu')).toMatchObject({ kind: 'agency' });
    expect(directory.check(key.key).outcome).toBe('unknown');
  });

  it('is looked at more often until it is fresh, since nobody is let in before', async () => {
    const later = await database.pool('reporting', [identityMigrations]);
    const directory = new IdentityDirectory();
    const table = new IdentityTable(later, directory, { everyMs: 600_000 });
    await table.start();
    expect(directory.fresh).toBe(false);
    await keepHeartbeat(later, new Date());
    await eventually(() => expect(directory.fresh).toBe(true));
    await table.stop();
  });

  it('misses nothing of what writers commit in another order than they began', async () => {
    const directory = new IdentityDirectory();
    const table = new IdentityTable(pool, directory, { everyMs: 1 });
    await table.start();
    const register = (name: string) =>
      tx(pool, async (client) => {
        await keepIdentityEvent(client, { stream: `organisation-${name}`, revision: 0, event: { type: 'OrganisationRegistered', data: { organisation: name, kind: 'partner', name } } });
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 10));
      });
    const names = Array.from({ length: 30 }, (_, index) => `partner-${index}`);
    await Promise.all(names.map(register));
    await eventually(() => expect(directory.organisations().map(({ organisation }) => organisation)).toEqual(expect.arrayContaining(names)));
    await table.stop();
  });
});
