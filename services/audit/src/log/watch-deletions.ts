import type { EventStore, StoredEvent, Subscription } from '@sejam/event-sourcing';
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
    handle: (events) => raiseDeletions(events, alarms),
  });
}

/** A stream that was deleted for good says so at its own end, which whoever integrates the record sees. */
export async function raiseDeletions(events: readonly StoredEvent[], alarms: Alarms): Promise<void> {
  for (const event of events) {
    const detail = deletionTold(event);
    if (detail !== undefined) await alarms.raise('record-deletion', `${event.stream}@${event.revision}`, detail);
  }
}

function deletionTold({ stream, type, data }: StoredEvent): string | undefined {
  if (type === '$streamDeleted' && !stream.startsWith('$') && !stream.startsWith('topic-')) return `Stream ${stream} was deleted for good: its events are gone from reads, and with the next scavenge from the files`;
  if (stream.startsWith('$scavenges')) return `The store was scavenged (${type}): events that were marked as deleted are gone from its files`;
  if (type !== '$metadata' || stream.startsWith('$$$') || stream.startsWith('$$topic-')) return undefined;
  const limits = FORGETTING.filter((limit) => limit in data);
  if (limits.length === 0) return undefined;
  return `Stream ${stream.slice(2)} was told to forget events: ${limits.map((limit) => `${limit} ${String((data as Record<string, unknown>)[limit])}`).join(', ')}`;
}
