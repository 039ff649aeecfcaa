import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { postgresMigrations, type Pool } from '@sejam/postgres';
import { testDatabase, type TestDatabase } from '@sejam/testkit';
import { MasterKey } from './master-key.js';
import { countSealed, resealAll, type SealedCount } from './sealed-column.js';
import { createSubjectKey, decryptFields, encryptFields, forgetSubjects, privacyMigrations, readSubjectKey, sealedSubjectKeys } from './subject-key.js';

const [oldKey, newKey] = [randomBytes(32), randomBytes(32)];
const [before, both, after] = [new MasterKey([oldKey]), new MasterKey([newKey, oldKey]), new MasterKey([newKey], 'The master key file master.key')];
const place = { stream: 'report-1', eventId: '0192e5a0-0000-7000-8000-000000000001' };
const reporter = { name: 'Siti Aminah', contact: '+62 812 0000 0000' };

describe('What lies under an older master key', () => {
  let database: TestDatabase;
  let pool: Pool;
  let logged: unknown[][];
  const log = { info: (...line: unknown[]) => void logged.push(['info', ...line]), warn: () => undefined, error: (...line: unknown[]) => void logged.push(['error', ...line]) };
  const reseal = (masterKey: MasterKey) => resealAll({ pool, masterKey, columns: [sealedSubjectKeys], log });
  const counts = async () => Object.fromEntries((await countSealed(pool, [pool.schema])).map(({ id, values }) => [id, values]));
  const keep = (...ids: string[]) =>
    pool.query('INSERT INTO subject_key SELECT * FROM unnest($1::text[], $2::text[])', [ids, ids.map((id) => before.seal(randomBytes(32), ['subject-key', id]))]);

  beforeAll(async () => {
    database = await testDatabase();
    pool = await database.pool('intake', [privacyMigrations]);
  });
  afterAll(() => database.drop());
  beforeEach(async () => {
    logged = [];
    await pool.query('TRUNCATE subject_key');
    await keep(...Array.from({ length: 1_100 }, (_, n) => `s${String(n).padStart(4, '0')}`));
  });

  it('is sealed under the current one, opens as before, and what was forgotten stays so', async () => {
    const fields = encryptFields((await readSubjectKey(pool, before, 's0007'))!, place, reporter);
    await createSubjectKey(pool, both, 'new');
    await forgetSubjects(pool, ['s0008']);
    expect(await counts()).toEqual({ [before.currentId]: 1_099, [after.currentId]: 1 });
    expect(await reseal(both)).toBe(1_099);
    expect(logged).toEqual([['info', { resealed: 1_099, masterKeyId: after.currentId }, expect.any(String)]]);
    expect(await counts()).toEqual({ [after.currentId]: 1_100 });
    expect(decryptFields((await readSubjectKey(pool, after, 's0007'))!, place, fields)).toEqual(reporter);
    expect(await readSubjectKey(pool, after, 's0008')).toBeUndefined();
  });

  it('is looked for with one query when there is nothing of it', async () => {
    await reseal(both);
    logged = [];
    const asked: string[] = [];
    const listening: Pool = { ...pool, schema: pool.schema, query: (text, values) => (asked.push(text), pool.query(text, values)), checkout: () => Promise.reject(new Error('no transaction is needed')) };
    expect(await resealAll({ pool: listening, masterKey: after, columns: [sealedSubjectKeys], log })).toBe(0);
    expect(asked).toHaveLength(1);
    expect(logged).toEqual([]);
  });

  it('is no less for two that begin at once: each value is sealed anew once', async () => {
    const done = await Promise.all([reseal(both), reseal(both)]);
    expect(done[0] + done[1]).toBe(1_100);
    expect(await counts()).toEqual({ [after.currentId]: 1_100 });
  });

  it('is partly done when it is cut off, opens all the same, and is finished by the next', async () => {
    await pool.query(`CREATE FUNCTION pulled() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.subject_id = 's0700' THEN RAISE 'the plug was pulled'; END IF; RETURN NEW; END $$`);
    await pool.query('CREATE TRIGGER pulled BEFORE UPDATE ON subject_key FOR EACH ROW EXECUTE FUNCTION pulled()');
    await expect(reseal(both)).rejects.toThrow('the plug was pulled');
    expect(await counts()).toEqual({ [before.currentId]: 600, [after.currentId]: 500 });
    for (const id of ['s0000', 's0900']) expect(await readSubjectKey(pool, both, id)).toBeDefined();
    await pool.query('DROP FUNCTION pulled CASCADE');
    expect(await reseal(both)).toBe(600);
    expect(await counts()).toEqual({ [after.currentId]: 1_100 });
  });

  it('stays as it is where it does not open, and is told by its row', async () => {
    await pool.query(`INSERT INTO subject_key SELECT 'a thief', sealed_key FROM subject_key WHERE subject_id = 's0001'`);
    expect(await reseal(both)).toBe(1_100);
    expect(await counts()).toEqual({ [before.currentId]: 1, [after.currentId]: 1_100 });
    expect(logged[0]).toEqual(['error', expect.objectContaining({ table: 'subject_key', row: 'a thief', masterKeyId: before.currentId }), expect.any(String)]);
  });

  it('refuses a start without that key', async () => {
    await expect(reseal(after)).rejects.toThrow(`The master key file master.key does not hold master key ${before.currentId}`);
  });

  it('is counted in every schema of a service, but for those that a restore has set aside or not finished', async () => {
    for (const schema of ['sla', 'sla_replaced_20241127t050000z', 'sla_restoring']) {
      const other = await database.pool(schema, [postgresMigrations]);
      await other.query('CREATE TABLE secret (id text, sealed text)');
      await other.query(`INSERT INTO secret VALUES ('a', 'k1.x'), ('b', 'k1.y'), ('c', 'k2.z')`);
    }
    const sla: SealedCount[] = [{ schema: 'sla', table: 'secret', id: 'k1', values: 2 }, { schema: 'sla', table: 'secret', id: 'k2', values: 1 }];
    expect(await countSealed(pool)).toEqual(sla);
    expect((await countSealed(pool, ['sla_restoring'])).map(({ schema }) => schema)).toEqual(['sla_restoring', 'sla_restoring']);
    expect(await countSealed(pool, ['nobody'])).toEqual([]);
  });
});
