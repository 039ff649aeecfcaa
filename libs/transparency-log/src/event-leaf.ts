import { sha256, type Hash } from './hashing.js';

/** What the log covers of one event. `data` and `metadata` are JSON text, exactly as `JSON.stringify` writes the stored value. */
export interface LoggedEvent {
  readonly stream: string;
  readonly revision: number;
  /** A uuid in lower case. */
  readonly id: string;
  readonly type: string;
  readonly data: Uint8Array | string;
  readonly metadata: Uint8Array | string;
}

export const LEAF_VERSION = 'sejam.event.v1';

/**
 * Whether the log covers what stands in a stream. The store's own streams, its notice that a stream was deleted, and the copies that the embedded
 * bus keeps in it are no part of the record.
 */
export function isLogged({ stream, type }: { readonly stream: string; readonly type?: string }): boolean {
  return !stream.startsWith('topic-') && !stream.startsWith('$') && type !== '$streamDeleted';
}

/**
 * The leaf of an event, docs/audit-format.md: seven fields, each after its length as four bytes big-endian. The store's own time and its
 * positions are not in it, so that every store gives the same leaf; recorded time is `at` inside the metadata.
 */
export function eventLeaf(event: LoggedEvent): Buffer {
  return Buffer.from(prefixedLeaf(event).subarray(1));
}

export function eventLeafHash(event: LoggedEvent): Hash {
  return sha256(prefixedLeaf(event));
}

// Verifying a record is mostly this: one buffer for all leaves, with the 0x00 of RFC 6962 and the first field in place already.
let scratch = Buffer.alloc(1024);
const bodyAt = writeField(scratch, 1, LEAF_VERSION);

/** 0x00 and the leaf, in memory that the next call overwrites. */
function prefixedLeaf({ stream, revision, id, type, data, metadata }: LoggedEvent): Buffer {
  // No character takes more than three bytes in UTF-8; the rest is lengths, a revision and two digests.
  const needed = 3 * (stream.length + id.length + type.length) + 200;
  if (needed > scratch.length) scratch = Buffer.concat([scratch, Buffer.alloc(needed)]);
  let at = writeField(scratch, bodyAt, stream);
  at = writeField(scratch, at, String(revision));
  at = writeField(scratch, at, id);
  at = writeField(scratch, at, type);
  at = writeDigest(scratch, at, sha256(data));
  at = writeDigest(scratch, at, sha256(metadata));
  return scratch.subarray(0, at);
}

function writeField(target: Buffer, at: number, text: string): number {
  const length = target.write(text, at + 4);
  target.writeUInt32BE(length, at);
  return at + 4 + length;
}

function writeDigest(target: Buffer, at: number, digest: Buffer): number {
  target.writeUInt32BE(digest.length, at);
  target.set(digest, at + 4);
  return at + 4 + digest.length;
}

/** The event as the record's client hands it out, with `data` and `metadata` as values. */
export interface RecordedEvent {
  readonly stream: string;
  readonly revision: number;
  readonly id: string;
  readonly type: string;
  readonly data: unknown;
  readonly metadata: unknown;
}

/**
 * The one spelling of an event that was handed out as a value. `JSON.stringify` of a parsed `JSON.stringify` text is that text, which is
 * why the bytes that were written can be told from the value that was read.
 */
export function loggedEvent({ stream, revision, id, type, data, metadata }: RecordedEvent): LoggedEvent {
  return { stream, revision, id, type, data: JSON.stringify(data), metadata: JSON.stringify(metadata) };
}

/** One line of a bundle and of `GET /v1/audit/events`, without its newline. Its `data` and `metadata` are the very text that is hashed. */
export function formatEventLine(index: number, leaf: Hash, event: LoggedEvent): string {
  const head = JSON.stringify({ index, leaf: Buffer.from(leaf).toString('base64'), stream: event.stream, revision: event.revision, id: event.id, type: event.type });
  return `${head.slice(0, -1)},"data":${event.data.toString()},"metadata":${event.metadata.toString()}}`;
}
