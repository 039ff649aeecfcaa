import type { NewEvent } from '@sejam/event-sourcing';
import { bytesOf, integer, message, text, type Field } from './write-fields.js';

/** Far below what a server takes in one message (4 MiB), so that a large append goes in several. */
const frameBytes = 1024 * 1024;

export type Expected = number | 'no-stream' | 'any';

export interface AppendRequest {
  /** A UUID, by which the server answers. */
  readonly correlationId: string;
  readonly stream: string;
  readonly expected: Expected;
  /** Milliseconds since 1970; the server refuses what comes later. */
  readonly deadlineMs: number;
  readonly events: readonly NewEvent[];
}

/**
 * An append as `event_store.client.streams.BatchAppendReq` in its bytes, in several messages when it is large, to be sent in
 * this order: the first says what is asked, and the last that it is complete. Written here at under a third of what the generated code
 * takes, since whoever records does so on the one thread that also answers requests. Throws RangeError when `expected` is no revision.
 */
export function appendRequest({ correlationId, stream, expected, deadlineMs, events }: AppendRequest): Buffer[] {
  const id = message(1, [text(2, correlationId)]);
  const frames: Buffer[] = [];
  let fields = [id, optionsOf(stream, expected, deadlineMs)];
  let bytes = 0;
  for (const event of events) {
    const metadata = text(3, JSON.stringify(event.metadata));
    const data = text(4, JSON.stringify(event.data));
    const size = metadata.length + data.length;
    if (bytes > 0 && bytes + size > frameBytes) {
      frames.push(bytesOf(fields));
      fields = [id];
      bytes = 0;
    }
    bytes += size;
    fields.push(message(3, [message(1, [text(2, event.id)]), message(2, [typeKey, text(2, event.type)]), contentType, metadata, data]));
  }
  fields.push(integer(4, 1));
  frames.push(bytesOf(fields));
  return frames;
}

const typeKey = text(1, 'type');
const contentType = message(2, [text(1, 'content-type'), text(2, 'application/json')]);

function optionsOf(stream: string, expected: Expected, deadlineMs: number): Field {
  const deadline = [integer(1, Math.floor(deadlineMs / 1000)), integer(2, Math.floor(deadlineMs % 1000) * 1_000_000)];
  return message(2, [message(1, [text(3, stream)]), expectation(expected), message(6, deadline)]);
}

function expectation(expected: Expected): Field {
  if (expected === 'no-stream') return message(3, []);
  if (expected === 'any') return message(4, []);
  return integer(2, expected);
}
