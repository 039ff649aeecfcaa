import type { EventStore, StoredEvent } from '@sejam/event-sourcing';
import { runProjection, type Log, type Pool, type Projection } from '@sejam/postgres';
import type { Takedowns } from './act-on-takedown.js';
import { readTakedown } from './get-takedowns.js';
import { takedown } from './takedown.js';

/**
 * Brings the reports of merged takedowns to where these went, driven by routing's own part of the record: a crash between the merge and
 * the joining is made up for. Each join is recorded once, whoever comes first.
 */
export function driveMerges({ pool, store, takedowns, log }: { pool: Pool; store: EventStore; takedowns: Takedowns; log?: Log }): Projection {
  return runProjection({
    pool,
    store,
    name: 'merges',
    prefixes: [`${takedown.category}-`],
    gatherMs: 100,
    ...(log === undefined ? {} : { log }),
    async apply(_, events) {
      for (const event of events) if (isMerge(event)) await takedowns.joinTarget((await readTakedown(store, idOf(event))).state);
    },
  });
}

function isMerge({ type }: StoredEvent): boolean {
  return type === 'TakedownMerged';
}

function idOf({ stream }: StoredEvent): string {
  return stream.slice(`${takedown.category}-`.length);
}
