import { fold, type Aggregate } from './aggregate.js';
import type { TimeBase } from './domain-clock.js';
import { DomainError } from './errors.js';
import { readStream, type EventStore } from './event-store.js';

/** The first event of a record, on stream `sejam-record`: which record this is, and how its domain time runs. Published nowhere. */
export type RecordEvent = { readonly type: 'RecordOpened'; readonly data: OpenedRecord };

export interface OpenedRecord extends TimeBase {
  readonly recordId: string;
}

export type RecordState = { readonly status: 'none' } | ({ readonly status: 'open' } & OpenedRecord);

export const record: Aggregate<RecordState, RecordEvent> = {
  category: 'sejam',
  initialState: { status: 'none' },
  eventTypes: ['RecordOpened'],
  evolve: (state, event) => (state.status === 'none' ? { status: 'open', ...event.data } : state),
};

/** The id of the one stream of category `sejam`: `sejam-record`. */
export const recordStreamId = 'record';

/** A record is opened once; opening it again at another speed is refused, since due times already stand in it. */
export function openRecord(state: RecordState, wanted: OpenedRecord): RecordEvent[] {
  if (state.status === 'none') {
    const { recordId, start, origin, speed } = wanted;
    return [{ type: 'RecordOpened', data: { recordId, start, origin, speed } }];
  }
  if (state.speed !== wanted.speed) {
    throw new DomainError('record.speed-fixed', 'conflict', `This record runs at speed ${state.speed}; another speed needs a data folder of its own`);
  }
  return [];
}

/** What opened this record, or undefined before the first start. Every process reads it at start, to build its domain clock. */
export async function readRecord(store: EventStore): Promise<OpenedRecord | undefined> {
  const state = fold(record, await readStream(store, `${record.category}-${recordStreamId}`, { limit: 1 }));
  if (state.status === 'none') return undefined;
  const { recordId: id, start, origin, speed } = state;
  return { recordId: id, start, origin, speed };
}
