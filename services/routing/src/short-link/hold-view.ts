import type { StoredEvent } from '@sejam/event-sourcing';
import type { Client, Migrations } from '@sejam/postgres';
import { takedown, type TakedownEvent } from '../takedown/takedown.js';

export const shortLinkMigrations: Migrations = { part: 'short-link', folder: new URL('../../migrations/short-link/', import.meta.url) };

/** Which takedowns stand under a short link that nobody has followed to its end. */
export async function applyHolds(client: Client, events: readonly StoredEvent[]): Promise<void> {
  for (const event of events) {
    if (!isKnown(event)) continue;
    const { type, data } = event;
    const takedownId = event.stream.slice(`${takedown.category}-`.length);
    if (type === 'TakedownOpened' && data.provisional) {
      await client.query('INSERT INTO short_link_hold (takedown_id, url, product, opened_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING', [
        takedownId, data.canonicalUrl, data.product, event.metadata.at,
      ]);
    }
    if (type === 'OrderIssued') await client.query('UPDATE short_link_hold SET released = true, ended = ended OR $2 WHERE takedown_id = $1', [takedownId, data.shortLink === 'unresolvable']);
    if (type === 'ContentIdentified') await client.query('UPDATE short_link_hold SET ended = true WHERE takedown_id = $1', [takedownId]);
  }
}

function isKnown(event: StoredEvent): event is StoredEvent<TakedownEvent> {
  return takedown.eventTypes.includes(event.type as TakedownEvent['type']);
}
