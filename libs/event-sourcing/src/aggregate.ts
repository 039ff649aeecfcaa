import { UnknownEventType } from './errors.js';
import type { DomainEvent, RecordedEvent } from './event.js';

export interface Aggregate<State, Event extends DomainEvent> {
  /** Stream = `<category>-<id>`. */
  readonly category: string;
  readonly initialState: State;
  /**
   * Pure. No `default:`, so that a new event without a case fails to compile. It may look at the event's id, revision and metadata
   * (`at`, `by`) as well; declare only what is looked at.
   */
  readonly evolve: (state: State, event: RecordedEvent<Event>) => State;
  /** Every type `evolve` knows; a stream that holds another is not decided on. */
  readonly eventTypes: readonly Event['type'][];
}

/** The state after these events. Throws UnknownEventType rather than leave one out. */
export function fold<State, Event extends DomainEvent>(
  aggregate: Aggregate<State, Event>,
  events: Iterable<RecordedEvent>,
  from: State = aggregate.initialState,
): State {
  let state = from;
  for (const event of events) {
    if (!isKnown(aggregate, event)) throw new UnknownEventType(event.stream, event.type);
    state = aggregate.evolve(state, event);
  }
  return state;
}

function isKnown<State, Event extends DomainEvent>(
  aggregate: Aggregate<State, Event>,
  event: RecordedEvent,
): event is RecordedEvent<Event> {
  return aggregate.eventTypes.includes(event.type);
}
