import shared from '@eventstore/db-client/generated/shared_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import { describe, expect, it } from '@jest/globals';
import type { NewEvent } from '@sejam/event-sourcing';
import fc from 'fast-check';
import emptyMessage from 'google-protobuf/google/protobuf/empty_pb.js';
import timestamp from 'google-protobuf/google/protobuf/timestamp_pb.js';
import { appendRequest, type AppendRequest } from './append-request.js';

const text = fc.string({ unit: 'grapheme' });
const metadata = { at: '2024-11-27T00:00:00.000Z', by: { organisation: 'bnetza', holder: 'h-1' }, causationId: 'request:1', correlationId: 'c' };
const event: fc.Arbitrary<NewEvent> = fc.record({
  id: fc.uuid(), type: text, data: fc.dictionary(text, fc.jsonValue()), metadata: text.map((note) => ({ ...metadata, note })),
});
const request: fc.Arbitrary<AppendRequest> = fc.record({
  correlationId: fc.uuid(), stream: text, expected: fc.oneof(fc.maxSafeNat(), fc.constantFrom('no-stream' as const, 'any' as const)),
  deadlineMs: fc.integer({ min: 0, max: 4_000_000_000_000 }), events: fc.array(event, { minLength: 1, maxLength: 5 }),
});

function generated({ correlationId, stream, expected, deadlineMs, events }: AppendRequest): streams.BatchAppendReq {
  const identifier = new shared.StreamIdentifier();
  identifier.setStreamName(Buffer.from(stream));
  const options = new streams.BatchAppendReq.Options();
  options.setStreamIdentifier(identifier).setDeadline(timestamp.Timestamp.fromDate(new Date(deadlineMs)));
  if (expected === 'no-stream') options.setNoStream(new emptyMessage.Empty());
  else if (expected === 'any') options.setAny(new emptyMessage.Empty());
  else options.setStreamPosition(String(expected));
  const message = new streams.BatchAppendReq().setCorrelationId(uuid(correlationId)).setOptions(options).setIsFinal(true);
  for (const { id, type, data, metadata } of events) {
    const proposal = new streams.BatchAppendReq.ProposedMessage();
    proposal.setId(uuid(id)).setData(Buffer.from(JSON.stringify(data))).setCustomMetadata(Buffer.from(JSON.stringify(metadata)));
    proposal.getMetadataMap().set('type', type).set('content-type', 'application/json');
    message.addProposedMessages(proposal);
  }
  return message;
}

function uuid(id: string): shared.UUID {
  const message = new shared.UUID();
  message.setString(id);
  return message;
}

const read = (bytes: Buffer): streams.BatchAppendReq => streams.BatchAppendReq.deserializeBinary(bytes);

/** Through the wire, where the generated code tells fields that are not set from those that are empty. */
const overTheWire = (message: streams.BatchAppendReq): object => streams.BatchAppendReq.deserializeBinary(message.serializeBinary()).toObject();

describe('appendRequest', () => {
  it('writes what the generated code reads as the message that it would have written itself', () => {
    fc.assert(
      fc.property(request, (one) => {
        const frames = appendRequest(one);
        expect(frames.map((frame) => read(frame).toObject())).toEqual([overTheWire(generated(one))]);
      }),
    );
  });

  it('writes a large append in several messages, of which the first says what is asked and the last that it is complete', () => {
    const letters = fc.array(fc.nat({ max: 700_000 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(letters, fc.constantFrom('x', 'ß', '"'), (counts, letter) => {
        const events = counts.map((count, n): NewEvent => ({ id: `00000000-0000-7000-8000-00000000000${n}`, type: 'T', data: { text: letter.repeat(count) }, metadata }));
        const one: AppendRequest = { correlationId: '7d8f6f4b-8f0a-4b8e-9c53-0d1e8c8f8a10', stream: 's', expected: 3, deadlineMs: 1_700_000_000_123, events };
        const frames = appendRequest(one);
        const [first, ...further] = frames.map(read) as [streams.BatchAppendReq, ...streams.BatchAppendReq[]];
        expect([first, ...further].map((frame) => frame.getIsFinal())).toEqual(frames.map((_, n) => n === frames.length - 1));
        for (const frame of [first, ...further]) {
          expect(frame.getCorrelationId()?.getString()).toBe(one.correlationId);
          if (frame.getProposedMessagesList().length > 1) expect(frame.serializeBinary().length).toBeLessThan(1024 * 1024 + 2_000);
        }
        for (const frame of further) {
          expect(frame.hasOptions()).toBe(false);
          for (const proposal of frame.getProposedMessagesList()) first.addProposedMessages(proposal);
        }
        expect(Buffer.compare(first.setIsFinal(true).serializeBinary(), generated(one).serializeBinary())).toBe(0);
      }),
      { numRuns: 30, examples: [[[700_000, 700_000, 700_000], 'x'], [[700_000, 1], 'ß']] },
    );
  });

  it('refuses a revision that is none', () => {
    const one = { correlationId: '', stream: 's', deadlineMs: 0, events: [] };
    for (const expected of [-1, 1.5, Number.NaN, Number.MAX_SAFE_INTEGER + 1]) expect(() => appendRequest({ ...one, expected })).toThrow(RangeError);
  });
});
