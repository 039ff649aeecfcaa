import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { v7 } from 'uuid';
import type { EventStore, Subscription } from './event-store.js';
import type { NewEvent, Position, StoredEvent } from './event.js';

export interface StoreUnderTest {
  readonly store: EventStore;
  /** Ends the server, if there is one; the store itself is closed by the suite. */
  stop(): Promise<void>;
}

/** What every event store promises to Sejam. Run on each adapter; streams have names of their own, so the record need not be empty. */
export function eventStoreContract(name: string, start: () => Promise<StoreUnderTest>): void {
  describe(`event store: ${name}`, () => {
    let store: EventStore;
    let stop: () => Promise<void>;
    const subscriptions: Subscription[] = [];

    beforeAll(async () => {
      const started = await start();
      store = started.store;
      stop = () => started.stop();
    }, 120_000);

    afterAll(async () => {
      await Promise.all(subscriptions.map((subscription) => subscription.stop()));
      await store.close();
      await stop();
    }, 60_000);

    describe('appending', () => {
      it('gives the revision of the last event, and positions that rise over the whole record', async () => {
        const [one, two] = [streamName('append'), streamName('append')];
        const first = await store.append(one, [event(), event()], 'no-stream');
        const second = await store.append(two, [event()], 'no-stream');
        const third = await store.append(one, [event()], 1);
        expect([first.revision, second.revision, third.revision]).toEqual([1, 0, 2]);
        expect(isBefore(first.position, second.position)).toBe(true);
        expect(isBefore(second.position, third.position)).toBe(true);
      });

      it('keeps type, id, data and metadata as they were given', async () => {
        const stream = streamName('kept');
        const given = event({ text: 'ä 🗳 "\\\u2028', nested: { list: [1, null, true, 0.1] } }, { signed: { webhookId: 'a', timestamp: '1', signature: 's', keyId: 'k', body: '{"x": 1}' } });
        await store.append(stream, [given], 'no-stream');
        const [stored] = await all(store.read(stream));
        expect(stored).toMatchObject({ ...given, stream, revision: 0 });
        expect(new Date(stored?.created ?? '').toISOString()).toBe(stored?.created);
        expect(stored?.position.commit).toMatch(/^\d+$/);
        expect(stored?.position.prepare).toMatch(/^\d+$/);
      });

      it('refuses a stream that is there, when it must not be', async () => {
        const stream = streamName('there');
        await store.append(stream, [event()], 'no-stream');
        await expect(store.append(stream, [event()], 'no-stream')).rejects.toMatchObject({ name: 'VersionConflict', stream, expected: 'no-stream', actual: 0 });
      });

      it('refuses a revision that the stream has passed, and one that it has not reached', async () => {
        const stream = streamName('moved');
        await store.append(stream, [event(), event()], 'no-stream');
        await expect(store.append(stream, [event()], 0)).rejects.toMatchObject({ name: 'VersionConflict', expected: 0, actual: 1 });
        await expect(store.append(stream, [event()], 7)).rejects.toMatchObject({ name: 'VersionConflict', expected: 7, actual: 1 });
        expect(await all(store.read(stream))).toHaveLength(2);
      });

      it('says that the stream is not there, when a revision was expected', async () => {
        await expect(store.append(streamName('absent'), [event()], 3)).rejects.toMatchObject({ name: 'VersionConflict', expected: 3, actual: 'no-stream' });
      });

      it('takes the same ids at the same revision as the same append, however late', async () => {
        const stream = streamName('again');
        const created = [event(), event()];
        const more = [event()];
        const first = await store.append(stream, created, 'no-stream');
        const second = await store.append(stream, more, 1);
        await store.append(stream, [event()], 2);
        expect(await store.append(stream, created, 'no-stream')).toEqual(first);
        expect(await store.append(stream, more, 1)).toEqual(second);
        expect(await all(store.read(stream))).toHaveLength(4);
      });

      it('takes other ids at the same revision as another append', async () => {
        const stream = streamName('other');
        const [one, two] = [event(), event()];
        await store.append(stream, [one], 'no-stream');
        await expect(store.append(stream, [one, two], 'no-stream')).rejects.toMatchObject({ name: 'VersionConflict' });
        await expect(store.append(stream, [two], 'no-stream')).rejects.toMatchObject({ name: 'VersionConflict' });
      });

      it('lets exactly one of many at the same revision win', async () => {
        const stream = streamName('race');
        await store.append(stream, [event()], 'no-stream');
        const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => store.append(stream, [event()], 0)));
        expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
        for (const outcome of outcomes) if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ name: 'VersionConflict' });
        expect(await all(store.read(stream))).toHaveLength(2);
      });

      it('appends all of a batch or nothing', async () => {
        const stream = streamName('whole');
        await store.append(stream, Array.from({ length: 120 }, (_, index) => event({ index })), 'no-stream');
        await expect(store.append(stream, [event(), event()], 3)).rejects.toMatchObject({ name: 'VersionConflict' });
        const events = await all(store.read(stream));
        expect(events.map(({ data }) => (data as { index: number }).index)).toEqual(Array.from({ length: 120 }, (_, index) => index));
      });

      it('appends to a topic stream at any revision, many at once', async () => {
        const stream = streamName('topic');
        await Promise.all(Array.from({ length: 20 }, () => store.append(stream, [event()], 'any')));
        const events = await all(store.read(stream));
        expect(events.map(({ revision }) => revision)).toEqual(Array.from({ length: 20 }, (_, index) => index));
      });

      it('has nothing to do with an empty list of events', async () => {
        await expect(store.append(streamName('empty'), [], 'no-stream')).rejects.toThrow(RangeError);
      });
    });

    describe('reading a stream', () => {
      const stream = streamName('read');

      beforeAll(async () => {
        await store.append(stream, Array.from({ length: 5 }, (_, index) => event({ index })), 'no-stream');
      });

      it('takes a stream that does not exist as empty, in both directions', async () => {
        expect(await all(store.read(streamName('nowhere')))).toEqual([]);
        expect(await all(store.read(streamName('nowhere'), { direction: 'backwards', limit: 1 }))).toEqual([]);
      });

      it('begins with the revision given, inclusive, and ends after the limit', async () => {
        expect(await revisions(store.read(stream))).toEqual([0, 1, 2, 3, 4]);
        expect(await revisions(store.read(stream, { from: 2 }))).toEqual([2, 3, 4]);
        expect(await revisions(store.read(stream, { from: 1, limit: 2 }))).toEqual([1, 2]);
        expect(await revisions(store.read(stream, { from: 5 }))).toEqual([]);
      });

      it('reads backwards from the end, or from a revision', async () => {
        expect(await revisions(store.read(stream, { direction: 'backwards', limit: 2 }))).toEqual([4, 3]);
        expect(await revisions(store.read(stream, { direction: 'backwards', from: 1 }))).toEqual([1, 0]);
      });

      it('may be left early', async () => {
        for await (const first of store.read(stream)) {
          expect(first.revision).toBe(0);
          break;
        }
        expect(await revisions(store.read(stream, { limit: 1 }))).toEqual([0]);
      });
    });

    describe('reading the whole record', () => {
      const prefix = `${streamName('all')}x`;
      const streams = ['a-1', 'b-1', 'a-2'].map((rest) => `${prefix}${rest}`);

      beforeAll(async () => {
        for (const stream of streams) await store.append(stream, [event(), event()], 'no-stream');
        await store.append(streams[0] as string, [event()], 1);
      });

      it('gives the streams of the prefixes in the order of the record', async () => {
        const events = await all(store.readAll({ prefixes: [`${prefix}a-`] }));
        expect(events.map(({ stream, revision }) => [stream.slice(prefix.length), revision])).toEqual([['a-1', 0], ['a-1', 1], ['a-2', 0], ['a-2', 1], ['a-1', 2]]);
        expect(events.every(({ position }, index) => index === 0 || isBefore((events[index - 1] as StoredEvent).position, position))).toBe(true);
        expect(await all(store.readAll({ prefixes: [`${prefix}a-`, `${prefix}b-`] }))).toHaveLength(7);
      });

      it('begins with the position given, inclusive, and ends after the limit', async () => {
        const events = await all(store.readAll({ prefixes: [prefix] }));
        const third = events[2] as StoredEvent;
        expect(await ids(store.readAll({ prefixes: [prefix], from: third.position }))).toEqual(events.slice(2).map(({ id }) => id));
        expect(await ids(store.readAll({ prefixes: [prefix], from: third.position, limit: 2 }))).toEqual(events.slice(2, 4).map(({ id }) => id));
        expect(await ids(store.readAll({ from: third.position, limit: 1 }))).toEqual([third.id]);
      });

      it('reads backwards from the end, with prefixes and without', async () => {
        const events = await all(store.readAll({ prefixes: [prefix] }));
        expect(await ids(store.readAll({ prefixes: [prefix], direction: 'backwards', limit: 3 }))).toEqual(events.slice(-3).reverse().map(({ id }) => id));
        const last = await all(store.readAll({ direction: 'backwards', limit: 1 }));
        expect(last).toHaveLength(1);
      });

      it('leaves out the streams of the system', async () => {
        const events = await all(store.readAll({ direction: 'backwards', limit: 50 }));
        expect(events.filter(({ stream }) => stream.startsWith('$'))).toEqual([]);
      });
    });

    describe('subscribing', () => {
      it('gives what is there and then what comes, each once, in order, and says when it has caught up', async () => {
        const prefix = streamName('follow');
        await store.append(`${prefix}-1`, [event(), event()], 'no-stream');
        const seen: StoredEvent[] = [];
        let caughtUp = 0;
        const subscription = subscribe({ prefixes: [prefix], seen, onCaughtUp: () => (caughtUp += 1) });
        await until(() => seen.length === 2 && caughtUp > 0 && subscription.status().caughtUp);
        await store.append(`${prefix}-2`, [event()], 'no-stream');
        await store.append(`${prefix}-1`, [event()], 1);
        await until(() => seen.length === 4);
        expect(seen.map(({ stream, revision }) => [stream.slice(prefix.length), revision])).toEqual([['-1', 0], ['-1', 1], ['-2', 0], ['-1', 2]]);
        expect(subscription.status().connected).toBe(true);
      });

      it('leaves nothing out and repeats nothing where the past meets the present, among other streams being written', async () => {
        const prefix = streamName('meets');
        const write = async (writer: number): Promise<void> => {
          for (let n = 0; n < 40; n += 1) {
            await store.append(`${prefix}-${writer}`, [event()], n === 0 ? 'no-stream' : n - 1);
            await store.append(`${streamName('noise')}-${n}`, [event(), event()], 'no-stream');
          }
        };
        const writing = Promise.all(Array.from({ length: 8 }, (_, writer) => write(writer)));
        const followers = await Promise.all(Array.from({ length: 4 }, async (_, follower) => {
          await all(store.read(`${prefix}-0`, { from: follower * 5, limit: 1 }));
          const seen: StoredEvent[] = [];
          subscribe({ prefixes: [prefix], seen, batchMax: 7 });
          return seen;
        }));
        await writing;
        await until(() => followers.every((seen) => seen.length >= 320));
        const recorded = await ids(store.readAll({ prefixes: [prefix] }));
        for (const seen of followers) expect(seen.map(({ id }) => id)).toEqual(recorded);
      });

      it('begins after the position given, exclusive', async () => {
        const prefix = streamName('after');
        await store.append(`${prefix}-1`, [event(), event(), event()], 'no-stream');
        const events = await all(store.read(`${prefix}-1`));
        const seen: StoredEvent[] = [];
        subscribe({ prefixes: [prefix], seen, after: (events[0] as StoredEvent).position });
        await until(() => seen.length === 2);
        expect(seen.map(({ revision }) => revision)).toEqual([1, 2]);
      });

      it('follows every stream but those of the system when no prefix is given', async () => {
        const [before] = await all(store.readAll({ direction: 'backwards', limit: 1 }));
        const seen: StoredEvent[] = [];
        subscribe({ prefixes: [], seen, ...(before === undefined ? {} : { after: before.position }) });
        const stream = streamName('every');
        await store.append(stream, [event()], 'no-stream');
        await until(() => seen.some((event) => event.stream === stream));
        expect(seen.filter((event) => event.stream.startsWith('$'))).toEqual([]);
      });

      it('hands over one batch at a time, none larger than the most', async () => {
        const prefix = streamName('batch');
        await store.append(`${prefix}-1`, Array.from({ length: 25 }, () => event()), 'no-stream');
        const sizes: number[] = [];
        let running = 0;
        let most = 0;
        subscribe({
          prefixes: [prefix],
          batchMax: 10,
          handle: async (events) => {
            running += 1;
            most = Math.max(most, running);
            await new Promise((resolve) => {
              setTimeout(resolve, 5);
            });
            running -= 1;
            if (events.length > 0) sizes.push(events.length);
          },
        });
        await until(() => sizes.reduce((sum, size) => sum + size, 0) === 25);
        expect(most).toBe(1);
        expect(Math.max(...sizes)).toBeLessThanOrEqual(10);
      });

      it('gives the same events again when handling them fails, and leaves none out', async () => {
        const prefix = streamName('retry');
        await store.append(`${prefix}-1`, [event(), event(), event()], 'no-stream');
        const handled: number[] = [];
        let failures = 0;
        subscribe({
          prefixes: [prefix],
          handle: async (events) => {
            if (events.length > 0 && failures < 3) {
              failures += 1;
              throw new Error('The handler failed');
            }
            handled.push(...events.map(({ revision }) => revision));
          },
        });
        await until(() => handled.length >= 3);
        await store.append(`${prefix}-1`, [event()], 2);
        await until(() => handled.length >= 4);
        expect(handled).toEqual([0, 1, 2, 3]);
      });

      it('hands over what keeps coming no sooner than it is to be gathered, or when somebody is in a hurry', async () => {
        const prefix = streamName('gather');
        const seen: StoredEvent[] = [];
        let caughtUp = false;
        const subscription = subscribe({ prefixes: [prefix], seen, gatherMs: 60_000, onCaughtUp: () => (caughtUp = true) });
        await until(() => caughtUp);
        await store.append(`${prefix}-1`, [event()], 'no-stream');
        await until(() => seen.length === 1);
        await store.append(`${prefix}-1`, [event()], 0);
        subscription.hurry();
        await until(() => seen.length === 2);
        subscription.hurry();
        await store.append(`${prefix}-1`, [event()], 1);
        await until(() => seen.length === 3);
      });

      it('gives a checkpoint from which another subscription goes on without a gap', async () => {
        const prefix = streamName('resume');
        await store.append(`${prefix}-1`, [event(), event()], 'no-stream');
        let checkpoint: Position | undefined;
        const first: StoredEvent[] = [];
        const subscription = subscribe({
          prefixes: [prefix],
          handle: async (events, position) => {
            first.push(...events);
            checkpoint = position;
          },
        });
        await until(() => first.length === 2);
        await subscription.stop();
        expect(subscription.status().after).toEqual(checkpoint);
        await store.append(`${prefix}-1`, [event()], 1);
        const second: StoredEvent[] = [];
        subscribe({ prefixes: [prefix], seen: second, ...(checkpoint === undefined ? {} : { after: checkpoint }) });
        await until(() => second.length === 1);
        expect(second.map(({ revision }) => revision)).toEqual([2]);
      });

      it('is over when stop resolves: the handler is not running and is not called again', async () => {
        const prefix = streamName('stop');
        let running = false;
        let calls = 0;
        const subscription = subscribe({
          prefixes: [prefix],
          handle: async (events) => {
            if (events.length === 0) return;
            running = true;
            calls += 1;
            await new Promise((resolve) => {
              setTimeout(resolve, 20);
            });
            running = false;
          },
        });
        await store.append(`${prefix}-1`, [event()], 'no-stream');
        await until(() => running);
        await subscription.stop();
        expect(running).toBe(false);
        await store.append(`${prefix}-1`, [event()], 0);
        await all(store.read(`${prefix}-1`));
        expect(calls).toBe(1);
        expect(subscription.status().connected).toBe(false);
      });
    });

    it('answers a ping', async () => {
      await expect(store.ping()).resolves.toBeUndefined();
    });

    function subscribe(options: {
      prefixes: string[];
      seen?: StoredEvent[];
      after?: Position;
      batchMax?: number;
      gatherMs?: number;
      handle?: (events: readonly StoredEvent[], checkpoint: Position) => Promise<void>;
      onCaughtUp?: () => void;
    }): Subscription {
      const { seen = [], ...rest } = options;
      const subscription = store.subscribe({
        name: 'contract',
        handle: async (events) => {
          seen.push(...events);
        },
        ...rest,
      });
      subscriptions.push(subscription);
      return subscription;
    }
  });
}

/** A new event with an id of its own. */
export function event(data: object = { n: 1 }, further: object = {}): NewEvent {
  const metadata = { at: '2024-11-27T00:00:00.000Z', by: { organisation: 'sejam', holder: 'system:test' }, causationId: `test:${v7()}`, correlationId: 'test' };
  return { type: 'SomethingHappened', data, id: v7(), metadata: { ...further, ...metadata } };
}

export async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const list: Item[] = [];
  for await (const item of items) list.push(item);
  return list;
}

/** Resolves once the condition holds; fails after a long while. */
export async function until(condition: () => boolean, withinMs = 15_000): Promise<void> {
  const end = Date.now() + withinMs;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`Not within ${withinMs} ms: ${condition.toString()}`);
    await new Promise((resolve) => {
      setTimeout(resolve, 10);
    });
  }
}

export function streamName(label: string): string {
  return `contract${label}-${v7().replaceAll('-', '')}`;
}

async function revisions(events: AsyncIterable<StoredEvent>): Promise<number[]> {
  return (await all(events)).map(({ revision }) => revision);
}

async function ids(events: AsyncIterable<StoredEvent>): Promise<string[]> {
  return (await all(events)).map(({ id }) => id);
}

function isBefore(one: Position, other: Position): boolean {
  return BigInt(one.commit) < BigInt(other.commit) && BigInt(one.prepare) < BigInt(other.prepare);
}
