import { v7 } from 'uuid';
import type { Aggregate } from './aggregate.js';
import type { DomainClock } from './clock.js';
import { DomainError } from './errors.js';
import { readStream, type EventStore } from './event-store.js';
import type { Actor, DomainEvent, EventMetadata, FurtherMetadata, NewEvent, RecordedEvent } from './event.js';
import { RememberedStreams, standing } from './remembered-streams.js';

/** Why something is decided, and for whom. One cause decides at most once on a stream, whatever the number of events it records there. */
export interface Cause {
  /** Such as `request:<organisation>:<Idempotency-Key>` or `webhook:<platform>:<webhook-id>`. */
  readonly causationId: string;
  readonly correlationId: string;
  readonly by: Actor;
  readonly traceparent?: string | undefined;
  /** Decides on the initial state without reading first; a stream that exists after all is read then. For creations: it saves a round trip. */
  readonly assumeNew?: boolean;
}

/** What a decision may know of the events it is about to record, to write exact message bodies or to bind a ciphertext to its event. */
export interface DecisionContext {
  /** Recorded time of this decision: the later of the domain clock and the stream's last event. */
  readonly at: Date;
  /** The revision that the first decided event will have. */
  readonly nextRevision: number;
  /** The id that the decided event of this index will have. */
  idOf(index: number): string;
  /** The revision that the decided event of this index will have. */
  revisionOf(index: number): number;
}

/** An event as a decision returns it: with further metadata of its own where it needs any. */
export type Decided<Event extends DomainEvent> = Event & { readonly metadata?: FurtherMetadata };

export interface Transacted<State, Event extends DomainEvent> {
  /** What this cause recorded, now or earlier; empty when there was nothing to record. */
  readonly events: readonly RecordedEvent<Event>[];
  /** Of the stream's last event; -1 when it has none. */
  readonly revision: number;
  /** The state now, with `events` in it. */
  readonly state: State;
  /** The cause was known: `events` are what it once recorded, and nothing was decided. */
  readonly replayed: boolean;
}

export type Transact = <State, Event extends DomainEvent>(
  aggregate: Aggregate<State, Event>,
  id: string,
  cause: Cause,
  decide: NoInfer<(state: State, context: DecisionContext) => readonly Decided<Event>[]>,
) => Promise<Transacted<State, Event>>;

export interface TransactorOptions {
  /** Makes the ids of events; uuids v7 without it. */
  readonly newId?: () => string;
  /** How often a decision is made before a stream that others keep writing is given up. */
  readonly decisionsMax?: number;
  /** How often one read or append is tried while the record does not answer. */
  readonly triesMax?: number;
  /** Wall milliseconds before the second try; doubled for each further one. */
  readonly backOffMs?: number;
  /**
   * Events of the streams whose state is kept between decisions, all together; none without it. A decision on a state kept here is recorded
   * only at the revision of that state; a lost race, a refusal, nothing to record, or a known cause reads the stream and decides again.
   */
  readonly rememberedEvents?: number;
}

/**
 * The one way to write. `transact` reads the stream, returns what the cause once recorded if it did, else decides and appends at the
 * exact revision read. Throws what `decide` throws, UnknownEventType, and DomainError `record.contended` or `record.unavailable`
 * (both `unavailable`; after the latter the outcome is unknown, and the same cause may safely come again).
 */
export function transactor(store: EventStore, clock: DomainClock, options: TransactorOptions = {}): Transact {
  const { newId = v7, decisionsMax = 12, triesMax = 4, backOffMs = 50, rememberedEvents = 0 } = options;
  const remembered = new RememberedStreams(rememberedEvents);

  return async <State, Event extends DomainEvent>(
    aggregate: Aggregate<State, Event>,
    id: string,
    cause: Cause,
    decide: NoInfer<(state: State, context: DecisionContext) => readonly Decided<Event>[]>,
  ): Promise<Transacted<State, Event>> => {
    const stream = `${aggregate.category}-${id}`;
    for (let decision = 1; decision <= decisionsMax; decision += 1) {
      // Not read now: good for an append at that revision, and for nothing else.
      const assumed = decision > 1 ? undefined : (remembered.find(aggregate, stream) ?? (cause.assumeNew === true ? standing(aggregate, []) : undefined));
      const history: readonly RecordedEvent[] = assumed === undefined ? await patiently(() => readStream(store, stream)) : [];
      const before = assumed ?? standing(aggregate, history);
      const { state, revision } = before;
      if (assumed === undefined) remembered.keep(aggregate, stream, before);
      if (before.causes.has(cause.causationId)) {
        if (assumed !== undefined) continue;
        const known = history.filter((event) => event.metadata.causationId === cause.causationId);
        // Sound because `fold` has refused every type that is not of this aggregate.
        return { events: known as RecordedEvent<Event>[], revision, state, replayed: true };
      }

      const at = new Date(Math.max(clock.now().getTime(), before.at === undefined ? -Infinity : Date.parse(before.at)));
      const ids: string[] = [];
      const idOf = (index: number): string => {
        while (ids.length <= index) ids.push(newId());
        return ids[index] as string;
      };
      const revisionOf = (index: number): number => revision + 1 + index;
      let decided: readonly Decided<Event>[];
      try {
        decided = decide(state, { at, nextRevision: revision + 1, idOf, revisionOf });
      } catch (error) {
        if (assumed !== undefined) continue;
        throw error;
      }
      if (decided.length === 0) {
        if (assumed !== undefined) continue;
        return { events: [], revision, state, replayed: false };
      }
      const events = decided.map((event, index): RecordedEvent<Event> => ({
        ...event,
        id: idOf(index),
        stream,
        revision: revisionOf(index),
        metadata: metadataOf(cause, at, event.metadata),
      }));
      const expected = revision === -1 ? 'no-stream' : revision;
      remembered.forget(stream); // until it is known how it stands
      if (await patiently(() => appended(store, stream, events.map(withoutPlace), expected))) {
        const after = standing(aggregate, events, before);
        remembered.keep(aggregate, stream, after);
        return { events, revision: after.revision, state: after.state, replayed: false };
      }
      if (decision > 2) await pause(Math.random() * backOffMs);
    }
    throw new DomainError('record.contended', 'unavailable', `Others keep writing to ${stream}; try again`, { retryAfterSeconds: 1 });
  };

  /** Repeats the very same call, same ids and same revision, while the record does not answer. */
  async function patiently<Result>(call: () => Promise<Result>): Promise<Result> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await call();
      } catch (error) {
        if (!isNamed(error, 'StoreUnavailable')) throw error;
        if (attempt >= triesMax) {
          throw new DomainError('record.unavailable', 'unavailable', 'The record cannot be reached now; try again', { retryAfterSeconds: 2 });
        }
        await pause(backOffMs * 2 ** (attempt - 1));
      }
    }
  }
}

/** False: the race for this revision is lost. */
async function appended(store: EventStore, stream: string, events: readonly NewEvent[], expected: number | 'no-stream'): Promise<boolean> {
  try {
    await store.append(stream, events, expected);
    return true;
  } catch (error) {
    if (isNamed(error, 'VersionConflict')) return false;
    throw error;
  }
}

/** What all events have wins over what one event adds. */
function metadataOf(cause: Cause, at: Date, further: FurtherMetadata | undefined): EventMetadata {
  const { by, causationId, correlationId, traceparent } = cause;
  return { ...further, at: at.toISOString(), by, causationId, correlationId, ...(traceparent === undefined ? {} : { traceparent }) };
}

function withoutPlace({ type, data, id, metadata }: RecordedEvent): NewEvent {
  return { type, data, id, metadata };
}

function isNamed(error: unknown, name: 'StoreUnavailable' | 'VersionConflict'): boolean {
  return error instanceof Error && error.name === name;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
