import { randomBytes } from 'node:crypto';
import type { Client, Migrations, Pool } from '@sejam/postgres';
import type { MasterKey } from './master-key.js';
import { KEY_BYTES, open, seal } from './seal.js';
import type { SealedColumn } from './sealed-column.js';

/** The kept table of subjects' keys: part of the schema of the service that records reporters. */
export const privacyMigrations: Migrations = { part: 'privacy', folder: new URL('../migrations/', import.meta.url) };

/** The key of one person. Without it, what the record holds of that person is noise. */
export interface SubjectKey {
  readonly subjectId: string;
  readonly key: Buffer;
}

/** Where encrypted fields stand in the record; authenticated with each of them, so that none can be moved to another event. */
export interface FieldPlace {
  readonly stream: string;
  readonly eventId: string;
}

const purpose = (subjectId: string): string[] => ['subject-key', subjectId];

export const sealedSubjectKeys: SealedColumn = { table: 'subject_key', column: 'sealed_key', row: 'subject_id', purposeFrom: ['subject_id'], purpose: (subjectId = '') => purpose(subjectId) };

/**
 * The subject's key, made if there is none. Committed when this resolves: call it before the event is appended and outside a transaction,
 * or a crash could leave an event that nobody can ever read. Repeating it gives the same key.
 */
export async function createSubjectKey(pool: Pool, masterKey: MasterKey, subjectId: string): Promise<SubjectKey> {
  const sealed = masterKey.seal(randomBytes(KEY_BYTES), purpose(subjectId));
  const { rows } = await pool.query<{ sealed_key: string }>(
    // The update changes nothing; it makes the statement return the row that was there.
    `INSERT INTO subject_key AS kept (subject_id, sealed_key) VALUES ($1, $2)
     ON CONFLICT (subject_id) DO UPDATE SET sealed_key = kept.sealed_key RETURNING sealed_key`,
    [subjectId, sealed],
  );
  return { subjectId, key: masterKey.open((rows[0] as { sealed_key: string }).sealed_key, purpose(subjectId)) };
}

/** Undefined when the subject was forgotten, or never known. */
export async function readSubjectKey(client: Client, masterKey: MasterKey, subjectId: string): Promise<SubjectKey | undefined> {
  const { rows } = await client.query<{ sealed_key: string }>('SELECT sealed_key FROM subject_key WHERE subject_id = $1', [subjectId]);
  return rows[0] && { subjectId, key: masterKey.open(rows[0].sealed_key, purpose(subjectId)) };
}

/**
 * Deletes the keys; whatever the record holds of these subjects can then be read by nobody. Resolves with how many there were. Safe to
 * repeat, and to be repeated: after a restore of an older backup the keys are back.
 */
export async function forgetSubjects(client: Client, subjectIds: readonly string[]): Promise<number> {
  return (await client.query('DELETE FROM subject_key WHERE subject_id = ANY($1)', [subjectIds])).rowCount ?? 0;
}

/** Each field by itself; absent fields stay absent. The result may stand in the event's data. */
export function encryptFields<Name extends string>(subject: SubjectKey, place: FieldPlace, fields: Readonly<Partial<Record<Name, string>>>): Partial<Record<Name, string>> {
  return mapFields(fields, (value, name) => seal(subject.key, value, fieldContext(place, name)));
}

/** Throws SealBroken when a field does not belong to this subject, event and name. */
export function decryptFields<Name extends string>(subject: SubjectKey, place: FieldPlace, fields: Readonly<Partial<Record<Name, string>>>): Partial<Record<Name, string>> {
  return mapFields(fields, (value, name) => open(subject.key, value, fieldContext(place, name)).toString('utf8'));
}

function fieldContext({ stream, eventId }: FieldPlace, name: string): string[] {
  return [stream, eventId, name];
}

function mapFields<Name extends string>(fields: Readonly<Partial<Record<Name, string>>>, change: (value: string, name: Name) => string): Partial<Record<Name, string>> {
  const entries = (Object.entries(fields) as [Name, string | undefined][]).filter((entry): entry is [Name, string] => entry[1] !== undefined);
  return Object.fromEntries(entries.map(([name, value]) => [name, change(value, name)])) as Partial<Record<Name, string>>;
}
