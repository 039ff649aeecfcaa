import type { Position, StoredEvent } from '@sejam/event-sourcing';
import type { Client } from './pool.js';
import { LeaseLost } from './lease.js';

/** A negative number when `a` lies before `b` in the record, 0 when they are the same place. */
export function comparePositions(a: Position, b: Position): number {
  const commits = BigInt(a.commit) - BigInt(b.commit);
  const order = commits !== 0n ? commits : BigInt(a.prepare) - BigInt(b.prepare);
  return order < 0n ? -1 : order > 0n ? 1 : 0;
}

interface Row {
  readonly commit: string | null;
  readonly prepare: string | null;
}

const position = (row: Row | undefined): Position | undefined =>
  row?.commit && row.prepare ? { commit: row.commit, prepare: row.prepare } : undefined;

/** Where the reader of this name has come to; undefined before its first save. */
export async function readCheckpoint(client: Client, name: string): Promise<Position | undefined> {
  const { rows } = await client.query<Row>('SELECT commit_position AS commit, prepare_position AS prepare FROM checkpoint WHERE name = $1', [name]);
  return position(rows[0]);
}

/**
 * Makes the checkpoint ours: from now on saves of an older epoch fail, and what an older holder has saved is returned. Waits for a
 * save of the older holder that is under way. Throws LeaseLost when a newer epoch owns it already.
 */
export async function adoptCheckpoint(client: Client, name: string, epoch: number): Promise<Position | undefined> {
  const { rows } = await client.query<Row>(
    `INSERT INTO checkpoint AS mine (name, epoch) VALUES ($1, $2)
     ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch WHERE mine.epoch <= excluded.epoch
     RETURNING commit_position AS commit, prepare_position AS prepare`,
    [name, epoch],
  );
  if (!rows[0]) throw new LeaseLost(name, epoch);
  return position(rows[0]);
}

/**
 * Moves an adopted checkpoint; throws LeaseLost, so that the transaction around it rolls back, when a newer epoch owns it. `last`: the newest
 * event of the reader's own streams among what it has passed, if there was one.
 */
export async function saveCheckpoint(client: Client, name: string, epoch: number, at: Position, last?: StoredEvent): Promise<void> {
  const { rowCount } = await client.query(
    `UPDATE checkpoint SET commit_position = $3, prepare_position = $4, stream = coalesce($5, stream), revision = coalesce($6, revision), event_id = coalesce($7, event_id)
     WHERE name = $1 AND epoch = $2`,
    [name, epoch, at.commit, at.prepare, last?.stream, last?.revision, last?.id],
  );
  if (rowCount !== 1) throw new LeaseLost(name, epoch);
}
