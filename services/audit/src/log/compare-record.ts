import type { EventStore, Position } from '@sejam/event-sourcing';
import { liesBeyond, type Pool } from '@sejam/postgres';
import { eventLeafHash, isLogged, loggedEvent, sameHash } from '@sejam/transparency-log';
import { LogHalted } from './log-faults.js';
import { readLeafHashes, readLeaves, readPlace } from './log-tables.js';

/**
 * Are the newest leaves still the newest part of the record? Throws LogHalted when the record was restored from an older copy, or was
 * changed near its end, while this service was down.
 */
export async function compareWithRecord(pool: Pool, store: EventStore, { newest = 1_000 } = {}): Promise<void> {
  const { size, after } = await readPlace(pool);
  const from = Math.max(0, size - newest);
  const places = await readLeaves(pool, { from, limit: size - from });
  const hashes = await readLeafHashes(pool, from, size - from);
  const first = places[0];
  if (first === undefined) return refusePlaceBeyond(store, after);
  let compared = 0;
  for await (const event of store.readAll({ from: first.position })) {
    if (!isLogged(event)) continue;
    const [place, hash] = [places[compared], hashes[compared]];
    if (place === undefined || hash === undefined) break;
    if (!sameHash(eventLeafHash(loggedEvent(event)), hash)) {
      throw new LogHalted(`Event ${place.index} of the log is ${place.stream} revision ${place.revision} (${place.eventId}); the record holds ${event.stream} revision ${event.revision} (${event.id}) there`);
    }
    compared += 1;
  }
  if (compared < places.length) {
    throw new LogHalted(`The log covers ${size} events, the record ends after ${from + compared}: it was cut back, or an older copy was put in its place`);
  }
  await refusePlaceBeyond(store, after);
}

/** Going on from there would leave out of the log what is recorded before it. */
async function refusePlaceBeyond(store: EventStore, after: Position | undefined): Promise<void> {
  if (after !== undefined && (await liesBeyond(store, after))) throw new LogHalted('The log has followed the record beyond its end: the record was cut back, or an older copy was put in its place');
}
