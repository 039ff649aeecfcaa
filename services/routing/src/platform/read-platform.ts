import { DomainError, fold, readStream, type EventStore, type RecordedEvent } from '@sejam/event-sourcing';
import { platform, type Platform, type PlatformEvent } from './platform.js';

export type Known = Exclude<Platform, { status: 'none' }>;

/** A platform as the record has it now, which the directory may be a moment behind. Throws `platform.unknown`. */
export async function readPlatform(store: EventStore, id: string): Promise<{ state: Known; history: RecordedEvent<PlatformEvent>[] }> {
  const history: RecordedEvent[] = await readStream(store, `${platform.category}-${id}`);
  const state = fold(platform, history);
  if (state.status === 'none') throw new DomainError('platform.unknown', 'not-found', 'There is no such platform');
  // Sound because `fold` has refused every type that is not of this aggregate.
  return { state, history: history as RecordedEvent<PlatformEvent>[] };
}
