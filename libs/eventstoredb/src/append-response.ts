import type { AppendResult, Position } from '@sejam/event-sourcing';
import { Fields, idIn, positionIn } from './read-fields.js';

/** One of `result` and `refusal`, unless the server says nothing. */
export interface AppendResponse {
  readonly correlationId: string;
  readonly result?: AppendResult;
  readonly refusal?: Refusal;
}

export interface Refusal {
  readonly message: string;
  /** Such as `event_store.client.AccessDenied`; empty when the server does not name any. */
  readonly reason: string;
  /** Where the stream is, for the reason `event_store.client.WrongExpectedVersion`. */
  readonly actual: number | 'no-stream';
}

/** Reads `event_store.client.streams.BatchAppendResp` from its bytes. Throws RangeError for bytes that are none. */
export function appendResponse(bytes: Buffer): AppendResponse {
  let correlationId = '';
  let outcome: Pick<AppendResponse, 'result' | 'refusal'> = {};
  for (const fields = new Fields(bytes); fields.next(); ) {
    if (fields.number === 1) correlationId = idIn(fields.part());
    else if (fields.number === 2) outcome = { refusal: refusalIn(fields.part()) };
    else if (fields.number === 3) outcome = { result: resultIn(fields.part()) };
  }
  return { correlationId, ...outcome };
}

function resultIn(fields: Fields): AppendResult {
  let revision = 0;
  let position: Position = { commit: '0', prepare: '0' };
  while (fields.next()) {
    if (fields.number === 1) revision = Number(fields.integer());
    else if (fields.number === 3) position = positionIn(fields.part());
  }
  return { revision, position };
}

/** Of `google.rpc.Status`. */
function refusalIn(fields: Fields): Refusal {
  let message = '';
  let details: Omit<Refusal, 'message'> = { reason: '', actual: 'no-stream' };
  while (fields.next()) {
    if (fields.number === 2) message = fields.text();
    else if (fields.number === 3) details = detailsIn(fields.part());
  }
  return { message, ...details };
}

/** Of `google.protobuf.Any`, which names the message that it holds by a URL. */
function detailsIn(fields: Fields): Omit<Refusal, 'message'> {
  let url = '';
  let value: Buffer = Buffer.alloc(0);
  while (fields.next()) {
    if (fields.number === 1) url = fields.text();
    else if (fields.number === 2) value = fields.bytes();
  }
  const reason = url.slice(url.lastIndexOf('/') + 1);
  return { reason, actual: reason === 'event_store.client.WrongExpectedVersion' ? actualIn(new Fields(value)) : 'no-stream' };
}

function actualIn(fields: Fields): number | 'no-stream' {
  let actual: number | 'no-stream' = 'no-stream';
  while (fields.next()) {
    if (fields.number === 1) actual = Number(fields.integer());
    else if (fields.number === 2) actual = 'no-stream';
  }
  return actual;
}
