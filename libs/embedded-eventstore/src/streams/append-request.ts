import { ProtoReader } from '../wire/protobuf.js';
import { invalidArgument, missingMetadata } from '../wire/status.js';
import { EMPTY_UUID, readUuid } from '../wire/uuid.js';
import type { Expected } from '../record/event-record.js';
import type { ProposedEvent } from '../record/stored-event.js';

const NOTHING = Buffer.alloc(0);

/** Stream and expectation, as the first message of an append and of a batch carry them. */
export interface AppendOptions {
  readonly stream: string;
  readonly expected: Expected;
}

export interface BatchOptions extends AppendOptions {
  /** When the client gives up, wall milliseconds since 1970. */
  readonly deadlineMs: number | undefined;
}

export interface BatchRequest {
  readonly correlationId: string;
  readonly options: BatchOptions | undefined;
  readonly events: ProposedEvent[];
  readonly isFinal: boolean;
}

/** AppendReq: either the options or one event. */
export function readAppendRequest(bytes: Buffer): { options?: AppendOptions; event?: ProposedEvent } {
  const reader = new ProtoReader(bytes);
  const request: { options?: AppendOptions; event?: ProposedEvent } = {};
  while (reader.next()) {
    if (reader.field === 1) request.options = readOptions(reader.message());
    else if (reader.field === 2) request.event = readProposed(reader.message());
    else reader.skip();
  }
  return request;
}

/**
 * The correlation id, and the stream when this is the first fragment of its append, so that a faulty request can still be answered
 * once and as clients expect it.
 */
export function peekBatchRequest(bytes: Buffer): { correlationId: string; stream: string | undefined } {
  const reader = new ProtoReader(bytes);
  let correlationId = EMPTY_UUID;
  let stream: string | undefined;
  while (reader.next()) {
    if (reader.field === 1) correlationId = readUuid(reader.message());
    else if (reader.field === 2) {
      const options = reader.message();
      stream = '';
      while (options.next()) {
        if (options.field === 1) stream = readStreamName(options.message());
        else options.skip();
      }
    } else reader.skip();
  }
  return { correlationId, stream };
}

export function readBatchRequest(bytes: Buffer, nowMs: number): BatchRequest {
  const reader = new ProtoReader(bytes);
  let correlationId = EMPTY_UUID;
  let options: BatchOptions | undefined;
  const events: ProposedEvent[] = [];
  let isFinal = false;
  while (reader.next()) {
    if (reader.field === 1) correlationId = readUuid(reader.message());
    else if (reader.field === 2) options = readBatchOptions(reader.message(), nowMs);
    else if (reader.field === 3) events.push(readProposed(reader.message()));
    else if (reader.field === 4) isFinal = reader.bool();
    else reader.skip();
  }
  return { correlationId, options, events, isFinal };
}

function readOptions(reader: ProtoReader): AppendOptions {
  return readBatchOptions(reader, 0);
}

function readBatchOptions(reader: ProtoReader, nowMs: number): BatchOptions {
  let stream: string | undefined;
  let expected: Expected | undefined;
  let deadlineMs: number | undefined;
  while (reader.next()) {
    switch (reader.field) {
      case 1:
        stream = readStreamName(reader.message());
        break;
      case 2:
        expected = reader.uint();
        break;
      case 3:
        reader.skip();
        expected = 'no-stream';
        break;
      case 4:
        reader.skip();
        expected = 'any';
        break;
      case 5:
        reader.skip();
        expected = 'stream-exists';
        break;
      case 6:
        deadlineMs = readSeconds(reader.message());
        break;
      case 7:
        deadlineMs = nowMs + readSeconds(reader.message());
        break;
      default:
        reader.skip();
    }
  }
  if (stream === undefined) throw invalidArgument('Required field StreamIdentifier not set.');
  if (expected === undefined) throw invalidArgument('Required field expected stream revision not set.');
  return { stream, expected, deadlineMs };
}

export function readStreamName(reader: ProtoReader): string {
  let name = '';
  while (reader.next()) {
    if (reader.field === 3) name = reader.string();
    else reader.skip();
  }
  return name;
}

/** Timestamp and Duration look the same: seconds and nanoseconds. In milliseconds. */
function readSeconds(reader: ProtoReader): number {
  let seconds = 0;
  let nanos = 0;
  while (reader.next()) {
    if (reader.field === 1) seconds = reader.int();
    else if (reader.field === 2) nanos = reader.int();
    else reader.skip();
  }
  return seconds * 1000 + nanos / 1e6;
}

/** ProposedMessage, the same in AppendReq and BatchAppendReq. Its buffers are views of the request. */
function readProposed(reader: ProtoReader): ProposedEvent {
  let id = EMPTY_UUID;
  let type: string | undefined;
  let contentType: string | undefined;
  let metadata: Buffer = NOTHING;
  let data: Buffer = NOTHING;
  while (reader.next()) {
    switch (reader.field) {
      case 1:
        id = readUuid(reader.message());
        break;
      case 2: {
        const entry = readMapEntry(reader.message());
        if (entry.key === 'type') type = entry.value;
        else if (entry.key === 'content-type') contentType = entry.value;
        break;
      }
      case 3:
        metadata = reader.view();
        break;
      case 4:
        data = reader.view();
        break;
      default:
        reader.skip();
    }
  }
  if (type === undefined) throw missingMetadata('type');
  if (contentType === undefined) throw missingMetadata('content-type');
  if (type === '') throw invalidArgument('Empty eventType provided.');
  if (id === EMPTY_UUID) throw invalidArgument('Empty eventId provided.');
  return { id, type, isJson: contentType === 'application/json', metadata, data };
}

function readMapEntry(reader: ProtoReader): { key: string; value: string } {
  let key = '';
  let value = '';
  while (reader.next()) {
    if (reader.field === 1) key = reader.string();
    else if (reader.field === 2) value = reader.string();
    else reader.skip();
  }
  return { key, value };
}

