import type { EventStore, Subscription } from '@sejam/event-sourcing';
import type { Alarms } from './alarms.js';

/** What the store is told when old events are to vanish; a record needs none of it. */
const FORGETTING = ['$maxCount', '$maxAge', '$tb'] as const;

/**
 * Reads the store's own streams from the beginning, at every start, and raises an alarm for whatever lets events of the record vanish: a limit
 * in a stream's metadata, a deleted stream, a scavenge. Copies of the bus may be limited, the record never.
 */
export function watchDeletions(store: EventStore, alarms: Alarms): Subscription {
  return store.subscribe({
    name: 'deletions', prefixes: ['$$', '$scavenges'],
    async handle(events) {
      for (const { stream, type, data, revision } of events) {
        if (stream.startsWith('$scavenges')) {
          await alarms.raise('record-deletion', `${stream}@${revision}`, `The store was scavenged (${type}): events that were marked as deleted are gone from its files`);
        } else if (type === '$metadata' && !stream.startsWith('$$$') && !stream.startsWith('$$topic-')) {
          const limits = FORGETTING.filter((limit) => limit in data);
          if (limits.length > 0) await alarms.raise('record-deletion', `${stream}@${revision}`, `Stream ${stream.slice(2)} was told to forget events: ${limits.map((limit) => `${limit} ${String((data as Record<string, unknown>)[limit])}`).join(', ')}`);
        }
      }
    },
  });
}
