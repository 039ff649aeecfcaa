import assert from 'node:assert/strict';
import { fold, type Aggregate } from './aggregate.js';
import { isDomainError } from './errors.js';
import type { Actor, DomainEvent, EventMetadata, RecordedEvent } from './event.js';
import type { Decided, DecisionContext } from './transact.js';

/** An event of a history under test; what is left out is made up: ids and causes by revision, `at` as of the event before. */
export type Given<Event extends DomainEvent> = Event & {
  readonly id?: string;
  readonly at?: Date | string;
  readonly by?: Actor;
  readonly metadata?: Partial<EventMetadata>;
};

export type Decide<State, Event extends DomainEvent> = (state: State, context: DecisionContext) => readonly Decided<Event>[];

export interface When<State, Event extends DomainEvent> {
  /** What was decided, as it would be recorded. Throws what the decision throws. */
  readonly events: readonly RecordedEvent<Event>[];
  /** The state with these events in it. */
  readonly state: State;
  /** Exactly these events, in this order, compared as the record would keep them: type, data, and metadata where the expectation has some. */
  then(...expected: readonly Decided<Event>[]): void;
  /** Nothing was decided: there is nothing to add. */
  thenNothing(): void;
  /** Refused with this code. */
  thenRefused(code: string): void;
  /** The state after it satisfies this. */
  thenState(check: (state: State) => void): void;
}

export interface SpecFor<State, Event extends DomainEvent> {
  given(...history: readonly Given<Event>[]): {
    /** The state of the history alone. */
    readonly state: State;
    readonly events: readonly RecordedEvent<Event>[];
    /** `at` is not before the history's last event, as in the record. */
    when(decide: Decide<State, Event>, cause?: { at?: Date | string; by?: Actor }): When<State, Event>;
  };
}

const start = '2024-11-27T00:00:00.000Z';
const tester: Actor = { organisation: 'sejam', holder: 'system:test' };

/** Given these events, when this is decided, then those events follow. For the pure file of a noun; nothing is stored. */
export function specFor<State, Event extends DomainEvent>(aggregate: Aggregate<State, Event>): SpecFor<State, Event> {
  return {
    given(...history) {
      const past = recorded(aggregate, history);
      const before = fold(aggregate, past);
      return {
        state: before,
        events: past,
        when(decide, { at, by = tester } = {}) {
          let outcome: { readonly events: readonly RecordedEvent<Event>[] } | { readonly refusal: unknown };
          try {
            outcome = { events: decideOn(aggregate, past, before, decide, at, by) };
          } catch (refusal) {
            outcome = { refusal };
          }
          const decided = (): readonly RecordedEvent<Event>[] => {
            if ('refusal' in outcome) throw outcome.refusal;
            return outcome.events;
          };
          return {
            get events() {
              return decided();
            },
            get state() {
              return fold(aggregate, decided(), before);
            },
            then(...expected) {
              assert.deepStrictEqual(decided().map((event, index) => asKept(event, expected[index])), expected.map((event) => asKept(event, event)));
            },
            thenNothing() {
              assert.deepStrictEqual(decided().map((event) => asKept(event, undefined)), []);
            },
            thenRefused(code) {
              if (!('refusal' in outcome)) assert.fail(`Not refused with ${code}, but decided: ${JSON.stringify(outcome.events.map((event) => asKept(event, undefined)))}`);
              if (!isDomainError(outcome.refusal)) throw outcome.refusal;
              assert.equal(outcome.refusal.code, code);
            },
            thenState(check) {
              check(fold(aggregate, decided(), before));
            },
          };
        },
      };
    },
  };
}

/**
 * The property that makes retries harmless: the same decision on the state that it led to adds nothing.
 * Throws an AssertionError when it adds events.
 */
export function decidedAgainIsEmpty<State, Event extends DomainEvent>(
  aggregate: Aggregate<State, Event>,
  history: readonly Given<NoInfer<Event>>[],
  decide: NoInfer<Decide<State, Event>>,
): void {
  const first = specFor(aggregate).given(...history).when(decide);
  const whole = [...history, ...first.events.map((event) => ({ ...event, at: event.metadata.at, by: event.metadata.by }))];
  specFor(aggregate).given(...whole).when(decide).thenNothing();
}

/** A history as the record would hold it. */
export function recorded<State, Event extends DomainEvent>(
  aggregate: Aggregate<State, Event>,
  history: readonly Given<Event>[],
  id = 'under-test',
): RecordedEvent<Event>[] {
  let at = start;
  return history.map((given, revision) => {
    at = given.at === undefined ? (given.metadata?.at ?? at) : new Date(given.at).toISOString();
    const { id: eventId = idOfRevision(revision), by = tester, metadata } = given;
    return {
      ...given,
      id: eventId,
      stream: `${aggregate.category}-${id}`,
      revision,
      metadata: { by, causationId: `given:${revision}`, correlationId: 'given', ...metadata, at },
    };
  });
}

function decideOn<State, Event extends DomainEvent>(
  aggregate: Aggregate<State, Event>,
  past: readonly RecordedEvent<Event>[],
  before: State,
  decide: Decide<State, Event>,
  at: Date | string | undefined,
  by: Actor,
): RecordedEvent<Event>[] {
  const last = past.at(-1);
  const nowMs = new Date(at ?? last?.metadata.at ?? start).getTime();
  const decidedAt = new Date(Math.max(nowMs, last === undefined ? -Infinity : Date.parse(last.metadata.at)));
  const revisionOf = (index: number): number => past.length + index;
  const context: DecisionContext = { at: decidedAt, nextRevision: past.length, idOf: (index) => idOfRevision(revisionOf(index)), revisionOf };
  return decide(before, context).map((event, index) => ({
    ...event,
    id: context.idOf(index),
    stream: past[0]?.stream ?? `${aggregate.category}-under-test`,
    revision: revisionOf(index),
    metadata: { ...event.metadata, at: decidedAt.toISOString(), by, causationId: 'when', correlationId: 'when' },
  }));
}

/** A readable uuid that ends in the revision. */
function idOfRevision(revision: number): string {
  return `00000000-0000-7000-8000-${String(revision).padStart(12, '0')}`;
}

/** As JSON keeps it; of the metadata only what the expectation names. */
function asKept(event: Decided<DomainEvent>, expected: Decided<DomainEvent> | undefined): unknown {
  const named = Object.keys(expected?.metadata ?? {}).map((key) => [key, event.metadata?.[key]]);
  const metadata = named.length > 0 ? { metadata: Object.fromEntries(named) as unknown } : {};
  return JSON.parse(JSON.stringify({ type: event.type, data: event.data, ...metadata }));
}
