import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ANY, BACKWARDS, END, FORWARDS, START, StreamNotFoundError, binaryEvent, type ReadPosition, type ReadRevision } from '@eventstore/db-client';
import fc from 'fast-check';
import { ServerUnderTest, type FilteredRead } from '../conformance/server-under-test.js';
import { startEventStore, type RunningEventStore } from './start-event-store.js';

const STREAMS = ['case-1', 'case-2', 'clock-1'];
const TYPES = ['Opened', 'Closed'];

interface Held {
  readonly stream: string;
  readonly type: string;
  readonly revision: number;
  readonly position: bigint;
  readonly id: string;
}

const history = fc.array(fc.record({ stream: fc.constantFrom(...STREAMS), types: fc.array(fc.constantFrom(...TYPES), { minLength: 1, maxLength: 4 }), bytes: fc.nat({ max: 1500 }) }), { minLength: 1, maxLength: 60 });
const filters: Record<string, { filter: FilteredRead; chooses: (event: Held) => boolean }> = {
  'a prefix of streams': { filter: { by: 'stream', prefixes: ['case-'] }, chooses: ({ stream }) => stream.startsWith('case-') },
  'streams by expression': { filter: { by: 'stream', regex: '-1$' }, chooses: ({ stream }) => stream.endsWith('-1') },
  'a prefix of types': { filter: { by: 'type', prefixes: ['Op', 'No'] }, chooses: ({ type }) => type === 'Opened' },
  'types by expression': { filter: { by: 'type', regex: '^[^$].*sed$' }, chooses: ({ type }) => type === 'Closed' },
};
const reads = fc.record({
  place: fc.nat({ max: 200 }),
  kind: fc.constantFrom('start', 'end', 'place'),
  isForwards: fc.boolean(),
  count: fc.oneof(fc.integer({ min: 1, max: 6 }), fc.constant(1000)),
  of: fc.constantFrom('all', 'none', ...STREAMS, ...Object.keys(filters)),
});
type Read = typeof reads extends fc.Arbitrary<infer R> ? R : never;

describe('any read of any record', () => {
  let folder: string;
  let server: RunningEventStore;
  let under: ServerUnderTest;
  let all: Held[];

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'reads-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const ids = async (events: AsyncIterable<{ event?: { id: string } }>) => {
    const found: string[] = [];
    try {
      for await (const { event } of events) found.push(event!.id);
    } catch (error) {
      if (!(error instanceof StreamNotFoundError)) throw error;
    }
    return found;
  };

  /** Appends the history to a new record, in files so small that most reads cross from one to the next. */
  async function begin(appends: { stream: string; types: string[]; bytes: number }[]): Promise<void> {
    server = await startEventStore({ dataFolder: mkdtempSync(join(folder, 'record-')), segmentBytes: 3000, log: () => undefined });
    under = new ServerUnderTest(server.url);
    const { client } = under;
    all = [];
    for await (const { event } of client.readAll()) all.push({ stream: event!.streamId, type: event!.type, revision: 0, position: event!.position!.commit, id: event!.id });
    for (const { stream, types, bytes } of appends) {
      const events = types.map((type) => binaryEvent({ type, data: Buffer.alloc(bytes) }));
      await client.appendToStream(stream, events, { expectedRevision: ANY });
      for (const { id, type } of events) all.push({ stream, type, revision: all.filter((held) => held.stream === stream).length, position: -1n, id });
    }
    // Positions are the server's to choose; that they rise and stay is asked elsewhere.
    let index = 0;
    for await (const { event } of client.readAll()) {
      expect(event!.id).toBe(all[index]!.id);
      all[index] = { ...all[index]!, position: event!.position!.commit };
      index += 1;
    }
    expect(index).toBe(all.length);
  }

  /** What is read, and what the model says. */
  async function ask({ place, kind, isForwards, count, of }: Read): Promise<{ found: string[]; expected: string[] }> {
    const direction = isForwards ? FORWARDS : BACKWARDS;
    const inOrder = (events: Held[]) => (isForwards ? events : [...events].reverse()).slice(0, count).map(({ id }) => id);
    const at = all[place % all.length]!.position;
    // Forwards from a position is with what is there, backwards without it.
    const fromPosition = all.filter(({ position }) => (isForwards ? position >= at : position < at));
    const chosen = filters[of];
    if (chosen) {
      const found = await under.readFiltered({ ...chosen.filter, backwards: !isForwards, count, ...(kind === 'place' && { from: at }) });
      return { found: found.map(({ id }) => id), expected: inOrder((kind === 'place' ? fromPosition : all).filter(chosen.chooses)) };
    }
    if (of === 'all') {
      const from = { start: START, end: END, place: { commit: at, prepare: at } }[kind]!;
      const reach = kind === 'place' ? fromPosition : (kind === 'start') === isForwards ? all : [];
      return { found: await ids(under.client.readAll({ fromPosition: from as ReadPosition, direction, maxCount: count })), expected: inOrder(reach) };
    }
    const held = all.filter(({ stream }) => stream === of);
    const revision = kind === 'start' ? 0 : kind === 'end' ? held.length : place % (held.length + 2);
    const fromRevision = { start: START, end: END, place: BigInt(revision) }[kind] as ReadRevision;
    const reach = held.filter((event) => (isForwards ? event.revision >= revision : event.revision <= revision));
    return { found: await ids(under.client.readStream(of, { fromRevision, direction, maxCount: count })), expected: inOrder(reach) };
  }

  it('has the events that a model of arrays has, in the same order', async () => {
    await fc.assert(
      fc.asyncProperty(history, fc.array(reads, { minLength: 20, maxLength: 20 }), async (appends, asked) => {
        await begin(appends);
        try {
          for (const read of asked) {
            const { found, expected } = await ask(read);
            expect({ read, found }).toEqual({ read, found: expected });
          }
        } finally {
          await under.dispose();
          await server.close();
        }
      }),
      { numRuns: 15 },
    );
  }, 120_000);
});
