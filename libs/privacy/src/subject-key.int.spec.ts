import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Pool } from '@sejam/postgres';
import { testDatabase, type TestDatabase } from '@sejam/testkit';
import { MasterKey } from './master-key.js';
import { createSubjectKey, decryptFields, encryptFields, forgetSubjects, privacyMigrations, readSubjectKey } from './subject-key.js';

const masterKey = new MasterKey([randomBytes(32)]);
const place = { stream: 'report-1', eventId: '0192e5a0-0000-7000-8000-000000000001' };
const reporter = { name: 'Siti Aminah', contact: '+62 812 0000 0000' };

describe('a subject', () => {
  let database: TestDatabase;
  let pool: Pool;
  beforeAll(async () => {
    database = await testDatabase();
    pool = await database.pool('intake', [privacyMigrations]);
  });
  afterAll(() => database.drop());
  afterEach(() => pool.query('DELETE FROM subject_key'));

  it('has one key, however often and at once it is asked for', async () => {
    const keys = await Promise.all(Array.from({ length: 8 }, () => createSubjectKey(pool, masterKey, 's1')));
    expect(new Set(keys.map(({ key }) => key.toString('hex'))).size).toBe(1);
    expect(await readSubjectKey(pool, masterKey, 's1')).toEqual(keys[0]);
    expect((await createSubjectKey(pool, masterKey, 's2')).key).not.toEqual(keys[0]?.key);
  });

  it('has fields that open at their place alone', async () => {
    const subject = await createSubjectKey(pool, masterKey, 's1');
    const fields = encryptFields(subject, place, reporter);
    expect(JSON.stringify(fields)).not.toMatch(/Siti|812/);
    expect(decryptFields(subject, place, fields)).toEqual(reporter);
    expect(encryptFields(subject, place, { name: 'x' })).toEqual({ name: expect.any(String) });

    const broken = expect.objectContaining({ name: 'SealBroken' });
    expect(() => decryptFields(subject, { ...place, stream: 'report-2' }, fields)).toThrow(broken);
    expect(() => decryptFields(subject, { ...place, eventId: 'another' }, fields)).toThrow(broken);
    expect(() => decryptFields(subject, place, { name: fields.contact!, contact: fields.name! })).toThrow(broken);
    const other = await createSubjectKey(pool, masterKey, 's2');
    expect(() => decryptFields(other, place, fields)).toThrow(broken);
  });

  it('that is forgotten stays forgotten: a key made later does not open what was written before', async () => {
    const fields = encryptFields(await createSubjectKey(pool, masterKey, 's1'), place, reporter);
    expect(await forgetSubjects(pool, ['s1'])).toBe(1);
    expect(await forgetSubjects(pool, ['s1'])).toBe(0);
    expect(await readSubjectKey(pool, masterKey, 's1')).toBeUndefined();
    const later = await createSubjectKey(pool, masterKey, 's1');
    expect(() => decryptFields(later, place, fields)).toThrow(expect.objectContaining({ name: 'SealBroken' }));
  });

  it('has a key that does not open when its row is copied onto another subject', async () => {
    await createSubjectKey(pool, masterKey, 's1');
    await pool.query(`INSERT INTO subject_key SELECT 'thief', sealed_key FROM subject_key WHERE subject_id = 's1'`);
    await expect(readSubjectKey(pool, masterKey, 'thief')).rejects.toMatchObject({ name: 'SealBroken' });
  });
});
