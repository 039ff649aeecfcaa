import type { EventStore } from '@sejam/event-sourcing';
import { HistoryLost, type Pool } from '@sejam/postgres';
import { newestRevision } from './log-bus.js';

/**
 * What consumers of this schema have read of topics in the store must still be there, or they would leave out what comes in its place. Call at
 * start, before anything is consumed; throws HistoryLost.
 */
export async function refuseLostOffsets(pool: Pool, store: EventStore): Promise<void> {
  const { rows } = await pool.query<{ consumer_group: string; topic: string; next: number }>('SELECT consumer_group, topic, next FROM topic_offset ORDER BY consumer_group, topic');
  for (const { consumer_group: group, topic, next } of rows) {
    const newest = await newestRevision(store, topic);
    if (next > newest + 1) throw new HistoryLost(`PostgreSQL's schema ${pool.schema} has handled ${next} messages of ${topic} (consumer "${group}"), and the record holds ${newest + 1}`);
  }
}
