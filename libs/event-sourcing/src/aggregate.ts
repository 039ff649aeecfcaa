import type { DomainEvent } from './event.js';

export interface Aggregate<State, Event extends DomainEvent> {
  /** Stream = `<category>-<id>`. */
  readonly category: string;
  readonly initialState: State;
  /** No `default:`, so that a new event without a case fails to compile. */
  readonly evolve: (state: State, event: Event & { readonly metadata: { readonly at: string } }) => State;
  /** Every type `evolve` knows; `transact` refuses a stream that holds another. */
  readonly eventTypes: readonly Event['type'][];
}
