import shared from '@eventstore/db-client/generated/shared_pb.js';
import grpcStatus from '@eventstore/db-client/generated/status_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import googleAny from 'google-protobuf/google/protobuf/any_pb.js';
import emptyMessage from 'google-protobuf/google/protobuf/empty_pb.js';
import { appendResponse } from './append-response.js';

const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String);
const text = fc.string({ unit: 'grapheme' });
const about = fc.record({ id: fc.uuid(), structured: fc.boolean(), stream: text, expected: fc.constantFrom('revision', 'no-stream', 'any', 'stream-exists') });
const success = fc.record({ revision: fc.option(uint64), position: fc.option(fc.record({ commit: uint64, prepare: uint64 })) });

type About = typeof about extends fc.Arbitrary<infer Value> ? Value : never;
type Success = typeof success extends fc.Arbitrary<infer Value> ? Value : never;

/** With what servers repeat of the request. */
function answerTo({ id, structured, stream, expected }: About): streams.BatchAppendResp {
  const uuid = new shared.UUID();
  if (structured) uuid.setStructured(halvesOf(id));
  else uuid.setString(id);
  const identifier = new shared.StreamIdentifier();
  identifier.setStreamName(Buffer.from(stream));
  const response = new streams.BatchAppendResp().setCorrelationId(uuid).setStreamIdentifier(identifier);
  if (expected === 'revision') return response.setStreamPosition('18446744073709551615');
  if (expected === 'no-stream') return response.setNoStream(new emptyMessage.Empty());
  return expected === 'any' ? response.setAny(new emptyMessage.Empty()) : response.setStreamExists(new emptyMessage.Empty());
}

function halvesOf(id: string): shared.UUID.Structured {
  const hex = id.replaceAll('-', '');
  const half = (digits: string): string => String(BigInt.asIntN(64, BigInt(`0x${digits}`)));
  const structured = new shared.UUID.Structured();
  structured.setMostSignificantBits(half(hex.slice(0, 16)));
  structured.setLeastSignificantBits(half(hex.slice(16)));
  return structured;
}

function successOf({ revision, position }: Success): streams.BatchAppendResp.Success {
  const done = new streams.BatchAppendResp.Success();
  if (revision === null) done.setNoStream(new emptyMessage.Empty());
  else done.setCurrentRevision(revision);
  if (position === null) return done.setNoPosition(new emptyMessage.Empty());
  const place = new shared.AllStreamPosition();
  place.setCommitPosition(position.commit);
  place.setPreparePosition(position.prepare);
  return done.setPosition(place);
}

function errorOf(message: string, reason?: string, details: Uint8Array = new Uint8Array()): grpcStatus.Status {
  const status = new grpcStatus.Status().setCode(6).setMessage(message);
  if (reason === undefined) return status;
  const any = new googleAny.Any();
  any.pack(details, reason);
  return status.setDetails(any);
}

function wrongVersion(actual: string | null): Uint8Array {
  const wrong = new shared.WrongExpectedVersion();
  if (actual === null) wrong.setCurrentNoStream(new emptyMessage.Empty());
  else wrong.setCurrentStreamRevision(actual);
  return wrong.setExpectedStreamPosition('7').serializeBinary();
}

const bytesOf = (message: streams.BatchAppendResp): Buffer => Buffer.from(message.serializeBinary());

/** A success and a refusal, with all that may be in either. */
const examples = [
  bytesOf(answerTo({ id: '7d8f6f4b-8f0a-4b8e-9c53-0d1e8c8f8a10', structured: true, stream: 'thing-1', expected: 'revision' }).setSuccess(successOf({ revision: '300', position: { commit: '18446744073709551615', prepare: '1' } }))),
  bytesOf(answerTo({ id: '7d8f6f4b-8f0a-4b8e-9c53-0d1e8c8f8a10', structured: false, stream: 'thing-1', expected: 'any' }).setError(errorOf('no', 'event_store.client.WrongExpectedVersion', wrongVersion('300')))),
];

describe('appendResponse', () => {
  it('reads every success as the generated code has written it, correlation ids of both forms included', () => {
    fc.assert(
      fc.property(about, success, (one, { revision, position }) => {
        expect(appendResponse(bytesOf(answerTo(one).setSuccess(successOf({ revision, position }))))).toEqual({
          correlationId: one.id,
          result: { revision: Number(revision ?? 0), position: position ?? { commit: '0', prepare: '0' } },
        });
      }),
    );
  });

  it('reads where the stream is that is not where it was expected, or that it is not there', () => {
    fc.assert(
      fc.property(about, text, fc.option(uint64), (one, message, actual) => {
        const reason = 'event_store.client.WrongExpectedVersion';
        expect(appendResponse(bytesOf(answerTo(one).setError(errorOf(message, reason, wrongVersion(actual)))))).toEqual({
          correlationId: one.id,
          refusal: { message, reason, actual: actual === null ? 'no-stream' : Number(actual) },
        });
      }),
    );
  });

  it('reads why else an append was refused, whatever the details hold', () => {
    const large = new shared.MaximumAppendSizeExceeded().setMaxappendsize(1_048_576).serializeBinary();
    const deleted = new shared.StreamDeleted().serializeBinary();
    const reasons = fc.constantFrom('MaximumAppendSizeExceeded', 'AccessDenied', 'StreamDeleted', 'Timeout', 'Unknown', 'BadRequest').map((name) => `event_store.client.${name}`);
    fc.assert(
      fc.property(about, text, fc.oneof(reasons, fc.constant(undefined)), fc.oneof(fc.constantFrom(large, deleted), fc.uint8Array()), (one, message, reason, details) => {
        expect(appendResponse(bytesOf(answerTo(one).setError(errorOf(message, reason, details))))).toEqual({
          correlationId: one.id,
          refusal: { message, reason: reason ?? '', actual: 'no-stream' },
        });
      }),
    );
  });

  it('knows an answer that says nothing, and takes the last of several', () => {
    const [succeeded, refused] = examples as [Buffer, Buffer];
    expect(appendResponse(Buffer.alloc(0))).toEqual({ correlationId: '' });
    expect(appendResponse(Buffer.concat([succeeded, refused]))).toEqual(appendResponse(refused));
    expect(appendResponse(Buffer.concat([refused, succeeded]))).toEqual(appendResponse(succeeded));
  });

  it('passes over fields of a later version of the protocol', () => {
    const later = Buffer.from([0xa2, 0x06, 2, 1, 2, 0xa8, 0x06, 5, 0xad, 0x06, 1, 2, 3, 4, 0xa9, 0x06, 1, 2, 3, 4, 5, 6, 7, 8]);
    for (const whole of examples) expect(appendResponse(Buffer.concat([later, whole, later]))).toEqual(appendResponse(whole));
  });

  it('throws RangeError and nothing else for bytes that are no answer, wherever they are wrong', () => {
    for (const whole of examples) expect(() => appendResponse(whole.subarray(0, -1))).toThrow(RangeError);
    expect(() => appendResponse(Buffer.alloc(12, 0xff))).toThrow(RangeError);
    const spoilt = fc.tuple(fc.constantFrom(...examples), fc.nat(), fc.nat({ max: 255 })).map(([whole, at, byte]) => Buffer.from(whole).fill(byte, at % whole.length, (at % whole.length) + 1));
    fc.assert(
      fc.property(fc.oneof(spoilt, fc.uint8Array().map((bytes) => Buffer.from(bytes))), fc.nat(), (bytes, end) => {
        try {
          appendResponse(bytes.subarray(0, end % (bytes.length + 1)));
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
