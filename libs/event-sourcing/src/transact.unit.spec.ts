import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { fold, transactor, type Aggregate, type Cause, type EventStore, type NewEvent, type TransactorOptions } from './index.js';
import { fakeClock, memoryEventStore, type MemoryEventStore } from './testing.js';
import { all } from './event-store.contract.js';

type DoorEvent =
  | { type: 'DoorOpened'; data: { by: string } }
  | { type: 'DoorClosed'; data: { reason: string } };
type Door = { status: 'none' | 'open' | 'closed'; changes: number };

const door: Aggregate<Door, DoorEvent> = {
  category: 'door',
  initialState: { status: 'none', changes: 0 },
  eventTypes: ['DoorOpened', 'DoorClosed'],
  evolve: (state, event) => {
    switch (event.type) {
      case 'DoorOpened':
        return { status: 'open', changes: state.changes + 1 };
      case 'DoorClosed':
        return { status: 'closed', changes: state.changes + 1 };
    }
  },
};

const opened: DoorEvent = { type: 'DoorOpened', data: { by: 'the officer' } };
const closed: DoorEvent = { type: 'DoorClosed', data: { reason: 'night' } };
const by = { organisation: 'bawaslu', holder: 'officer-1', keyId: 'k1' };
const cause = (causationId: string, more: Partial<Cause> = {}): Cause => ({ causationId, correlationId: 'c', by, ...more });

describe('transact', () => {
  it('decides on the state of the stream and appends at the revision read', async () => {
    const { store, transact } = setUp();
    await transact(door, '1', cause('a'), () => [{ type: 'DoorOpened', data: { by: 'the officer' } }]);
    const result = await transact(door, '1', cause('b'), (state) => (state.status === 'open' ? [closed] : []));
    expect(result).toMatchObject({ revision: 1, replayed: false, state: { status: 'closed', changes: 2 } });
    expect(result.events).toMatchObject([{ type: 'DoorClosed', stream: 'door-1', revision: 1 }]);
    expect(await all(store.read('door-1'))).toMatchObject(
      [{ type: 'DoorOpened', revision: 0 }, { type: 'DoorClosed', revision: 1, id: result.events[0]?.id }],
    );
  });

  it('records who, why and when beside each event, and what the decision adds, which cannot replace the former', async () => {
    const { store, transact, clock } = setUp();
    await transact(door, '1', cause('a', { traceparent: '00-1-2-01' }), () => [
      { ...opened, metadata: { message: { type: 'order.issued', body: '{}' }, causationId: 'forged', at: 'forged' } },
      closed,
    ]);
    const at = clock.now().toISOString();
    const common = { at, by, causationId: 'a', correlationId: 'c', traceparent: '00-1-2-01' };
    expect((await all(store.read('door-1'))).map(({ metadata }) => metadata)).toEqual([{ ...common, message: { type: 'order.issued', body: '{}' } }, common]);
  });

  it('tells the decision the ids and revisions its events will have', async () => {
    const { transact } = setUp();
    await transact(door, '1', cause('a'), () => [opened]);
    let told: unknown;
    const { events } = await transact(door, '1', cause('b'), (_, { idOf, revisionOf, nextRevision }) => {
      told = [[idOf(1), revisionOf(1)], [idOf(0), revisionOf(0)], nextRevision];
      return [closed, opened];
    });
    expect(told).toEqual([[events[1]?.id, 2], [events[0]?.id, 1], 1]);
  });

  it('returns what a known cause once recorded, and decides nothing', async () => {
    const { store, transact } = setUp();
    const first = await transact(door, '1', cause('a'), () => [opened, closed]);
    await transact(door, '1', cause('b'), () => [opened]);
    const again = await transact(door, '1', cause('a'), () => {
      throw new Error('decided again');
    });
    expect(again).toMatchObject({ replayed: true, revision: 2, state: { status: 'open', changes: 3 } });
    expect(again.events.map(({ id }) => id)).toEqual(first.events.map(({ id }) => id));
    expect(store.all()).toHaveLength(3);
  });

  it('appends nothing when nothing is decided', async () => {
    const { store, transact } = setUp();
    expect(await transact(door, '1', cause('a'), () => [])).toEqual({ events: [], revision: -1, state: door.initialState, replayed: false });
    expect(await transact(door, '1', cause('a', { assumeNew: true }), () => [])).toMatchObject({ events: [], revision: -1 });
    expect(store.all()).toEqual([]);
  });

  it('records nothing when the decision refuses', async () => {
    const { store, transact } = setUp();
    const refuse = () => {
      throw new Error('refused');
    };
    await expect(transact(door, '1', cause('a'), refuse)).rejects.toThrow('refused');
    await expect(transact(door, '1', cause('a', { assumeNew: true }), refuse)).rejects.toThrow('refused');
    expect(store.all()).toEqual([]);
  });

  it('stamps the time of the stream when the clock is behind it, so that time never falls along a stream', async () => {
    const { store, transact, clock } = setUp();
    await transact(door, '1', cause('a'), () => [opened]);
    clock.advance(-60_000);
    await transact(door, '1', cause('b'), () => [closed]);
    clock.advance(90_000);
    await transact(door, '1', cause('c'), () => [opened]);
    expect((await all(store.read('door-1'))).map(({ metadata }) => metadata.at)).toEqual(
      ['2024-11-27T00:00:00.000Z', '2024-11-27T00:00:00.000Z', '2024-11-27T00:00:30.000Z'],
    );
  });

  it('refuses to decide on a stream that holds an event it does not know', async () => {
    const { store, transact } = setUp();
    await transact(door, '1', cause('a'), () => [opened]);
    const newer: NewEvent = { ...(store.all()[0] as NewEvent), id: 'b7d8f6f4-8f0a-4b8e-9c53-0d1e8c8f8a10', type: 'DoorPainted' };
    await store.append('door-1', [newer], 0);
    await expect(transact(door, '1', cause('b'), () => [closed])).rejects.toMatchObject({ name: 'UnknownEventType', eventType: 'DoorPainted' });
    await expect(transact(door, '1', cause('b', { assumeNew: true }), () => [closed])).rejects.toMatchObject({ name: 'UnknownEventType' });
  });

  it('decides again on the newer state when it loses the race', async () => {
    const { store, transact } = setUp();
    await transact(door, '1', cause('a'), () => [opened]);
    let decisions = 0;
    const racing = atFirstAppend(store, () => transact(door, '1', cause('b'), () => [closed]));
    const result = await transactor(racing, fakeClock())(door, '1', cause('c'), (state) => {
      decisions += 1;
      return state.status === 'closed' ? [opened] : [closed];
    });
    expect(decisions).toBe(2);
    expect(result).toMatchObject({ revision: 2, events: [{ type: 'DoorOpened', revision: 2 }] });
  });

  it('finds its own cause when the race was lost to the same cause', async () => {
    const { store, transact } = setUp();
    const racing = atFirstAppend(store, () => transact(door, '1', cause('a'), () => [opened]));
    const result = await transactor(racing, fakeClock())(door, '1', cause('a'), () => [opened]);
    expect(result.replayed).toBe(true);
    expect(store.all()).toHaveLength(1);
  });

  it('gives up a stream that others keep writing, and says that trying again helps', async () => {
    const { store } = setUp();
    let n = 0;
    const crowded: EventStore = {
      ...store,
      append: async (stream, events, expected) => {
        n += 1;
        const { revision = -1 } = (await all(store.read(stream))).at(-1) ?? {};
        await store.append(stream, [{ ...(events[0] as NewEvent), id: `other-${n}`, metadata: { ...(events[0] as NewEvent).metadata, causationId: `other:${n}` } }], revision === -1 ? 'no-stream' : revision);
        return store.append(stream, events, expected);
      },
    };
    await expect(transactor(crowded, fakeClock(), { decisionsMax: 4, backOffMs: 1 })(door, '1', cause('a'), () => [opened])).rejects.toMatchObject(
      { name: 'DomainError', code: 'record.contended', kind: 'unavailable', details: { retryAfterSeconds: 1 } },
    );
    expect(n).toBe(4);
  });

  it('repeats the same append when the outcome is unknown, and records once', async () => {
    for (const when of ['before', 'after'] as const) {
      const { store, transact } = setUp();
      const appends: (readonly NewEvent[])[] = [];
      store.failAppends(when, 2);
      const seen: EventStore = { ...store, append: (stream, events, expected) => (appends.push(events), store.append(stream, events, expected)) };
      let decisions = 0;
      const result = await transactor(seen, fakeClock(), { backOffMs: 1 })(door, '1', cause('a'), () => {
        decisions += 1;
        return [opened, closed];
      });
      expect(result).toMatchObject({ revision: 1, replayed: false });
      expect([decisions, appends.length, store.all().length]).toEqual([1, 3, 2]);
      expect(appends[2]).toEqual(appends[0]);
      expect((await transact(door, '1', cause('a'), () => [])).replayed).toBe(true);
    }
  });

  it('says that the record is unavailable after a bounded number of tries; the same cause may come again', async () => {
    const { store, transact } = setUp();
    store.failAppends('after', 3);
    await expect(transact(door, '1', cause('a'), () => [opened])).rejects.toMatchObject(
      { name: 'DomainError', code: 'record.unavailable', kind: 'unavailable', details: { retryAfterSeconds: 2 } },
    );
    expect(await transact(door, '1', cause('a'), () => [opened])).toMatchObject({ replayed: true, revision: 0 });
  });

  it('says the same when the record cannot be read', async () => {
    const { store, transact } = setUp();
    await store.close();
    await expect(transact(door, '1', cause('a', { assumeNew: true }), () => [opened])).rejects.toMatchObject({ code: 'record.unavailable' });
  });

  it('lets a defect of the store surface as it is', async () => {
    const { store } = setUp();
    const broken: EventStore = { ...store, append: () => Promise.reject(new TypeError('a defect')) };
    await expect(transactor(broken, fakeClock())(door, '1', cause('a'), () => [opened])).rejects.toThrow(TypeError);
  });

  it('does not read a stream that is assumed to be new, unless it is not', async () => {
    const { store } = setUp();
    let reads = 0;
    const counted: EventStore = { ...store, read: (...args) => ((reads += 1), store.read(...args)) };
    const transact = transactor(counted, fakeClock());
    const create = (state: Door) => (state.status === 'none' ? [opened] : []);
    const first = await transact(door, '1', cause('a', { assumeNew: true }), create);
    expect([first.revision, reads]).toEqual([0, 0]);
    expect(await transact(door, '1', cause('a', { assumeNew: true }), create)).toMatchObject({ replayed: true, events: [{ id: first.events[0]?.id }] });
    expect(await transact(door, '1', cause('b', { assumeNew: true }), create)).toMatchObject({ replayed: false, events: [], revision: 0 });
    expect(reads).toBe(2);
  });

  it('does one thing and gives one answer when the same cause comes fifty times at once', async () => {
    const { store, transact } = setUp();
    const results = await Promise.all(Array.from({ length: 50 }, (_, index) => transact(door, '1', cause('a', { assumeNew: index % 2 === 0 }), () => [opened, closed])));
    expect(new Set(results.map(({ events }) => events.map(({ id }) => id).join())).size).toBe(1);
    expect(results.filter(({ replayed }) => !replayed)).toHaveLength(1);
    expect(store.all()).toHaveLength(2);
  });

  it('records every cause exactly once and keeps time and revisions rising, whatever fails and races', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(0, 3, 100),
        fc.array(fc.record({ causes: fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 5 }), turn: fc.integer({ min: -1000, max: 1000 }), fail: fc.option(fc.constantFrom('before' as const, 'after' as const)) }), { maxLength: 8 }),
        async (rememberedEvents, rounds) => {
          const { store, transact, clock } = setUp({ decisionsMax: 50, triesMax: 20, rememberedEvents });
          for (const { causes, turn, fail } of rounds) {
            clock.advance(turn);
            if (fail !== null) store.failAppends(fail);
            await Promise.all(causes.map((n) => transact(door, '1', cause(`cause:${n}`), (state) => (state.status === 'open' ? [closed] : [opened, closed, opened]))));
          }
          const events = store.all();
          const wanted = new Set(rounds.flatMap(({ causes }) => causes.map((n) => `cause:${n}`)));
          const runs = events.map(({ metadata }) => metadata.causationId).filter((id, index, list) => id !== list[index - 1]);
          expect(runs).toHaveLength(wanted.size);
          expect(new Set(runs)).toEqual(wanted);
          expect(events.map(({ revision }) => revision)).toEqual(events.map((_, index) => index));
          expect(events.map(({ metadata }) => metadata.at)).toEqual(events.map(({ metadata }) => metadata.at).sort());
          expect(fold(door, events).changes).toBe(events.length);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('transact with states that are remembered', () => {
  it('reads a stream once and decides on what it remembers from then on', async () => {
    const { transact, reads } = counted({ rememberedEvents: 100 });
    await transact(door, '1', cause('a'), () => [opened]);
    expect(await transact(door, '1', cause('b'), (state) => (state.status === 'open' ? [closed] : []))).toMatchObject({ revision: 1, state: { status: 'closed', changes: 2 } });
    expect(await transact(door, '1', cause('c'), () => [opened])).toMatchObject({ revision: 2, state: { changes: 3 } });
    expect(reads()).toBe(1);
  });

  it('asks the record before it refuses, has nothing to record, or answers what a cause recorded', async () => {
    const { store, transact } = counted({ rememberedEvents: 100 });
    const elsewhere = transactor(store, fakeClock());
    await transact(door, '1', cause('a'), () => [opened]);
    await elsewhere(door, '1', cause('b'), () => [closed]);
    const openIfClosed = (state: Door): DoorEvent[] => {
      if (state.status !== 'closed') throw new Error('it stands open');
      return [opened];
    };
    expect(await transact(door, '1', cause('c'), openIfClosed)).toMatchObject({ revision: 2, replayed: false });
    await elsewhere(door, '1', cause('d'), () => [closed]);
    expect(await transact(door, '1', cause('e'), (state) => (state.status === 'closed' ? [opened] : []))).toMatchObject({ revision: 4 });
    expect(await transact(door, '1', cause('c'), () => [closed])).toMatchObject({ replayed: true, revision: 4, events: [{ type: 'DoorOpened', revision: 2 }] });
    expect(await transact(door, '1', cause('d'), () => [closed])).toMatchObject({ replayed: true, events: [{ type: 'DoorClosed', revision: 3 }] });
  });

  it('does not decide on a remembered state when the record holds an event that it does not know', async () => {
    const { store, transact } = counted({ rememberedEvents: 100 });
    await transact(door, '1', cause('a'), () => [opened]);
    await store.append('door-1', [{ ...(store.all()[0] as NewEvent), id: 'b7d8f6f4-8f0a-4b8e-9c53-0d1e8c8f8a10', type: 'DoorPainted' }], 0);
    await expect(transact(door, '1', cause('b'), () => [closed])).rejects.toMatchObject({ name: 'UnknownEventType' });
  });

  it('forgets a stream whose append has an unknown outcome', async () => {
    const { store, transact, reads } = counted({ rememberedEvents: 100 });
    await transact(door, '1', cause('a'), () => [opened]);
    store.failAppends('after', 3);
    await expect(transact(door, '1', cause('b'), () => [closed])).rejects.toMatchObject({ code: 'record.unavailable' });
    expect(await transact(door, '1', cause('b'), () => [closed])).toMatchObject({ replayed: true, revision: 1 });
    expect(reads()).toBe(2);
  });

  it('remembers only so many events, those of the streams used last', async () => {
    const { transact, reads } = counted({ rememberedEvents: 3 });
    for (const id of ['1', '2', '3', '4']) await transact(door, id, cause('a'), () => [opened]);
    expect(reads()).toBe(4);
    await transact(door, '4', cause('b'), () => [closed]); // two events of 4, one of 3
    expect(reads()).toBe(4);
    await transact(door, '2', cause('b'), () => [closed]);
    expect(reads()).toBe(5);
  });

  it('records the same as without remembering, whoever else writes, also when processes race and appends fail', async () => {
    const step = fc.record({ process: fc.nat({ max: 2 }), door: fc.nat({ max: 2 }), cause: fc.nat({ max: 12 }), assumeNew: fc.boolean(), fail: fc.option(fc.constantFrom('before' as const, 'after' as const), { freq: 6 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { maxLength: 12 }), fc.nat({ max: 12 }), async (rounds, rememberedEvents) => {
        const store = memoryEventStore();
        const clock = fakeClock();
        const options = { decisionsMax: 50, triesMax: 20, backOffMs: 0 };
        const processes = [0, 1, 2].map(() => transactor(store, clock, { ...options, rememberedEvents }));
        // Refuses, has nothing to record, or turns the door, by its state alone.
        const turn = (state: Door): DoorEvent[] => {
          if (state.changes % 7 === 6) throw new Error('stuck');
          if (state.changes % 5 === 4 && state.status === 'open') return [];
          return state.status === 'open' ? [closed] : [opened, closed, opened];
        };
        for (const round of rounds) {
          await Promise.all(round.map(async ({ process, door: id, cause: n, assumeNew, fail }) => {
            if (fail !== null) store.failAppends(fail);
            const known = (await all(store.read(`door-${id}`))).some(({ metadata }) => metadata.causationId === `cause:${n}`);
            const result = await processes[process]!(door, String(id), cause(`cause:${n}`, { assumeNew }), turn).catch((error: Error) => error);
            if (known) expect(result).toMatchObject({ replayed: true });
          }));
          if (round.length > 1) continue;
          // Alone, it ends as if nothing were remembered.
          const { door: id, cause: n } = round[0]!;
          const stream = await all(store.read(`door-${id}`));
          const own = stream.filter(({ metadata }) => metadata.causationId === `cause:${n}`);
          const before = stream.slice(0, own[0]?.revision ?? stream.length);
          const decided = ((): DoorEvent[] => {
            try {
              return turn(fold(door, before));
            } catch {
              return [];
            }
          })();
          expect(own.map(({ type }) => type)).toEqual(decided.map(({ type }) => type));
        }
        for (const id of [0, 1, 2]) {
          const events = await all(store.read(`door-${id}`));
          const runs = events.map(({ metadata }) => metadata.causationId).filter((id, index, list) => id !== list[index - 1]);
          expect(runs).toHaveLength(new Set(runs).size);
          expect(events.map(({ revision }) => revision)).toEqual(events.map((_, index) => index));
        }
      }),
      { numRuns: 100 },
    );
  });
});

function counted(options: TransactorOptions) {
  const store = memoryEventStore();
  let reads = 0;
  const counting: EventStore = { ...store, read: (...args) => ((reads += 1), store.read(...args)) };
  return { store, transact: transactor(counting, fakeClock(), { triesMax: 3, backOffMs: 1, ...options }), reads: () => reads };
}

function setUp(options: TransactorOptions = {}) {
  const store = memoryEventStore();
  const clock = fakeClock();
  return { store, clock, transact: transactor(store, clock, { triesMax: 3, backOffMs: 1, ...options }) };
}

/** Lets something else happen between the read and the first append. */
function atFirstAppend(store: MemoryEventStore, happen: () => Promise<unknown>): EventStore {
  let done = false;
  return {
    ...store,
    append: async (stream, events, expected) => {
      if (!done) {
        done = true;
        await happen();
      }
      return store.append(stream, events, expected);
    },
  };
}
