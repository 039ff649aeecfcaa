import type { NewEvent, Position, StoredEvent } from './event.js';

export interface AppendResult {
  /** Revision of the last event appended. */
  readonly revision: number;
  readonly position: Position;
}

export interface Subscription {
  /** Ends it; resolves when the handler is no longer running. */
  stop(): Promise<void>;
  /** The position handled last, and whether everything that was there at the last look has been handled. */
  status(): { readonly after?: Position; readonly caughtUp: boolean; readonly connected: boolean };
  /** Somebody waits: the next batch is handed over as soon as something is there, whatever `gatherMs` says. */
  hurry(): void;
}

export interface SubscribeOptions {
  /** For logs and metrics. */
  readonly name: string;
  /** Streams whose names begin so, such as `takedown-`. Empty: every stream except the system's (`$…`). */
  readonly prefixes: readonly string[];
  /** Exclusive. Without it: from the beginning of the record. */
  readonly after?: Position;
  /** Largest batch handed over; a batch is what has arrived. */
  readonly batchMax?: number;
  /**
   * Wall time between two batches of what has just been recorded, so that under load they are fewer and larger; what comes after a quiet
   * while, and whatever fills a batch, is handed over at once. For handlers on whose speed nothing urgent depends; 0 without it.
   */
  readonly gatherMs?: number;
  /**
   * Called for one batch at a time, in the record's order; the next waits for it. `events` may be empty: then only `checkpoint` moved.
   * A rejection is logged and the same events come again after a back-off, for ever.
   */
  handle(events: readonly StoredEvent[], checkpoint: Position): Promise<void>;
  onCaughtUp?(): void;
}

/** The record. Append only: there is no way to change or remove an event. */
export interface EventStore {
  /**
   * Appends all or nothing; resolves only after the record is durable. Repeating the same ids at the same expected revision is the
   * same append. Throws VersionConflict when the stream has moved past `expected`, StoreUnavailable when the outcome is unknown.
   * `any` is for topic streams alone: it checks nothing.
   */
  append(stream: string, events: readonly NewEvent[], expected: number | 'no-stream' | 'any'): Promise<AppendResult>;
  /** `from` is inclusive. A stream that does not exist is empty. Backwards without `from` begins at the end. */
  read(stream: string, options?: { from?: number; limit?: number; direction?: 'forwards' | 'backwards' }): AsyncIterable<StoredEvent>;
  /** `from` is inclusive. Streams by prefix; none: all but the system's (`$…`). */
  readAll(options?: { from?: Position; prefixes?: readonly string[]; limit?: number; direction?: 'forwards' | 'backwards' }): AsyncIterable<StoredEvent>;
  /** Never silently stops: reconnects for ever from what was last handled. */
  subscribe(options: SubscribeOptions): Subscription;
  /** Resolves when the store answers; throws StoreUnavailable. For readiness. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** A whole stream, or its first `limit` events. Empty when it does not exist. */
export async function readStream(store: Pick<EventStore, 'read'>, stream: string, options: { limit?: number } = {}): Promise<StoredEvent[]> {
  const history: StoredEvent[] = [];
  for await (const event of store.read(stream, options)) history.push(event);
  return history;
}
