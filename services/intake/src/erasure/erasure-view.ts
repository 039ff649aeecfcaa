import type { DomainEvent, EventStore, RecordedEvent } from '@sejam/event-sourcing';
import { readCheckpoint, type Client, type Pool } from '@sejam/postgres';
import { forgetSubjects } from '@sejam/privacy';
import { evolveErasures, type Erasure, type ErasureEvent, type ErasureSubject } from './erasure.js';
import { isErasureEvent } from './publish-erasure.js';

/** What a subject's key, or an officer's name, is kept under. */
const keptUnder = (subject: ErasureSubject): string => (subject.kind === 'reporter' ? subject.subjectId : subject.holder);

/** Rows of erasures, and the deletion that a confirmed one asks for. Other events are passed over; all may be repeated, in their order. */
export async function applyErasures(client: Client, events: readonly RecordedEvent[]): Promise<void> {
  const known = events.filter(isErasureEvent) as RecordedEvent<ErasureEvent>[];
  if (known.length === 0) return;
  const ids = [...new Set(known.map(({ data }) => data.erasureId))];
  const { rows } = await client.query<{ erasure: Erasure }>('SELECT erasure FROM erasure WHERE id = ANY($1) FOR UPDATE', [ids]);
  let erasures: readonly Erasure[] = rows.map(({ erasure }) => erasure);
  for (const event of known) {
    const again = event.type === 'ErasureRequested' && erasures.some(({ erasureId }) => erasureId === event.data.erasureId);
    if (!again) erasures = evolveErasures({ status: 'followed', erasures }, event);
  }
  await client.query(
    `INSERT INTO erasure (id, subject, state, requested_at, erasure)
     SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::jsonb[])
     ON CONFLICT (id) DO UPDATE SET state = excluded.state, erasure = excluded.erasure WHERE erasure.state = 'requested'`,
    [
      erasures.map(({ erasureId }) => erasureId),
      erasures.map(({ subject }) => keptUnder(subject)),
      erasures.map(({ state }) => state),
      erasures.map(({ requestedAt }) => requestedAt),
      erasures.map((erasure) => JSON.stringify(erasure)),
    ],
  );
  await forget(client, erasedIn(known));
}

/** Deletes what the data can be read with: a reporter's key, an officer's name. Resolves with how many there were. */
export async function forget(client: Client, subjects: readonly ErasureSubject[]): Promise<number> {
  if (subjects.length === 0) return 0;
  const kept = subjects.map(keptUnder);
  const keys = await forgetSubjects(client, kept);
  const names = await client.query('DELETE FROM officer WHERE holder = ANY($1)', [kept]);
  return keys + (names.rowCount ?? 0);
}

/** Nothing is left here that the subject's data could be read with. */
export async function isForgotten(client: Client, subject: ErasureSubject): Promise<boolean> {
  const { rows } = await client.query<{ forgotten: boolean }>(`SELECT ${forgotten('$1')} AS forgotten`, [keptUnder(subject)]);
  return rows[0]?.forgotten === true;
}

export const forgotten = (subject: string): string =>
  `NOT EXISTS (SELECT FROM subject_key WHERE subject_id = ${subject}) AND NOT EXISTS (SELECT FROM officer WHERE holder = ${subject})`;

/** Which projection has taken these streams into rows, and how far. */
const followed = [
  { projection: 'reports', prefix: 'report-' },
  { projection: 'organisations', prefix: 'organisation-' },
];

/**
 * Before anything is answered: deletes the keys and names of all who were erased and whose key is there all the same, because a process
 * died between event and deletion, or because an older copy of the kept tables was restored. What the rows do not hold yet is read from
 * the record itself, so it works on emptied rows too. Resolves with how many were there.
 */
export async function forgetErased({ store, pool }: { store: EventStore; pool: Pool }): Promise<number> {
  const { rows } = await pool.query<{ kept: boolean }>('SELECT EXISTS (SELECT FROM subject_key) OR EXISTS (SELECT FROM officer) AS kept');
  if (rows[0]?.kept !== true) return 0;
  const byRows = await pool.query<{ subject: string }>(
    `WITH keys AS (DELETE FROM subject_key WHERE subject_id IN (SELECT subject FROM erasure WHERE state = 'confirmed') RETURNING subject_id),
          names AS (DELETE FROM officer WHERE holder IN (SELECT subject FROM erasure WHERE state = 'confirmed') RETURNING holder)
     SELECT subject_id AS subject FROM keys UNION ALL SELECT holder FROM names`,
  );
  let deleted = byRows.rowCount ?? 0;
  for (const { projection, prefix } of followed) {
    const from = await readCheckpoint(pool, projection);
    const erased: ErasureSubject[] = [];
    for await (const event of store.readAll({ prefixes: [prefix], ...(from === undefined ? {} : { from }) })) erased.push(...erasedIn([event]));
    deleted += await forget(pool, erased);
  }
  return deleted;
}

function erasedIn(events: readonly DomainEvent[]): ErasureSubject[] {
  return events.flatMap((event) => (isErasureEvent(event) && event.type === 'SubjectErased' ? [event.data.subject] : []));
}
