import { StoreUnavailable, VersionConflict } from './errors.js';
import type { EventStore, SubscribeOptions, Subscription } from './event-store.js';
import type { NewEvent, Position, StoredEvent } from './event.js';

/** An event store for tests that need no server. Passes the same contract as the real one; nothing survives the process. */
export interface MemoryEventStore extends EventStore {
  /**
   * The next appends fail with StoreUnavailable: `before` they are recorded, or `after`, so that the caller cannot know.
   * Every further append works again.
   */
  failAppends(when: 'before' | 'after', times?: number): void;
  /** Everything recorded, in order. */
  all(): readonly StoredEvent[];
}

export function memoryEventStore(wallNow: () => number = Date.now): MemoryEventStore {
  const record: StoredEvent[] = [];
  const streams = new Map<string, StoredEvent[]>();
  const waiting = new Set<() => void>();
  const subscriptions = new Set<Subscription>();
  const failures: ('before' | 'after')[] = [];
  let closed = false;

  const store: MemoryEventStore = {
    async append(stream, events, expected) {
      if (closed) throw new StoreUnavailable('The store is closed');
      const failure = failures.shift();
      if (failure === 'before') throw new StoreUnavailable('The record does not answer');
      const last = write(stream, events, expected);
      if (failure === 'after') throw new StoreUnavailable('The record did not answer in time');
      return { revision: last.revision, position: last.position };
    },

    async *read(stream, { from, limit = Infinity, direction = 'forwards' } = {}) {
      const events = [...(streams.get(stream) ?? [])];
      const chosen = direction === 'forwards'
        ? events.slice(from ?? 0)
        : events.slice(0, from === undefined ? undefined : from + 1).reverse();
      yield* chosen.slice(0, limit);
    },

    async *readAll({ from, prefixes = [], limit = Infinity, direction = 'forwards' } = {}) {
      const start = from === undefined ? undefined : indexOf(from);
      const inRange = direction === 'forwards'
        ? record.slice(start ?? 0)
        : record.slice(0, start === undefined ? undefined : start + 1).reverse();
      yield* inRange.filter((event) => matches(event.stream, prefixes)).slice(0, limit);
    },

    subscribe(options) {
      const subscription = follow(options);
      subscriptions.add(subscription);
      return subscription;
    },

    async ping() {
      if (closed) throw new StoreUnavailable('The store is closed');
    },

    async close() {
      closed = true;
      await Promise.all([...subscriptions].map((subscription) => subscription.stop()));
    },

    failAppends(when, times = 1) {
      for (let time = 0; time < times; time += 1) failures.push(when);
    },

    all: () => [...record],
  };
  return store;

  function write(stream: string, events: readonly NewEvent[], expected: number | 'no-stream' | 'any'): StoredEvent {
    if (events.length === 0) throw new RangeError('There is nothing to append');
    const existing = streams.get(stream) ?? [];
    const current = existing.length - 1;
    const wanted = expected === 'any' ? current : expected === 'no-stream' ? -1 : expected;
    if (wanted < current && expected !== 'any') {
      const repeated = events.every(({ id }, index) => existing[wanted + 1 + index]?.id === id);
      if (repeated) return existing[wanted + events.length] as StoredEvent;
    }
    if (wanted !== current && expected !== 'any') throw new VersionConflict(stream, expected, current === -1 ? 'no-stream' : current);
    const stored = events.map((event, index): StoredEvent => ({
      ...(JSON.parse(JSON.stringify({ type: event.type, data: event.data, id: event.id, metadata: event.metadata })) as NewEvent),
      stream,
      revision: current + 1 + index,
      created: new Date(wallNow()).toISOString(),
      position: positionOf(record.length + index),
    }));
    record.push(...stored);
    streams.set(stream, [...existing, ...stored]);
    for (const wake of waiting) wake();
    return stored.at(-1) as StoredEvent;
  }

  function follow({ prefixes, after, batchMax = 500, handle, onCaughtUp }: SubscribeOptions): Subscription {
    let next = after === undefined ? 0 : indexOf(after) + 1;
    let handled = after;
    let caughtUp = false;
    let stopping = false;
    let wakeUp: () => void = () => undefined;

    const running = (async () => {
      while (!stopping) {
        const batch = record.slice(next, next + batchMax);
        const last = batch.at(-1);
        if (last === undefined) {
          if (!caughtUp) onCaughtUp?.();
          caughtUp = true;
          await new Promise<void>((resolve) => {
            wakeUp = resolve;
            waiting.add(resolve);
          });
          waiting.delete(wakeUp);
          continue;
        }
        try {
          await handle(batch.filter((event) => matches(event.stream, prefixes)), last.position);
          next += batch.length;
          handled = last.position;
        } catch {
          caughtUp = false;
          await new Promise((resolve) => {
            setTimeout(resolve, 5);
          });
        }
      }
    })();

    return {
      async stop() {
        stopping = true;
        wakeUp();
        await running;
      },
      status: () => ({ ...(handled === undefined ? {} : { after: handled }), caughtUp: caughtUp && next === record.length, connected: !stopping }),
      hurry() {}, // it never waits
    };
  }
}

function matches(stream: string, prefixes: readonly string[]): boolean {
  return prefixes.length === 0 ? !stream.startsWith('$') : prefixes.some((prefix) => stream.startsWith(prefix));
}

/** Spread out, so that nobody counts positions. */
function positionOf(index: number): Position {
  const place = String((index + 1) * 100);
  return { commit: place, prepare: place };
}

function indexOf(position: Position): number {
  return Number(position.commit) / 100 - 1;
}
