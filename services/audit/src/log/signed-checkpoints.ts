import type { Client } from '@sejam/postgres';
import { appendSignatures, parseSignatureLine } from '@sejam/transparency-log';

export interface SignedCheckpoint {
  readonly size: number;
  /** With the cosignatures that have come in, when it was read for publishing. */
  readonly note: string;
}

export async function newestCheckpoint(client: Client): Promise<SignedCheckpoint | undefined> {
  const { rows } = await client.query<SignedCheckpoint>('SELECT size, note FROM signed_checkpoint ORDER BY size DESC LIMIT 1');
  return rows[0];
}

/** Those over more than `above` and at most `upTo` leaves, the smallest first. */
export async function checkpointsBetween(client: Client, above: number, upTo: number): Promise<SignedCheckpoint[]> {
  const { rows } = await client.query<SignedCheckpoint>('SELECT size, note FROM signed_checkpoint WHERE size > $1 AND size <= $2 ORDER BY size', [above, upTo]);
  return rows;
}

export async function keepCheckpoint(client: Client, { size, note }: SignedCheckpoint): Promise<void> {
  await client.query('INSERT INTO signed_checkpoint (size, note) VALUES ($1, $2)', [size, note]);
}

export async function keepCosignature(client: Client, { size, vkey, line }: { size: number; vkey: string; line: string }): Promise<void> {
  await client.query('INSERT INTO cosignature (size, vkey, line) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING', [size, vkey, line]);
  await client.query('INSERT INTO witness (vkey, size) VALUES ($1, $2) ON CONFLICT (vkey) DO UPDATE SET size = greatest(witness.size, excluded.size)', [vkey, size]);
}

/** The newest one, or the newest of those that a witness has cosigned; each with all its cosignatures. */
export async function publishedCheckpoint(client: Client, { cosigned }: { cosigned: boolean }): Promise<SignedCheckpoint | undefined> {
  const { rows } = await client.query<SignedCheckpoint>(
    cosigned
      ? 'SELECT size, note FROM signed_checkpoint WHERE size = (SELECT max(size) FROM cosignature)'
      : 'SELECT size, note FROM signed_checkpoint ORDER BY size DESC LIMIT 1',
  );
  const newest = rows[0];
  return newest && { size: newest.size, note: await withCosignatures(client, newest) };
}

/** At most `limit` of all that were signed, evenly spread, the newest among them. */
export async function sampleCheckpoints(client: Client, limit: number): Promise<SignedCheckpoint[]> {
  const { rows } = await client.query<SignedCheckpoint>(
    `SELECT size, note FROM (SELECT size, note, row_number() OVER (ORDER BY size DESC) AS place, count(*) OVER () AS total FROM signed_checkpoint) AS numbered
     WHERE (place - 1) % greatest(1, ceil(total::numeric / $1)::bigint) = 0 ORDER BY size`,
    [limit],
  );
  return rows;
}

async function withCosignatures(client: Client, { size, note }: SignedCheckpoint): Promise<string> {
  const { rows } = await client.query<{ line: string }>('SELECT line FROM cosignature WHERE size = $1 ORDER BY vkey', [size]);
  return rows.length === 0 ? note : appendSignatures(note, rows.map(({ line }) => parseSignatureLine(line)));
}
