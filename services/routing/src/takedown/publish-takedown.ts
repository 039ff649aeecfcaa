import { ceTypeOf, encode } from '@sejam/contracts';
import { fold, readStream, type EventStore, type StoredEvent } from '@sejam/event-sourcing';
import { takedown, type KnownTakedown, type Takedown, type TakedownEvent } from './takedown.js';

const topic = 'sejam.takedown.v1';

/** How many takedowns are kept folded between their events. */
const FOLDED_MAX = 5_000;

/**
 * What routing tells of a stored event: its data, with the takedown as it stands after it. The exact messages and signatures stand in the
 * metadata and are not published.
 */
export class PublishTakedown {
  readonly #folded = new Map<string, { readonly revision: number; readonly state: Takedown }>();

  constructor(private readonly store: EventStore) {}

  /** One message for each event, in their order. */
  async word(events: readonly StoredEvent[]): Promise<{ type: string; data: object }[]> {
    const worded: { type: string; data: object }[] = [];
    for (const event of events) worded.push(await this.#word(event as StoredEvent<TakedownEvent>));
    return worded;
  }

  async #word(event: StoredEvent<TakedownEvent>): Promise<{ type: string; data: object }> {
    const state = await this.#stateAfter(event);
    if (state.status === 'none') throw new Error(`${event.stream} begins with ${event.type}`);
    return { type: ceTypeOf(topic, event.type), data: encode(topic, event.type, { takedown: summaryOf(state), ...event.data }) };
  }

  /** Events of one stream come in order; what is not folded any more is read up to the event. */
  async #stateAfter(event: StoredEvent<TakedownEvent>): Promise<Takedown> {
    const { stream, revision } = event;
    const known = revision === 0 ? { revision: -1, state: takedown.initialState } : this.#folded.get(stream);
    const state = known?.revision === revision - 1 ? fold(takedown, [event], known.state) : await this.#read(stream, revision);
    this.#folded.delete(stream);
    this.#folded.set(stream, { revision, state });
    if (this.#folded.size > FOLDED_MAX) this.#folded.delete(this.#folded.keys().next().value as string);
    return state;
  }

  async #read(stream: string, revision: number): Promise<Takedown> {
    return fold(takedown, await readStream(this.store, stream, { limit: revision + 1 }));
  }
}

/** What every message on `sejam.takedown.v1` carries, so that a consumer needs no other look-up. */
export function summaryOf({ takedownId, platform, product, contentKey, orders, category, status }: KnownTakedown): object {
  return { id: takedownId, platform, product, contentKey, category, status, round: orders.at(-1)?.round ?? 0 };
}
