import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import empty from 'google-protobuf/google/protobuf/empty_pb.js';
import timestamp from 'google-protobuf/google/protobuf/timestamp_pb.js';
import { field } from '../wire/protobuf.js';
import type { Expected } from '../record/event-record.js';
import { appendAnswer, batchFailure, failures, framedBatchSuccess } from './append-answers.js';
import { readAppendRequest, readBatchRequest } from './append-request.js';

const { AppendReq, AppendResp, BatchAppendReq, BatchAppendResp } = streams;
const ID = '11111111-2222-4333-8444-555555555555';

const expectations: fc.Arbitrary<Expected> = fc.oneof(fc.nat(), fc.constantFrom<Expected>('no-stream', 'any', 'stream-exists'));
const events = fc.record({
  id: fc.uuid(),
  type: fc.string({ minLength: 1 }),
  isJson: fc.boolean(),
  metadata: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  data: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
});
type Proposed = Parameters<typeof fill>[1];

const identifier = (stream: string) => {
  const message = new shared.StreamIdentifier();
  message.setStreamName(Buffer.from(stream).toString('base64'));
  return message;
};
const uuid = (text: string) => {
  const message = new shared.UUID();
  message.setString(text);
  return message;
};

function fill<Message extends InstanceType<typeof AppendReq.ProposedMessage> | InstanceType<typeof BatchAppendReq.ProposedMessage>>(
  message: Message,
  event: { id: string; type: string; isJson: boolean; metadata: Buffer; data: Buffer },
): Message {
  message.setId(uuid(event.id));
  message.getMetadataMap().set('type', event.type).set('content-type', event.isJson ? 'application/json' : 'application/octet-stream');
  message.setCustomMetadata(event.metadata.toString('base64'));
  message.setData(event.data.toString('base64'));
  return message;
}

function batch(stream: string, expected: Expected, proposed: Proposed[], isFinal: boolean) {
  const options = new BatchAppendReq.Options();
  options.setStreamIdentifier(identifier(stream));
  if (expected === 'no-stream') options.setNoStream(new empty.Empty());
  else if (expected === 'any') options.setAny(new empty.Empty());
  else if (expected === 'stream-exists') options.setStreamExists(new empty.Empty());
  else options.setStreamPosition(String(expected));
  const request = new BatchAppendReq();
  request.setCorrelationId(uuid(ID));
  request.setOptions(options);
  request.setProposedMessagesList(proposed.map((event) => fill(new BatchAppendReq.ProposedMessage(), event)));
  request.setIsFinal(isFinal);
  return request;
}

describe('requests to append', () => {
  it('are read as the official messages write them', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: 'grapheme' }), expectations, fc.array(events, { maxLength: 4 }), fc.boolean(), (stream, expected, proposed, isFinal) => {
        const read = readBatchRequest(Buffer.from(batch(stream, expected, proposed, isFinal).serializeBinary()), 0);
        expect(read).toEqual({ correlationId: ID, options: { stream, expected, deadlineMs: undefined }, events: proposed, isFinal });
        for (const event of proposed) {
          const single = new AppendReq();
          single.setProposedMessage(fill(new AppendReq.ProposedMessage(), event));
          expect(readAppendRequest(Buffer.from(single.serializeBinary()))).toEqual({ event });
        }
      }),
    );
  });

  it('carry a deadline as a time or as a duration', () => {
    const request = batch('s', 'any', [], true);
    const at = new timestamp.Timestamp();
    at.fromDate(new Date(1_700_000_000_250));
    request.getOptions()!.setDeadline(at);
    expect(readBatchRequest(Buffer.from(request.serializeBinary()), 5).options?.deadlineMs).toBe(1_700_000_000_250);
    // The official client of 2022 does not know the duration yet; later ones send it.
    const wait = field.message(2, field.message(1, field.string(3, 's')), field.empty(4), field.message(7, field.uint(1, 2), field.uint(2, 500_000_000)));
    expect(readBatchRequest(wait, 1000).options?.deadlineMs).toBe(3500);
  });

  it('take ids as two numbers', () => {
    const structured = new shared.UUID.Structured();
    structured.setMostSignificantBits('16385');
    structured.setLeastSignificantBits('-2');
    const id = new shared.UUID();
    id.setStructured(structured);
    const request = batch('s', 'any', [], true);
    request.setCorrelationId(id);
    expect(readBatchRequest(Buffer.from(request.serializeBinary()), 0).correlationId).toBe('00000000-0000-4001-ffff-fffffffffffe');
  });

  it.each([
    ['type', 'content-type'],
    ['content-type', 'type'],
  ])('without the metadata %s are refused by name', (missing, given) => {
    const message = fill(new AppendReq.ProposedMessage(), { id: ID, type: 't', isJson: true, metadata: Buffer.alloc(0), data: Buffer.alloc(0) });
    message.getMetadataMap().del(missing);
    const request = new AppendReq();
    request.setProposedMessage(message);
    expect(message.getMetadataMap().get(given)).toBeDefined();
    expect(() => readAppendRequest(Buffer.from(request.serializeBinary()))).toThrow(`'${missing}' is missing`);
  });
});

describe('answers to appends', () => {
  it('say where the last event lies', () => {
    const success = AppendResp.deserializeBinary(appendAnswer({ kind: 'appended', revision: 4, position: 2 ** 40 }, 'any')).getSuccess()!;
    expect(success.getCurrentRevision()).toBe('4');
    expect(success.getPosition()!.getCommitPosition()).toBe(String(2 ** 40));
    expect(success.getPosition()!.getPreparePosition()).toBe(String(2 ** 40));
    const nothing = AppendResp.deserializeBinary(appendAnswer({ kind: 'appended', revision: -1, position: undefined }, 'any')).getSuccess()!;
    expect(nothing.hasNoStream()).toBe(true);
    expect(nothing.hasNoPosition()).toBe(true);
  });

  it('name a conflict in the new fields and in those of version 20.6', () => {
    const read = (current: number, expected: Expected) => AppendResp.deserializeBinary(appendAnswer({ kind: 'wrong-expected-version', current }, expected)).getWrongExpectedVersion()!;
    const exact = read(7, 3);
    expect([exact.getCurrentRevision(), exact.getExpectedRevision(), exact.getCurrentRevision2060(), exact.getExpectedRevision2060()].map(Number)).toEqual([7, 3, 7, 3]);
    const none = read(-1, 'stream-exists');
    expect([none.hasCurrentNoStream(), none.hasNoStream2060(), none.hasExpectedStreamExists(), none.hasStreamExists2060()]).toEqual([true, true, true, true]);
    const fresh = read(0, 'no-stream');
    expect([fresh.getCurrentRevision(), fresh.hasExpectedNoStream(), Number(fresh.getExpectedRevision2060())]).toEqual(['0', true, 2 ** 64]);
  });

  it('in a batch say of an append that took place what the official messages say, whatever it is', () => {
    const outcomes = fc.record({ kind: fc.constant('appended' as const), revision: fc.oneof(fc.constant(-1), fc.nat(), fc.maxSafeNat()), position: fc.option(fc.maxSafeNat(), { nil: undefined }) });
    fc.assert(
      fc.property(fc.uuid(), fc.string({ unit: 'binary', minLength: 1, maxLength: 300 }), expectations, outcomes, (id, stream, expected, outcome) => {
        const framed = framedBatchSuccess(id, { stream, expected }, outcome);
        expect([framed[0], framed.readUInt32BE(1)]).toEqual([0, framed.length - 5]);
        const official = new BatchAppendResp();
        official.setCorrelationId(uuid(id));
        const success = new BatchAppendResp.Success();
        if (outcome.revision < 0) success.setNoStream(new empty.Empty());
        else success.setCurrentRevision(String(outcome.revision));
        if (outcome.position === undefined) success.setNoPosition(new empty.Empty());
        else {
          const position = new shared.AllStreamPosition();
          position.setCommitPosition(String(outcome.position));
          position.setPreparePosition(String(outcome.position));
          success.setPosition(position);
        }
        official.setSuccess(success);
        official.setStreamIdentifier(identifier(stream));
        if (expected === 'no-stream') official.setNoStream(new empty.Empty());
        else if (expected === 'any') official.setAny(new empty.Empty());
        else if (expected === 'stream-exists') official.setStreamExists(new empty.Empty());
        else official.setStreamPosition(String(expected));
        expect(BatchAppendResp.deserializeBinary(framed.subarray(5)).toObject()).toEqual(BatchAppendResp.deserializeBinary(official.serializeBinary()).toObject());
      }),
    );
  });

  it('in a batch carry the correlation id, the stream and, when refused, always details', () => {
    const options = { stream: 'größe-1', expected: 2 } as const;
    const all = [
      failures.wrongExpectedVersion({ kind: 'wrong-expected-version', current: 5 }, 2),
      failures.accessDenied('no'),
      failures.timeout(),
      failures.maximumAppendSize(10),
      failures.badRequest('bad'),
      failures.notDurable('full'),
    ];
    const answers = all.map((failure) => BatchAppendResp.deserializeBinary(batchFailure(ID, options, failure)));
    for (const answer of answers) {
      expect(answer.getCorrelationId()!.getString()).toBe(ID);
      expect(Buffer.from(answer.getStreamIdentifier()!.getStreamName_asU8()).toString()).toBe('größe-1');
      expect(answer.getStreamPosition()).toBe('2');
    }
    const details = answers.map((answer) => answer.getError()!.getDetails()!);
    expect(details.map((any) => any.getTypeUrl().replace('type.googleapis.com/event_store.client.', ''))).toEqual([
      'WrongExpectedVersion', 'AccessDenied', 'Timeout', 'MaximumAppendSizeExceeded', 'BadRequest', 'Unknown',
    ]);
    const conflict = details[0]!.unpack(shared.WrongExpectedVersion.deserializeBinary.bind(shared.WrongExpectedVersion), 'event_store.client.WrongExpectedVersion')!;
    expect([conflict.getCurrentStreamRevision(), conflict.getExpectedStreamPosition()]).toEqual(['5', '2']);
    expect(details[3]!.unpack(shared.MaximumAppendSizeExceeded.deserializeBinary.bind(shared.MaximumAppendSizeExceeded), 'event_store.client.MaximumAppendSizeExceeded')!.getMaxappendsize()).toBe(10);
  });
});
