import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { domainClock, openRecord, record, recordStreamId, transactor } from '@sejam/event-sourcing';
import { postgresMigrations, type Pool } from '@sejam/postgres';
import { addMasterKey, createMasterKeyFile, createSubjectKey, dropOldMasterKeys, loadMasterKey, privacyMigrations, resealAll, sealedSubjectKeys } from '@sejam/privacy';
import { createLogger, IdentityDirectory, newApiKey, type Credentials } from '@sejam/service-host';
import { testDatabase, testEventStore, type TestDatabase, type TestEventStore } from '@sejam/testkit';
import { run } from './keys-cli.js';
import type { OrganisationEvent } from './organisation/organisation.js';
import { seedOrganisations, seeds } from './organisation/seed-organisations.js';

let store: TestEventStore;
const home = mkdtempSync(join(tmpdir(), 'sejam-keys-'));
const file = join(home, 'credentials.json');
const opened = { recordId: 'rec-1', start: '2024-11-27T00:00:00.000Z', origin: '2024-11-27T00:00:00.000Z', speed: 1 };
let said = '';

beforeAll(async () => {
  store = await testEventStore();
  const transact = transactor(store.store, domainClock(opened, Date.now));
  await transact(record, recordStreamId, { causationId: 'first-start', correlationId: 'first-start', by: { organisation: 'sejam', holder: 'system:test' } }, (state) => openRecord(state, opened));
  const keys = Object.fromEntries(seeds.flatMap(({ holders }) => Object.keys(holders)).map((name) => [name, newApiKey(name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)).key]));
  const credentials: Credentials = { baseUrl: 'http://localhost:8080', recordId: opened.recordId, keys, webhookSecrets: {} };
  writeFileSync(file, JSON.stringify(credentials), { mode: 0o600 });
  await seedOrganisations(transact, credentials, new Date());
  writeFileSync(join(home, 'running.json'), JSON.stringify({ eventStoreUrl: store.url }));
  for (const stream of [process.stdout, process.stderr]) jest.spyOn(stream, 'write').mockImplementation((text) => ((said += String(text)), true));
});
afterAll(async () => {
  jest.restoreAllMocks();
  await store.stop();
  rmSync(home, { recursive: true, force: true });
});

async function sejamKeys(args: readonly string[], env: Record<string, string> = { SEJAM_HOME: home }): Promise<{ exitCode: number; said: string }> {
  said = '';
  return { exitCode: await run(args, env), said };
}

const keysInFile = (): Record<string, string> => (JSON.parse(readFileSync(file, 'utf8')) as Credentials).keys;

async function directory(): Promise<IdentityDirectory> {
  const identities = new IdentityDirectory();
  for await (const event of store.store.readAll({ prefixes: ['organisation-'] })) identities.apply(event as typeof event & OrganisationEvent);
  return identities;
}

describe('npx sejam-keys rotate', () => {
  it('issues a new key for each active one, ends the old ones, and puts the new ones into the file', async () => {
    const before = keysInFile();
    const { exitCode, said } = await sejamKeys(['rotate', 'bawaslu']);
    expect(exitCode).toBe(0);
    const after = keysInFile();
    expect(after['bawaslu']).toMatch(/^sjm_bawaslu-2_/);
    expect(after['bawasluReviewer']).toMatch(/^sjm_bawaslu-reviewer-2_/);
    expect({ ...after, bawaslu: '', bawasluReviewer: '' }).toEqual({ ...before, bawaslu: '', bawasluReviewer: '' });
    expect(said).toContain(after['bawaslu']);
    expect(statSync(file).mode & 0o777).toBe(0o600);

    const identities = await directory();
    expect(identities.check(before['bawaslu'] ?? '').outcome).not.toBe('valid');
    expect(identities.check(after['bawaslu'] ?? '')).toMatchObject({ key: { holder: 'officer:bawaslu-1', roles: ['reporter', 'reviewer', 'issuer'] } });
    expect(identities.check(after['bawasluReviewer'] ?? '')).toMatchObject({ key: { holder: 'officer:bawaslu-2', roles: ['reviewer', 'issuer'] } });
  });

  it('may be done again: the newest keys are those that work', async () => {
    const before = keysInFile();
    expect((await sejamKeys(['rotate', 'bawaslu'])).exitCode).toBe(0);
    const after = keysInFile();
    expect(after['bawaslu']).toMatch(/^sjm_bawaslu-3_/);
    const identities = await directory();
    expect(identities.check(before['bawaslu'] ?? '')).not.toHaveProperty('key');
    expect(identities.check(after['bawaslu'] ?? '')).toHaveProperty('key');
  });

  it('lets the old key work until the overlap is over', async () => {
    const before = keysInFile();
    expect((await sejamKeys(['rotate', 'auditor', '--overlap', '30'])).exitCode).toBe(0);
    const identities = await directory();
    expect(identities.check(before['auditor'] ?? '')).toHaveProperty('key');
    expect(identities.check(keysInFile()['auditor'] ?? '')).toHaveProperty('key');
  });

  it('prints the keys where there is no file, and makes none', async () => {
    const { exitCode, said } = await sejamKeys(['rotate', 'kpu'], { EVENTSTORE_URL: store.url, SEJAM_HOME: join(home, 'elsewhere') });
    expect(exitCode).toBe(0);
    expect(said).toMatch(/sjm_kpu-2_[\w-]{43}[^]*They are not kept anywhere: write them down now\./);
  });

  it.each<[string, readonly string[], Record<string, string>, number, RegExp]>([
    ['an organisation that is not there', ['rotate', 'nobody'], { SEJAM_HOME: home }, 1, /^There is no such organisation\.\n$/],
    ['a folder on which nothing runs', ['rotate', 'kpu'], { SEJAM_HOME: '/nonexistent' }, 1, /^No Sejam runs on \/nonexistent: start it by "npm start", or name the event store in EVENTSTORE_URL\.\n$/],
    ['an overlap of two days', ['rotate', 'kpu', '--overlap', '2880'], { SEJAM_HOME: home }, 2, /^The overlap is a whole number of minutes/],
    ['no organisation', ['rotate'], { SEJAM_HOME: home }, 2, /^sejam-keys: /],
  ])('says in a sentence what is wrong with %s', async (_, args, env, exitCode, sentence) => {
    expect(await sejamKeys(args, env)).toEqual({ exitCode, said: expect.stringMatching(sentence) });
  });
});

describe('npx sejam-keys master-key', () => {
  let database: TestDatabase;
  let pool: Pool;
  const keyFile = join(home, 'master.key');
  const env = () => ({ SEJAM_HOME: home, DATABASE_URL: database.url });
  const reseal = () => resealAll({ pool, masterKey: loadMasterKey(keyFile), columns: [sealedSubjectKeys], log: createLogger({ name: 'intake', level: 'silent' }) });
  const keysOfFile = () => readFileSync(keyFile, 'utf8').split('\n').filter((line) => line !== '' && !line.startsWith('#')).map((line) => line.split(' ')[1] as string);

  beforeAll(async () => {
    database = await testDatabase();
    pool = await database.pool('intake', [postgresMigrations, privacyMigrations]);
  });
  afterAll(() => database.drop());
  beforeEach(async () => {
    rmSync(keyFile, { force: true });
    await pool.query('TRUNCATE subject_key');
    const masterKey = createMasterKeyFile(keyFile);
    for (const id of ['s1', 's2']) await createSubjectKey(pool, masterKey, id);
  });

  it('shows the ids and how much lies under which, and never a key', async () => {
    const { currentId: old } = loadMasterKey(keyFile);
    const { currentId } = addMasterKey(keyFile);
    await createSubjectKey(pool, loadMasterKey(keyFile), 's3');
    const shown = await sejamKeys(['master-key'], env());
    expect(shown.exitCode).toBe(0);
    expect(shown.said).toMatch(new RegExp(`holds 2 keys:\n  ${currentId}  seals\n  ${old}  opens what was sealed before\n`));
    for (const [id, values] of [[currentId, 1], [old, 2]]) expect(shown.said).toMatch(new RegExp(`intake\\.subject_key +${id}  ${values}\n`));
    for (const key of keysOfFile()) expect(shown.said).not.toContain(key);
    dropOldMasterKeys(keyFile);
    expect((await sejamKeys(['master-key'], env())).said).toMatch(new RegExp(`${old}  2  the file does not hold this key: put it back from your backup\n`));
  });

  it('is added in front, and retired when nothing is kept under the old one any more', async () => {
    const { currentId: old } = loadMasterKey(keyFile);
    const added = await sejamKeys(['master-key', 'add'], { SEJAM_HOME: home });
    const { currentId, ids } = loadMasterKey(keyFile);
    expect(ids).toEqual([currentId, old]);
    expect(added).toEqual({ exitCode: 0, said: expect.stringContaining(`Master key ${currentId} stands in front in ${keyFile}`) });

    expect(await sejamKeys(['master-key', 'retire'], env())).toEqual({ exitCode: 1, said: `No key is retired: intake.subject_key holds 2 under ${old}; restart intake: a service seals anew at its start.\n` });
    expect(loadMasterKey(keyFile).ids).toEqual(ids);
    expect(await reseal()).toBe(2);

    const retired = await sejamKeys(['master-key', 'retire'], env());
    expect(retired).toEqual({ exitCode: 0, said: expect.stringMatching(new RegExp(`^Master key ${old} is retired[^]*Backups made before everything was sealed anew need it still`)) });
    expect(loadMasterKey(keyFile).ids).toEqual([currentId]);
    expect(await sejamKeys(['master-key', 'retire'], env())).toEqual({ exitCode: 0, said: `${keyFile} holds one key alone, ${currentId}: there is none to retire.\n` });
    for (const key of keysOfFile()) expect(added.said + retired.said).not.toContain(key);
  });

  it('is not retired by the word of a database in which nothing is sealed', async () => {
    addMasterKey(keyFile);
    await pool.query('TRUNCATE subject_key');
    expect(await sejamKeys(['master-key', 'retire'], env())).toEqual({ exitCode: 1, said: 'The database holds nothing that is sealed: name the one of this installation in DATABASE_URL.\n' });
    expect(loadMasterKey(keyFile).ids).toHaveLength(2);
  });

  it.each<[string, readonly string[], Record<string, string>, number, RegExp]>([
    ['a folder without installation', ['add'], { SEJAM_HOME: '/nonexistent' }, 1, /^There is no master key file \/nonexistent\/master.key: name it in SEJAM_MASTER_KEY_FILE, or the data folder in SEJAM_HOME\.\n$/],
    ['a master key file that is lost', ['add'], { SEJAM_MASTER_KEY_FILE: '/nonexistent/key' }, 1, /^The master key file \/nonexistent\/key is missing: put it back/],
    ['no database', [], { SEJAM_HOME: home }, 1, /^No Sejam runs on .*: start it by "npm start", or name the database in DATABASE_URL\.\n$/],
    ['a database that is away', [], { SEJAM_HOME: home, DATABASE_URL: 'postgres://a:b@127.0.0.1:9/c' }, 1, /^The database cannot be reached now\.\n$/],
    ['another word', ['drop'], { SEJAM_HOME: home }, 2, /^sejam-keys: /],
  ])('says in a sentence what is wrong with %s', async (_, args, environment, exitCode, sentence) => {
    expect(await sejamKeys(['master-key', ...args], environment)).toEqual({ exitCode, said: expect.stringMatching(sentence) });
  });
});
