import type { StoredEvent } from '@sejam/event-sourcing';
import type { Client, Migrations } from '@sejam/postgres';
import { takedown, type TakedownEvent } from '../takedown/takedown.js';

export const shortLinkMigrations: Migrations = { part: 'short-link', folder: new URL('../../migrations/short-link/', import.meta.url) };

/** Which takedowns stand under a short link that nobody has followed to its end. */
export async function applyHolds(client: Client, events: readonly StoredEvent[]): Promise<void> {
  const released = new Set<string>();
  const ended = new Set<string>();
  for (const event of events) {
    if (!isKnown(event)) continue;
    const takedownId = event.stream.slice(`${takedown.category}-`.length);
    if (opensHold(event)) {
      const { data } = event;
      await client.query('INSERT INTO short_link_hold (takedown_id, url, product, opened_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING', [
        takedownId, data.canonicalUrl, data.product, event.metadata.at,
      ]);
    }
    const { type, data } = event;
    if (type === 'OrderIssued') released.add(takedownId);
    if (type === 'ContentIdentified' || (type === 'OrderIssued' && data.shortLink === 'unresolvable')) ended.add(takedownId);
  }
  if (released.size + ended.size === 0) return;
  await client.query(
    `UPDATE short_link_hold SET released = released OR takedown_id = ANY($1::uuid[]), ended = ended OR takedown_id = ANY($2::uuid[])
     WHERE takedown_id = ANY($3::uuid[])`,
    [[...released], [...ended], [...released, ...ended]],
  );
}

/** A takedown under a short link begins: its order is held. */
export function opensHold(event: StoredEvent): event is StoredEvent<Extract<TakedownEvent, { type: 'TakedownOpened' }>> {
  return isKnown(event) && event.type === 'TakedownOpened' && event.data.provisional;
}

function isKnown(event: StoredEvent): event is StoredEvent<TakedownEvent> {
  return takedown.eventTypes.includes(event.type as TakedownEvent['type']);
}
