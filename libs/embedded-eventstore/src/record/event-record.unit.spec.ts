import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { EventRecord, type AppendOutcome, type Expected } from './event-record.js';
import type { ProposedEvent, StoredEvent } from './stored-event.js';

const STREAMS = ['case-1', 'case-2', '$$case-1', '$settings'];
/** Few ids, so that retries, partial repetitions and the same id in two streams come up often. */
const IDS = Array.from({ length: 6 }, (_, index) => `00000000-0000-4000-8000-00000000000${index}`);

type Command =
  | { kind: 'append'; stream: string; expected: Expected; ids: string[] }
  /** Both appends are sent before either is answered. */
  | { kind: 'race'; stream: string; expected: Expected; ids: [string[], string[]] }
  | { kind: 'restart' };

const expectation = fc.oneof(fc.constantFrom<Expected>('no-stream', 'any', 'stream-exists'), fc.nat({ max: 5 }));
const ids = fc.array(fc.constantFrom(...IDS), { maxLength: 3 });
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('append' as const), stream: fc.constantFrom(...STREAMS), expected: expectation, ids }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('race' as const), stream: fc.constantFrom(...STREAMS), expected: expectation, ids: fc.tuple(ids, ids) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
);

/** The documented rules, on arrays. */
class Model {
  readonly all: { stream: string; id: string; revision: number }[] = [];
  /** What is remembered of ids for any revision; forgotten by a restart. */
  private seen = new Map<string, { stream: string; revision: number }>();

  forget(): void {
    this.seen = new Map();
  }

  of(stream: string): string[] {
    return this.all.filter((event) => event.stream === stream).map((event) => event.id);
  }

  /** The revision answered, or `conflict` with the current one. */
  append(stream: string, expected: Expected, proposed: string[]): { revision: number } | { conflict: number } {
    const held = this.of(stream);
    const head = held.length - 1;
    if (typeof expected === 'string' && expected !== 'no-stream') {
      if (expected === 'stream-exists' && head < 0 && this.of(`$$${stream}`).length === 0) return { conflict: head };
      const known = proposed.map((id) => this.seen.get(id)).map((place) => (place?.stream === stream ? place : undefined));
      if (known[0]) return known.includes(undefined) ? { conflict: head } : { revision: known.at(-1)!.revision };
    } else {
      const revision = expected === 'no-stream' ? -1 : expected;
      if (revision > head) return { conflict: head };
      if (revision < head) {
        const isRepetition = proposed.length > 0 && proposed.every((id, index) => held[revision + 1 + index] === id);
        return isRepetition ? { revision: revision + proposed.length } : { conflict: head };
      }
    }
    for (const [index, id] of proposed.entries()) {
      const place = { stream, revision: head + 1 + index };
      this.all.push({ ...place, id });
      this.seen.set(id, place);
    }
    return { revision: head + proposed.length };
  }
}

const event = (id: string): ProposedEvent => ({ id, type: 'Happened', isJson: false, metadata: Buffer.alloc(0), data: Buffer.from(id) });

function append(record: EventRecord, stream: string, expected: Expected, proposed: string[]): Promise<AppendOutcome> {
  return new Promise((resolve, reject) => record.append(stream, expected, proposed.map(event), resolve, reject));
}

const answered = (outcome: AppendOutcome) => (outcome.kind === 'appended' ? { revision: outcome.revision } : { conflict: outcome.current });

async function everything(record: EventRecord): Promise<StoredEvent[]> {
  const found: StoredEvent[] = [];
  await record.log.check(record.log.start, record.log.end, (events) => void found.push(...events));
  return found;
}

describe('any history of appends', () => {
  it('is answered and kept as the documented rules say, over races and restarts', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 25 }), async (commands) => {
        const folder = mkdtempSync(join(tmpdir(), 'model-'));
        const options = { folder, segmentBytes: 900, log: () => undefined };
        let record = await EventRecord.open(options);
        const model = new Model();
        const positions: number[] = [];
        try {
          for (const step of commands) {
            if (step.kind === 'restart') {
              await record.close();
              record = await EventRecord.open(options);
              model.forget();
            } else if (step.kind === 'append') {
              expect(answered(await append(record, step.stream, step.expected, step.ids))).toEqual(model.append(step.stream, step.expected, step.ids));
            } else {
              const outcomes = await Promise.all(step.ids.map((proposed) => append(record, step.stream, step.expected, proposed)));
              expect(outcomes.map(answered)).toEqual(step.ids.map((proposed) => model.append(step.stream, step.expected, proposed)));
            }
            const found = await everything(record);
            expect(found.map(({ stream, id, revision }) => ({ stream, id, revision }))).toEqual(model.all);
            // What has once been at a position is there for ever.
            expect(found.slice(0, positions.length).map(({ position }) => position)).toEqual(positions);
            positions.push(...found.slice(positions.length).map(({ position }) => position));
            expect([...positions].sort((a, b) => a - b)).toEqual(positions);
          }
          for (const stream of STREAMS) {
            const held = model.of(stream);
            expect(record.head(stream)).toBe(held.length - 1);
            if (held.length > 0) expect((await record.readRevisions(stream, 0, held.length - 1)).map(({ id }) => id)).toEqual(held);
          }
        } finally {
          await record.close();
          rmSync(folder, { recursive: true });
        }
      }),
      { numRuns: 40 },
    );
  });
});

describe('many writers at one stream', () => {
  it('each find their own revision, and one alone wins each exact one', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'race-'));
    const record = await EventRecord.open({ folder, segmentBytes: 100_000, log: () => undefined });
    const id = (writer: number, round: number) => `00000000-0000-4000-8000-${String(writer * 1000 + round).padStart(12, '0')}`;
    for (let round = 0; round < 20; round += 1) {
      const outcomes = await Promise.all(Array.from({ length: 8 }, (_, writer) => append(record, 'one', round === 0 ? 'no-stream' : round - 1, [id(writer, round)])));
      expect(outcomes.filter(({ kind }) => kind === 'appended')).toHaveLength(1);
    }
    expect(record.head('one')).toBe(19);
    const created = (await everything(record)).map(({ createdMs }) => createdMs);
    expect([...created].sort((a, b) => a - b)).toEqual(created);
    await record.close();
    rmSync(folder, { recursive: true });
  });
});
