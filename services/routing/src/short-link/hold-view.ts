import type { StoredEvent } from '@sejam/event-sourcing';
import type { Client, Migrations } from '@sejam/postgres';
import { takedown, type TakedownEvent } from '../takedown/takedown.js';

export const shortLinkMigrations: Migrations = { part: 'short-link', folder: new URL('../../migrations/short-link/', import.meta.url) };

/** Which takedowns stand under a short link that nobody has followed to its end. */
export async function applyHolds(client: Client, events: readonly StoredEvent[]): Promise<void> {
  const changes = new Map<string, { released: boolean; ended: boolean }>();
  const change = (takedownId: string, to: { released?: boolean; ended?: boolean }): void => {
    const { released, ended } = changes.get(takedownId) ?? { released: false, ended: false };
    changes.set(takedownId, { released: released || to.released === true, ended: ended || to.ended === true });
  };
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
    if (type === 'OrderIssued') change(takedownId, { released: true, ended: data.shortLink === 'unresolvable' });
    if (type === 'ContentIdentified') change(takedownId, { ended: true });
  }
  if (changes.size === 0) return;
  const ids = [...changes.keys()];
  const to = [...changes.values()];
  await client.query(
    `UPDATE short_link_hold AS h SET released = h.released OR r.released, ended = h.ended OR r.ended
     FROM unnest($1::uuid[], $2::boolean[], $3::boolean[]) AS r (takedown_id, released, ended) WHERE h.takedown_id = ANY($1) AND h.takedown_id = r.takedown_id`,
    [ids, to.map(({ released }) => released), to.map(({ ended }) => ended)],
  );
}

/** A takedown under a short link begins: its order is held. */
export function opensHold(event: StoredEvent): event is StoredEvent<Extract<TakedownEvent, { type: 'TakedownOpened' }>> {
  return isKnown(event) && event.type === 'TakedownOpened' && event.data.provisional;
}

function isKnown(event: StoredEvent): event is StoredEvent<TakedownEvent> {
  return takedown.eventTypes.includes(event.type as TakedownEvent['type']);
}
