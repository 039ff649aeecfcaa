import type { AppendOutcome, Expected } from '../record/event-record.js';
import { field, varintSize, writeVarint } from '../wire/protobuf.js';
import { Code } from '../wire/status.js';
import { uuidParts } from '../wire/uuid.js';
import type { AppendOptions } from './append-request.js';

const UUID_CHARACTERS = 36;

type Appended = AppendOutcome & { kind: 'appended' };
type Conflict = AppendOutcome & { kind: 'wrong-expected-version' };

/** AppendResp. */
export function appendAnswer(outcome: AppendOutcome, expected: Expected): Buffer {
  return outcome.kind === 'appended' ? field.message(1, success(outcome)) : field.message(2, ...conflictFields(outcome, expected));
}

/** BatchAppendResp of an append that took place, with its gRPC prefix: written in one go, because every append has one. */
export function framedBatchSuccess(correlationId: string, { stream, expected }: AppendOptions, { revision, position }: Appended): Buffer {
  const streamBytes = Buffer.byteLength(stream);
  const identifierBytes = 1 + varintSize(streamBytes) + streamBytes;
  const positionBytes = position === undefined ? 0 : 2 * (1 + varintSize(position));
  const successBytes = (revision < 0 ? 2 : 1 + varintSize(revision)) + 2 + positionBytes;
  const expectationBytes = typeof expected === 'number' ? 1 + varintSize(expected) : 2;
  const length = 4 + UUID_CHARACTERS + 2 + successBytes + 1 + varintSize(identifierBytes) + identifierBytes + expectationBytes;
  const target = Buffer.allocUnsafe(5 + length);
  target[0] = 0;
  target.writeUInt32BE(length, 1);
  let at = 5;
  target[at++] = 0x0a; target[at++] = 2 + UUID_CHARACTERS; target[at++] = 0x12; target[at++] = UUID_CHARACTERS;
  at += target.write(correlationId, at, UUID_CHARACTERS, 'latin1');
  target[at++] = 0x1a; target[at++] = successBytes;
  if (revision < 0) {
    target[at++] = 0x12; target[at++] = 0;
  } else {
    target[at++] = 0x08;
    at = writeVarint(target, at, revision);
  }
  if (position === undefined) {
    target[at++] = 0x22; target[at++] = 0;
  } else {
    target[at++] = 0x1a; target[at++] = positionBytes;
    target[at++] = 0x08;
    at = writeVarint(target, at, position);
    target[at++] = 0x10;
    at = writeVarint(target, at, position);
  }
  target[at++] = 0x22;
  at = writeVarint(target, at, identifierBytes);
  target[at++] = 0x1a;
  at = writeVarint(target, at, streamBytes);
  at += target.write(stream, at, streamBytes, 'utf8');
  if (typeof expected === 'number') {
    target[at++] = 0x28;
    writeVarint(target, at, expected);
  } else {
    target[at++] = { 'no-stream': 0x32, any: 0x3a, 'stream-exists': 0x42 }[expected];
    target[at] = 0;
  }
  return target;
}

/** What went wrong with a batch: code, message and the details by which clients know it. */
export interface BatchFailure {
  readonly code: number;
  readonly message: string;
  readonly details: { readonly type: string; readonly value: Buffer };
}

/**
 * BatchAppendResp of an append that did not. Details and stream are always there: some clients end their process without either.
 */
export function batchFailure(correlationId: string, about: { readonly stream: string; readonly expected?: Expected }, failure: BatchFailure): Buffer {
  const details = field.message(3, field.string(1, `type.googleapis.com/${failure.details.type}`), field.bytes(2, failure.details.value));
  const status = field.message(2, field.uint(1, failure.code), field.string(2, failure.message), details);
  return Buffer.concat([correlation(correlationId), status, streamAndExpectation(about)]);
}

const detail = (name: string, ...parts: Buffer[]) => ({ type: `event_store.client.${name}`, value: Buffer.concat(parts) });

export const failures = {
  wrongExpectedVersion: (outcome: Conflict, expected: Expected): BatchFailure => ({
    code: Code.alreadyExists,
    message: 'WrongExpectedVersion',
    details: detail('WrongExpectedVersion', outcome.current < 0 ? field.empty(2) : field.uint(1, outcome.current), expectation(expected, 3, 6, 4, 5)),
  }),
  accessDenied: (message: string): BatchFailure => ({ code: Code.permissionDenied, message, details: detail('AccessDenied') }),
  timeout: (): BatchFailure => ({ code: Code.deadlineExceeded, message: 'Timeout', details: detail('Timeout') }),
  maximumAppendSize: (bytes: number): BatchFailure => ({
    code: Code.invalidArgument,
    message: 'MaximumAppendSizeExceeded',
    details: detail('MaximumAppendSizeExceeded', field.uint(1, bytes)),
  }),
  badRequest: (message: string): BatchFailure => ({ code: Code.invalidArgument, message, details: detail('BadRequest', field.string(1, message)) }),
  notDurable: (message: string): BatchFailure => ({ code: Code.resourceExhausted, message, details: detail('Unknown') }),
  unavailable: (message: string): BatchFailure => ({ code: Code.unavailable, message, details: detail('Unknown') }),
  internal: (message: string): BatchFailure => ({ code: Code.internal, message, details: detail('Unknown') }),
};

function success(outcome: Appended): Buffer {
  const revision = outcome.revision < 0 ? field.empty(2) : field.uint(1, outcome.revision);
  const position = outcome.position === undefined ? field.empty(4) : field.message(3, field.uint(1, outcome.position), field.uint(2, outcome.position));
  return Buffer.concat([revision, position]);
}

/** The newer fields and those that clients of version 20.6 read. */
function conflictFields(outcome: Conflict, expected: Expected): Buffer[] {
  const old = expected === 'no-stream' ? field.maxUint(3) : expectation(expected, 3, 3, 4, 5);
  return outcome.current < 0
    ? [field.empty(2), old, field.empty(7), expectation(expected, 8, 11, 9, 10)]
    : [field.uint(1, outcome.current), old, field.uint(6, outcome.current), expectation(expected, 8, 11, 9, 10)];
}

function expectation(expected: Expected, revision: number, noStream: number, any: number, streamExists: number): Buffer {
  switch (expected) {
    case 'no-stream':
      return field.empty(noStream);
    case 'any':
      return field.empty(any);
    case 'stream-exists':
      return field.empty(streamExists);
    default:
      return field.uint(revision, expected);
  }
}

function correlation(id: string): Buffer {
  return field.bytes(1, uuidParts(id, false));
}

function streamAndExpectation({ stream, expected }: { readonly stream: string; readonly expected?: Expected }): Buffer {
  const identifier = field.message(4, field.string(3, stream));
  return expected === undefined ? identifier : Buffer.concat([identifier, expectation(expected, 5, 6, 7, 8)]);
}
