import type { StoredEvent } from './stored-event.js';

const KEPT_BYTES = 16 * 1024 * 1024;
const COMPACT_AT = 4096;

/** The newest durable events, in memory for readers that are near the end: subscriptions that are live read nothing from disk. */
export class RecentEvents {
  private events: (StoredEvent | undefined)[] = [];
  /** Before this index are the empty places of events that have been dropped. */
  private first = 0;
  private bytes = 0;

  add(events: readonly StoredEvent[]): void {
    for (const event of events) {
      this.events.push(event);
      this.bytes += event.length;
    }
    while (this.bytes > KEPT_BYTES && this.first < this.events.length - 1) {
      this.bytes -= this.events[this.first]!.length;
      this.events[this.first] = undefined;
      this.first += 1;
    }
    if (this.first < COMPACT_AT || this.first < this.events.length / 2) return;
    this.events = this.events.slice(this.first);
    this.first = 0;
  }

  /** The event at this position, if it is kept. */
  at(position: number): StoredEvent | undefined {
    const event = this.events[this.indexOf(position)];
    return event?.position === position ? event : undefined;
  }

  /** Events from this position on, at least one, then about `maxBytes`; undefined when they must be read from disk. */
  from(position: number, maxBytes: number): StoredEvent[] | undefined {
    const start = this.indexOf(position);
    if (this.events[start]?.position !== position) return undefined;
    let end = start;
    for (let taken = 0; end < this.events.length && taken < maxBytes; end += 1) taken += this.events[end]!.length;
    return this.events.slice(start, end) as StoredEvent[];
  }

  /** The first event at or behind a position. */
  private indexOf(position: number): number {
    let low = this.first;
    let high = this.events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.events[middle]!.position < position) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
