import type { Position, StoredEvent } from '@sejam/event-sourcing';
import type { Client } from '@sejam/postgres';
import { HASH_BYTES, type CompletedNode, type Hash, type NodeId, type ReadNodes } from '@sejam/transparency-log';

export interface LogPlace {
  readonly size: number;
  /** Of the event handled last, also of one that is no leaf. */
  readonly after?: Position;
}

export interface LeafPlace {
  readonly index: number;
  readonly eventId: string;
  readonly stream: string;
  readonly revision: number;
  readonly position: Position;
}

/** `lock` makes other writers wait until the transaction ends. */
export async function readPlace(client: Client, { lock = false } = {}): Promise<LogPlace> {
  const { rows } = await client.query<{ size: number; commit_position: string | null; prepare_position: string | null }>(
    `SELECT size, commit_position, prepare_position FROM log${lock ? ' FOR UPDATE' : ''}`,
  );
  const row = rows[0];
  if (row === undefined) throw new Error('The log has not been opened');
  return { size: row.size, ...(row.commit_position === null || row.prepare_position === null ? {} : { after: { commit: row.commit_position, prepare: row.prepare_position } }) };
}

/** False, and nothing is changed, when the log is no longer of the size `from`. */
export async function movePlace(client: Client, { from, to, after }: { from: number; to: number; after: Position }): Promise<boolean> {
  const { rowCount } = await client.query('UPDATE log SET size = $2, commit_position = $3, prepare_position = $4 WHERE size = $1', [from, to, after.commit, after.prepare]);
  return rowCount === 1;
}

/** A hash that is missing is an error: the nodes of a size are written together with it. */
export function nodeReader(client: Client): ReadNodes {
  return async (nodes: readonly NodeId[]) => {
    const { rows } = await client.query<{ hash: Buffer | null }>(
      `SELECT node.hash FROM unnest($1::smallint[], $2::bigint[]) WITH ORDINALITY AS wanted (level, node_index, place)
       LEFT JOIN node USING (level, node_index) ORDER BY wanted.place`,
      [nodes.map(({ level }) => level), nodes.map(({ index }) => index)],
    );
    return rows.map(({ hash }, at) => {
      if (hash === null) throw new Error(`Node ${nodes[at]?.level}/${nodes[at]?.index} of the log is missing`);
      return hash;
    });
  };
}

export async function readLeafHashes(client: Client, from: number, count: number): Promise<Hash[]> {
  const { rows } = await client.query<{ hash: Buffer }>('SELECT hash FROM node WHERE level = 0 AND node_index >= $1 AND node_index < $2 ORDER BY node_index', [from, from + count]);
  return rows.map(({ hash }) => hash);
}

export async function insertNodes(client: Client, nodes: readonly CompletedNode[]): Promise<void> {
  const hashes = Buffer.concat(nodes.map(({ hash }) => hash));
  // The hashes travel as one value: an array of thousands of byte strings would be written and read digit by digit.
  await client.query(
    `INSERT INTO node (level, node_index, hash)
     SELECT level, node_index, substring($3::bytea FROM (place::int - 1) * ${HASH_BYTES} + 1 FOR ${HASH_BYTES})
     FROM unnest($1::smallint[], $2::bigint[]) WITH ORDINALITY AS made (level, node_index, place)`,
    [nodes.map(({ level }) => level), nodes.map(({ index }) => index), hashes],
  );
}

export async function insertLeaves(client: Client, first: number, events: readonly StoredEvent[]): Promise<void> {
  await client.query(
    `INSERT INTO leaf (leaf_index, event_id, stream, revision, commit_position, prepare_position)
     SELECT $1::bigint + place - 1, event_id, stream, revision, commit_position, prepare_position
     FROM unnest($2::uuid[], $3::text[], $4::bigint[], $5::text[], $6::text[]) WITH ORDINALITY AS made (event_id, stream, revision, commit_position, prepare_position, place)`,
    [first, events.map(({ id }) => id), events.map(({ stream }) => stream), events.map(({ revision }) => revision), events.map(({ position }) => position.commit), events.map(({ position }) => position.prepare)],
  );
}

/** The last logged revision of each stream that has one. */
export async function readHeads(client: Client, streams: readonly string[]): Promise<Map<string, number>> {
  const { rows } = await client.query<{ stream: string; revision: number | null }>(
    `SELECT wanted.stream, (SELECT revision FROM leaf WHERE leaf.stream = wanted.stream ORDER BY revision DESC LIMIT 1) AS revision
     FROM unnest($1::text[]) AS wanted (stream)`,
    [streams],
  );
  return new Map(rows.flatMap(({ stream, revision }) => (revision === null ? [] : [[stream, revision] as const])));
}

interface LeafRow {
  leaf_index: number;
  event_id: string;
  stream: string;
  revision: number;
  commit_position: string;
  prepare_position: string;
}

const LEAF_COLUMNS = 'leaf_index, event_id, stream, revision, commit_position, prepare_position';

export async function readLeaves(client: Client, { from, limit, stream }: { from: number; limit: number; stream?: string }): Promise<LeafPlace[]> {
  const { rows } = stream === undefined
    ? await client.query<LeafRow>(`SELECT ${LEAF_COLUMNS} FROM leaf WHERE leaf_index >= $1 ORDER BY leaf_index LIMIT $2`, [from, limit])
    : await client.query<LeafRow>(`SELECT ${LEAF_COLUMNS} FROM leaf WHERE leaf_index >= $1 AND stream = $3 ORDER BY leaf_index LIMIT $2`, [from, limit, stream]);
  return rows.map(placeOf);
}

export async function findLeaf(client: Client, eventId: string): Promise<LeafPlace | undefined> {
  const { rows } = await client.query<LeafRow>(`SELECT ${LEAF_COLUMNS} FROM leaf WHERE event_id = $1 ORDER BY leaf_index LIMIT 1`, [eventId]);
  return rows[0] && placeOf(rows[0]);
}

function placeOf(row: LeafRow): LeafPlace {
  return { index: row.leaf_index, eventId: row.event_id, stream: row.stream, revision: row.revision, position: { commit: row.commit_position, prepare: row.prepare_position } };
}
