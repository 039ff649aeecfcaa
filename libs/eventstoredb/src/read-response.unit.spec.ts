import shared from '@eventstore/db-client/generated/shared_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { toUuidText } from './read-fields.js';
import { readResponse } from './read-response.js';

const { ReadEvent } = streams.ReadResp;

const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String);
const recorded = fc.record({
  id: fc.uuid(), structured: fc.boolean(), stream: fc.string({ unit: 'grapheme' }), revision: uint64, commit: uint64, prepare: uint64,
  header: fc.dictionary(fc.string(), fc.string()), type: fc.string({ unit: 'grapheme' }), created: uint64,
  data: fc.uint8Array({ maxLength: 300 }), metadata: fc.uint8Array({ maxLength: 300 }),
});

function written({ id, structured, stream, revision, commit, prepare, header, type, created, data, metadata }: typeof recorded extends fc.Arbitrary<infer Value> ? Value : never): Buffer {
  const event = new ReadEvent.RecordedEvent();
  event.setId(structured ? new shared.UUID().setStructured(halvesOf(id)) : uuidText(id));
  const name = new shared.StreamIdentifier();
  name.setStreamName(Buffer.from(stream));
  event.setStreamIdentifier(name);
  event.setStreamRevision(revision);
  event.setCommitPosition(commit);
  event.setPreparePosition(prepare);
  for (const [key, value] of Object.entries(header)) event.getMetadataMap().set(key, value);
  event.getMetadataMap().set('type', type).set('created', created);
  event.setData(data);
  event.setCustomMetadata(metadata);
  return bytesOf(new streams.ReadResp().setEvent(new ReadEvent().setEvent(event).setCommitPosition(commit)));
}

function halvesOf(id: string): shared.UUID.Structured {
  const hex = id.replaceAll('-', '');
  const half = (text: string): string => String(BigInt.asIntN(64, BigInt(`0x${text}`)));
  const structured = new shared.UUID.Structured();
  structured.setMostSignificantBits(half(hex.slice(0, 16)));
  structured.setLeastSignificantBits(half(hex.slice(16)));
  return structured;
}

function uuidText(id: string): shared.UUID {
  const uuid = new shared.UUID();
  uuid.setString(id);
  return uuid;
}

const bytesOf = (message: streams.ReadResp): Buffer => Buffer.from(message.serializeBinary());

describe('readResponse', () => {
  it('reads every event as the generated code has written it, large numbers and ids of both forms included', () => {
    fc.assert(
      fc.property(recorded, (one) => {
        const { id, stream, revision, commit, prepare, type, created, data, metadata } = one;
        expect(readResponse(written(one))).toEqual({ event: { id, stream, revision, commit, prepare, type, created, data: Buffer.from(data), metadata: Buffer.from(metadata) } });
      }),
    );
  });

  it('knows what a server says beside events', () => {
    const { Checkpoint, SubscriptionConfirmation, StreamNotFound, CaughtUp, FellBehind } = streams.ReadResp;
    const checkpoint = new Checkpoint();
    checkpoint.setCommitPosition('18446744073709551615');
    checkpoint.setPreparePosition('7');
    expect(readResponse(bytesOf(new streams.ReadResp().setCheckpoint(checkpoint)))).toEqual({ checkpoint: { commit: '18446744073709551615', prepare: '7' } });
    expect(readResponse(bytesOf(new streams.ReadResp().setConfirmation(new SubscriptionConfirmation())))).toEqual({ says: 'confirmed' });
    expect(readResponse(bytesOf(new streams.ReadResp().setStreamNotFound(new StreamNotFound())))).toEqual({ says: 'stream-not-found' });
    expect(readResponse(bytesOf(new streams.ReadResp().setCaughtUp(new CaughtUp())))).toEqual({ says: 'caught-up' });
    expect(readResponse(bytesOf(new streams.ReadResp().setFellBehind(new FellBehind())))).toEqual({ says: 'fell-behind' });
    expect(readResponse(bytesOf(new streams.ReadResp().setLastStreamPosition('4')))).toEqual({});
  });

  it('passes over a link whose event is gone', () => {
    const link = new ReadEvent.RecordedEvent();
    link.setStreamRevision('3');
    expect(readResponse(bytesOf(new streams.ReadResp().setEvent(new ReadEvent().setLink(link))))).toEqual({});
  });

  it('refuses what ends too early, or never, and passes over fields of a later version of the protocol', () => {
    const whole = written({ id: '01890f3e-7c4b-7cc2-98c4-dc0c0c07398f', structured: false, stream: 's', revision: '1', commit: '2', prepare: '3', header: {}, type: 't', created: '4', data: Uint8Array.of(1), metadata: Uint8Array.of() });
    expect(() => readResponse(whole.subarray(0, -1))).toThrow(RangeError);
    expect(() => readResponse(Buffer.alloc(12, 0xff))).toThrow(RangeError);
    expect(() => readResponse(Buffer.concat([whole, Buffer.from([0xa9, 0x06, 1, 2])]))).toThrow(RangeError);
    const later = Buffer.from([0xa2, 0x06, 2, 1, 2, 0xa8, 0x06, 5, 0xad, 0x06, 1, 2, 3, 4, 0xa9, 0x06, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(readResponse(Buffer.concat([later, whole, later]))).toEqual(readResponse(whole));
  });

  it('writes a UUID of two numbers as text, signed or not', () => {
    expect(toUuidText('-1', '18446744073709551615')).toBe('ffffffff-ffff-ffff-ffff-ffffffffffff');
    expect(toUuidText('1', '0')).toBe('00000000-0000-0001-0000-000000000000');
  });
});
