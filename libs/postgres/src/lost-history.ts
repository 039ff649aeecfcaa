import type { EventStore, Position, StoredEvent } from '@sejam/event-sourcing';
import { comparePositions } from './checkpoint.js';
import type { Client } from './pool.js';

/** The tables follow from events that the record does not hold. One sentence for the operator, who alone can say which of the two is right. */
export class HistoryLost extends Error {
  override readonly name = 'HistoryLost';
  constructor(what: string) {
    super(`${what}: the record was put back from an older copy, or belongs to another history. Put back PostgreSQL as well, as docs/operations.md says under "Backup and restore"`);
  }
}

/**
 * Every checkpoint of the schema must lie within the record, and stand behind the very event that it stood behind when it was saved. A reader
 * that went on from elsewhere would leave out whatever is recorded between. Call at start, before anything reads on; throws HistoryLost.
 */
export async function refuseLostHistory(client: Client, store: EventStore, schema: string): Promise<void> {
  const { rows } = await client.query<{ name: string; commit: string; prepare: string; stream: string | null; revision: number; event_id: string }>(
    `SELECT name, commit_position AS commit, prepare_position AS prepare, stream, revision, event_id FROM checkpoint
     WHERE commit_position IS NOT NULL AND prepare_position IS NOT NULL ORDER BY name`,
  );
  for (const { name, commit, prepare, stream, revision, event_id: eventId } of rows) {
    const whose = `PostgreSQL's schema ${schema} has followed the record ("${name}")`;
    if (await liesBeyond(store, { commit, prepare })) throw new HistoryLost(`${whose} beyond its end`);
    if (stream === null) continue;
    const found = await first(store.read(stream, { from: revision, limit: 1 }));
    if (found?.id !== eventId) throw new HistoryLost(`${whose} to event ${eventId}, ${stream} revision ${revision}, which it does not hold`);
  }
}

/** Does the record end before this place? */
export async function liesBeyond(store: EventStore, position: Position): Promise<boolean> {
  const isBehind = (newest: StoredEvent | undefined): boolean => newest === undefined || comparePositions(newest.position, position) < 0;
  // A checkpoint of a filtered subscription may stand at an event of the store's own, which is searched for only when nothing newer is there.
  return isBehind(await first(store.readAll({ direction: 'backwards', limit: 1 }))) && isBehind(await first(store.readAll({ direction: 'backwards', limit: 1, prefixes: ['$'] })));
}

async function first(events: AsyncIterable<StoredEvent>): Promise<StoredEvent | undefined> {
  for await (const event of events) return event;
  return undefined;
}
