import { DomainError, type StoredEvent } from '@sejam/event-sourcing';
import type { Pool } from '@sejam/postgres';
import { formatEventLine, isLogged, loggedEvent, type Hash } from '@sejam/transparency-log';
import type { AuditPorts } from '../audit-ports.js';
import { readLeafHashes, readLeaves, type LeafPlace } from '../log/log-tables.js';

const PAGE = 1_000;

/**
 * The lines of logged events from an index on, each with its newline: what the record holds now, beside the leaf that the log holds. That the
 * two belong together is for the reader to verify, and not for us to hide. Throws DomainError `audit.record-differs` when the record holds
 * another event where the log has this one.
 */
export async function* readEventLines({ pool, store }: Pick<AuditPorts, 'pool' | 'store'>, { from, limit, stream }: { from: number; limit: number; stream?: string }): AsyncGenerator<{ index: number; line: string }> {
  for (let [next, left] = [from, limit]; left > 0; ) {
    const places = await readLeaves(pool, { from: next, limit: Math.min(PAGE, left), ...(stream === undefined ? {} : { stream }) });
    const [first, last] = [places[0], places.at(-1)];
    if (first === undefined || last === undefined) return;
    const hashes = stream === undefined ? await readLeafHashes(pool, first.index, places.length) : await hashesOf(pool, places);
    const events = stream === undefined ? store.readAll({ from: first.position }) : store.read(stream, { from: first.revision, limit: places.length });
    yield* linesOf(places, hashes, events);
    left -= places.length;
    next = last.index + 1;
  }
}

async function* linesOf(places: readonly LeafPlace[], hashes: readonly Hash[], events: AsyncIterable<StoredEvent>): AsyncGenerator<{ index: number; line: string }> {
  let at = 0;
  for await (const event of events) {
    if (!isLogged(event)) continue;
    const [place, hash] = [places[at], hashes[at]];
    if (place === undefined || hash === undefined) return;
    if (place.eventId !== event.id) break;
    at += 1;
    yield { index: place.index, line: `${formatEventLine(place.index, hash, loggedEvent(event))}\n` };
    if (at === places.length) return;
  }
  const missing = places[at];
  throw new DomainError('audit.record-differs', 'unavailable', `The record no longer holds event ${missing?.eventId} (${missing?.stream} revision ${missing?.revision}), which is number ${missing?.index} of the log`);
}

async function hashesOf(pool: Pool, places: readonly LeafPlace[]): Promise<Hash[]> {
  const { rows } = await pool.query<{ hash: Buffer }>('SELECT hash FROM node WHERE level = 0 AND node_index = ANY($1::bigint[]) ORDER BY node_index', [places.map(({ index }) => index)]);
  return rows.map(({ hash }) => hash);
}
