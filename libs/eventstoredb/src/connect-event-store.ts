import type { EventStore, Subscription } from '@sejam/event-sourcing';
import { appends } from './appends.js';
import { connect } from './connection.js';
import type { Upcast } from './event-codec.js';
import { read, recordRequest, streamRequest } from './reads.js';
import { follow } from './subscription.js';

export interface EventStoreOptions {
  /** After so long without an answer the outcome of an append is unknown: StoreUnavailable. */
  readonly appendTimeoutMs?: number;
  /** The longest silence while a stream is read. */
  readonly readIdleMs?: number;
  /** The longest silence while the whole record is read; a server may search long before it finds a stream of the prefixes. */
  readonly scanIdleMs?: number;
  readonly pingTimeoutMs?: number;
  /** Between tries of a subscription. */
  readonly backOff?: { readonly firstMs: number; readonly mostMs: number };
  readonly upcast?: Upcast;
  /** For faults that are overcome, such as pino's. */
  readonly logger?: { warn(details: { readonly error: unknown }, message: string): void };
}

/**
 * The record, behind an `esdb://` URL: an embedded event store, EventStoreDB or KurrentDB (22.10 or newer). Connects when first used.
 * In a cluster the URL should say `nodePreference=leader`.
 */
export function connectEventStore(url: string, options: EventStoreOptions = {}): EventStore {
  const { appendTimeoutMs = 5_000, readIdleMs = 10_000, scanIdleMs = 60_000, pingTimeoutMs = 2_000 } = options;
  const { backOff = { firstMs: 100, mostMs: 5_000 }, upcast = (event) => event, logger = { warn: logLine } } = options;
  // Apart, so that an append never waits behind what a rebuild reads.
  const writing = connect(url, { requiresLeader: true });
  const reading = connect(url, { requiresLeader: true });
  const following = connect(url, { requiresLeader: false });
  const { append, close: closeAppends } = appends(writing, appendTimeoutMs);
  const subscriptions = new Set<Subscription>();

  return {
    append,

    read: (stream, { from, limit = Infinity, direction = 'forwards' } = {}) =>
      read(streamRequest(stream, { from, limit, direction }), `a read of ${stream}`, { connection: reading, idleMs: readIdleMs, upcast }),

    readAll: ({ from, prefixes = [], limit = Infinity, direction = 'forwards' } = {}) =>
      read(recordRequest(prefixes, { from, limit, direction }), 'a read of the record', { connection: following, idleMs: scanIdleMs, upcast }),

    subscribe(subscribeOptions) {
      const subscription = follow(subscribeOptions, { connection: following, upcast, confirmWithinMs: readIdleMs, backOff, warn: (details, message) => logger.warn(details, message) });
      subscriptions.add(subscription);
      return {
        status: () => subscription.status(),
        hurry: () => subscription.hurry(),
        async stop() {
          await subscription.stop();
          subscriptions.delete(subscription);
        },
      };
    },

    async ping() {
      const newest = read(recordRequest([], { limit: 1, direction: 'backwards' }), 'a ping', { connection: reading, idleMs: pingTimeoutMs, upcast: (event) => event });
      await newest.next();
      await newest.return(undefined);
    },

    async close() {
      await Promise.all([...subscriptions].map((subscription) => subscription.stop()));
      closeAppends();
      await Promise.all([writing.close(), reading.close(), following.close()]);
    },
  };
}

function logLine({ error, ...details }: { readonly error: unknown }, message: string): void {
  console.warn(`${message}: ${error instanceof Error ? error.message : String(error)} ${JSON.stringify(details)}`);
}
