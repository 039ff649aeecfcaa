import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import { framedEvents, readEvent } from '../streams/read-answers.js';
import { StoredEvent, eventBytes, parseEvent, writeEvent, type Placement, type ProposedEvent } from './stored-event.js';

const names = fc.string({ minLength: 1, maxLength: 300, unit: 'grapheme' });
const proposed: fc.Arbitrary<ProposedEvent> = fc.record({
  id: fc.uuid(),
  type: names,
  isJson: fc.boolean(),
  metadata: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  data: fc.uint8Array({ maxLength: 20_000 }).map((bytes) => Buffer.from(bytes)),
});
const placed = fc.record({
  stream: names,
  revision: fc.maxSafeNat(),
  position: fc.integer({ min: 0, max: 2 ** 52 }),
  previousLength: fc.nat(),
  following: fc.nat(),
  createdMs: fc.integer({ min: 1_000_000_000_000, max: 4_000_000_000_000 }),
}).map((place): Placement => ({ ...place, streamBytes: Buffer.byteLength(place.stream) }));

function stored(event: ProposedEvent, place: Placement): Buffer {
  const length = eventBytes(event, place);
  const bytes = Buffer.alloc(length);
  writeEvent(bytes, 0, length, event, place);
  return bytes;
}

function parsed(event: ProposedEvent, place: Placement): StoredEvent {
  const result = parseEvent(stored(event, place), 0, place.position);
  if (result.kind !== 'event') throw new Error(result.kind);
  return result.event;
}

describe('an event in the record', () => {
  it('is found again as it was written, and sent as the official messages read it', () => {
    fc.assert(
      fc.property(proposed, placed, (event, place) => {
        const found = parsed(event, place);
        expect({ id: found.id, type: found.type, stream: found.stream, revision: found.revision, position: found.position }).toEqual({
          id: event.id, type: event.type, stream: place.stream, revision: place.revision, position: place.position,
        });
        expect({ previousLength: found.previousLength, following: found.following, createdMs: found.createdMs }).toEqual({
          previousLength: place.previousLength, following: place.following, createdMs: place.createdMs,
        });
        for (const [structured, message] of [[false, framedEvents([found]).subarray(5)], [true, readEvent({ event: found, link: undefined }, true)]] as const) {
          const sent = streams.ReadResp.deserializeBinary(message).getEvent()!;
          const recorded = sent.getEvent()!;
          expect(recorded.getId()!.hasStructured()).toBe(structured);
          expect(recorded.getId()!.getString()).toBe(structured ? '' : event.id);
          expect(Buffer.from(recorded.getStreamIdentifier()!.getStreamName_asU8()).toString()).toBe(place.stream);
          expect([recorded.getStreamRevision(), recorded.getCommitPosition(), recorded.getPreparePosition(), sent.getCommitPosition()].map(Number)).toEqual([
            place.revision, place.position, place.position, place.position,
          ]);
          expect(recorded.getMetadataMap().toArray().sort()).toEqual([
            ['content-type', event.isJson ? 'application/json' : 'application/octet-stream'], ['created', `${place.createdMs}0000`], ['type', event.type],
          ]);
          expect(Buffer.from(recorded.getData_asU8())).toEqual(event.data);
          expect(Buffer.from(recorded.getCustomMetadata_asU8())).toEqual(event.metadata);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('with any bit turned over is not taken for one', () => {
    fc.assert(
      fc.property(proposed, placed, fc.nat(), (event, place, at) => {
        const bytes = stored(event, place);
        const bit = at % (bytes.length * 8);
        bytes[bit >> 3]! ^= 1 << (bit & 7);
        expect(parseEvent(bytes, 0, place.position).kind).not.toBe('event');
      }),
      { numRuns: 300 },
    );
  });

  it('cut off anywhere is incomplete, and at another place is not it', () => {
    const event = { id: '11111111-2222-4333-8444-555555555555', type: 'Opened', isJson: true, metadata: Buffer.alloc(0), data: Buffer.from('{}') };
    const bytes = stored(event, { stream: 's', streamBytes: 1, revision: 0, position: 640, previousLength: 0, following: 0, createdMs: 1_700_000_000_000 });
    for (let length = 0; length < bytes.length; length += 1) expect(parseEvent(bytes.subarray(0, length), 0, 640).kind).toBe('incomplete');
    expect(parseEvent(bytes, 0, 641).kind).toBe('broken');
  });
});
