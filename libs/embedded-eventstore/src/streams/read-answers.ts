import type { StoredEvent } from '../record/stored-event.js';
import { field, varintSize, writeVarint } from '../wire/protobuf.js';
import { uuidParts } from '../wire/uuid.js';

/** An event as it is sent; with links resolved, `link` is what was read and `event` what it points to, if that exists. */
export interface Resolved {
  readonly event: StoredEvent | undefined;
  readonly link: StoredEvent | undefined;
}

const nested = (length: number) => 1 + varintSize(length) + length;

/** ReadResp messages for these events, each with its gRPC prefix, in one buffer. */
export function framedEvents(events: readonly StoredEvent[]): Buffer {
  let total = 0;
  const sizes: number[] = [];
  for (const event of events) {
    const recorded = event.recorded.length;
    const readEvent = nested(recorded) + 1 + varintSize(event.position);
    sizes.push(recorded, readEvent);
    total += 5 + nested(readEvent);
  }
  const target = Buffer.allocUnsafeSlow(total);
  let at = 0;
  for (const [index, event] of events.entries()) {
    const recorded = sizes[index * 2]!;
    const readEvent = sizes[index * 2 + 1]!;
    target[at] = 0;
    target.writeUInt32BE(nested(readEvent), at + 1);
    at += 5;
    target[at++] = 0x0a;
    at = writeVarint(target, at, readEvent);
    target[at++] = 0x0a;
    at = writeVarint(target, at, recorded);
    at += event.copyRecorded(target, at);
    target[at++] = 0x18;
    at = writeVarint(target, at, event.position);
  }
  return target;
}

/** One ReadResp in the less common forms: ids as two numbers, or with a link. */
export function readEvent({ event, link }: Resolved, structuredIds: boolean): Buffer {
  const parts: Buffer[] = [];
  if (event) parts.push(field.bytes(1, recordedEvent(event, structuredIds)));
  if (link) parts.push(field.bytes(2, recordedEvent(link, structuredIds)));
  parts.push(field.uint(3, (link ?? event)!.position));
  return field.message(1, ...parts);
}

function recordedEvent(event: StoredEvent, structuredIds: boolean): Buffer {
  return structuredIds ? Buffer.concat([field.bytes(1, uuidParts(event.id, true)), event.recordedWithoutId]) : event.recorded;
}

export const readAnswers = {
  confirmation: (subscriptionId: string): Buffer => field.message(2, field.string(1, subscriptionId)),
  checkpoint: (position: number): Buffer => field.message(3, field.uint(1, position), field.uint(2, position)),
  streamNotFound: (stream: string): Buffer => field.message(4, field.message(1, field.string(3, stream))),
  firstStreamPosition: (revision: number): Buffer => field.uint(5, revision),
  lastStreamPosition: (revision: number): Buffer => field.uint(6, revision),
  caughtUp: (): Buffer => field.empty(8),
};
