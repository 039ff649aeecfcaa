import { fold, type Aggregate } from './aggregate.js';
import type { DomainEvent, RecordedEvent } from './event.js';

/** What a decision needs to know of a stream, as it stood at one revision. */
export interface Standing<State> {
  readonly state: State;
  /** Of the last event; -1 when there is none. */
  readonly revision: number;
  /** Recorded time of the last event. */
  readonly at?: string;
  /** Every cause that has recorded something there. */
  readonly causes: ReadonlySet<string>;
}

/** How a stream stands after further events. Throws UnknownEventType rather than leave one out. */
export function standing<State, Event extends DomainEvent>(
  aggregate: Aggregate<State, Event>,
  events: readonly RecordedEvent[],
  before: Standing<State> = { state: aggregate.initialState, revision: -1, causes: new Set() },
): Standing<State> {
  const last = events.at(-1);
  if (last === undefined) return before;
  const causes = new Set([...before.causes, ...events.map(({ metadata }) => metadata.causationId)]);
  return { state: fold(aggregate, events, before.state), revision: last.revision, at: last.metadata.at, causes };
}

/**
 * How streams stood when this process read or wrote them last, the longest unused ones forgotten first. Others may have written them since:
 * it is only good for an append at that very revision, which the record refuses then.
 */
export class RememberedStreams {
  readonly #streams = new Map<string, { readonly aggregate: object; readonly standing: Standing<unknown> }>();
  #events = 0;

  /** `eventsMax`: events of all remembered streams together. */
  constructor(private readonly eventsMax: number) {}

  find<State, Event extends DomainEvent>(aggregate: Aggregate<State, Event>, stream: string): Standing<State> | undefined {
    const found = this.#streams.get(stream);
    if (found?.aggregate !== aggregate) return undefined;
    this.#streams.delete(stream);
    this.#streams.set(stream, found);
    return found.standing as Standing<State>;
  }

  keep<State, Event extends DomainEvent>(aggregate: Aggregate<State, Event>, stream: string, standing: Standing<State>): void {
    // A read that took longer than somebody else's append.
    if ((this.#streams.get(stream)?.standing.revision ?? -1) > standing.revision) return;
    this.forget(stream);
    if (standing.revision === -1 || standing.revision >= this.eventsMax) return;
    this.#streams.set(stream, { aggregate, standing });
    this.#events += standing.revision + 1;
    for (const longestUnused of this.#streams.keys()) {
      if (this.#events <= this.eventsMax) break;
      this.forget(longestUnused);
    }
  }

  forget(stream: string): void {
    this.#events -= (this.#streams.get(stream)?.standing.revision ?? -1) + 1;
    this.#streams.delete(stream);
  }
}
