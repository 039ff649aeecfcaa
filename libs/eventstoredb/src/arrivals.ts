import type { Readable } from 'node:stream';

/** What a call has received and nobody has taken yet. */
export interface Arrivals<Item> {
  /** Up to `max` items, at once; empty when nothing is there. */
  take(max: number): Item[];
  /** How many items could be taken now. */
  waiting(): number;
  /** How the call ended, once everything that arrived before has been taken. */
  ending(): { readonly error?: Error } | undefined;
  /** Resolves when something arrives, the call ends, or `interrupt` is called; false when nothing of that happens within `ms`. */
  change(ms?: number): Promise<boolean>;
  interrupt(): void;
}

/**
 * Takes what arrives on a call without ever throwing from a callback. When `capacity` items wait, the call is paused, so that a slow
 * reader holds back the server and not this process's memory.
 */
export function arrivals<Item>(call: Readable, capacity: number): Arrivals<Item> {
  let queue: Item[] = [];
  let taken = 0;
  let end: { readonly error?: Error } | undefined;
  let wake: () => void = () => undefined;

  call.on('data', (item: Item) => {
    queue.push(item);
    if (queue.length - taken >= capacity) call.pause();
    wake();
  });
  call.on('error', (error: Error) => {
    end ??= { error };
    wake();
  });
  call.on('end', () => {
    // An error of the same call comes right after its end, and says more.
    setImmediate(() => {
      end ??= {};
      wake();
    });
  });

  return {
    take(max) {
      const items = queue.slice(taken, taken + max);
      taken += items.length;
      if (taken === queue.length) {
        queue = [];
        taken = 0;
      }
      if (queue.length - taken < capacity / 2 && call.isPaused()) call.resume();
      return items;
    },
    waiting: () => queue.length - taken,
    ending: () => (queue.length === taken ? end : undefined),
    change: (ms) =>
      new Promise((resolve) => {
        const timer = ms === undefined ? undefined : setTimeout(() => done(false), ms);
        const done = (changed: boolean): void => {
          clearTimeout(timer);
          wake = () => undefined;
          resolve(changed);
        };
        wake = () => done(true);
      }),
    interrupt: () => wake(),
  };
}
