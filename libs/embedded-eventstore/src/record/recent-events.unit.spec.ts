import { describe, expect, it } from '@jest/globals';
import { RecentEvents } from './recent-events.js';
import { StoredEvent, eventBytes, writeEvent } from './stored-event.js';

/** An event of about `size` bytes at a position. */
function stored(position: number, size: number): StoredEvent {
  const event = { id: '11111111-2222-4333-8444-555555555555', type: 't', isJson: false, metadata: Buffer.alloc(0), data: Buffer.alloc(size) };
  const place = { stream: 's', streamBytes: 1, revision: 0, position, previousLength: 0, following: 0, createdMs: 1_700_000_000_000 };
  const length = eventBytes(event, place);
  const bytes = Buffer.alloc(length);
  writeEvent(bytes, 0, length, event, place);
  return new StoredEvent(bytes, 0, length);
}

describe('the newest events', () => {
  it('are handed out from any of them on, and what lies before is not known', () => {
    const recent = new RecentEvents();
    const events: StoredEvent[] = [];
    for (let index = 0, position = 64; index < 3000; index += 1) {
      const event = stored(position, 10_000);
      events.push(event);
      position = event.end;
      recent.add([event]);
    }
    const firstKept = events.findIndex(({ position }) => recent.at(position));
    expect(firstKept).toBeGreaterThan(1000);
    expect(events.slice(firstKept).reduce((sum, { length }) => sum + length, 0)).toBeLessThanOrEqual(16 * 1024 * 1024);
    expect(recent.from(events[firstKept - 1]!.position, 1000)).toBeUndefined();
    expect(recent.from(events[firstKept]!.position, 25_000)).toEqual(events.slice(firstKept, firstKept + 3));
    expect(recent.from(events.at(-1)!.position, 25_000)).toEqual([events.at(-1)]);
    expect(recent.from(events.at(-1)!.position + 1, 25_000)).toBeUndefined();
    expect(recent.from(events.at(-1)!.end, 25_000)).toBeUndefined();
  });

  it('are at least one, however large', () => {
    const recent = new RecentEvents();
    const large = stored(64, 20_000_000);
    recent.add([large]);
    expect(recent.at(64)).toBe(large);
  });
});
