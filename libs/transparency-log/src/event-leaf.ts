import { sha256, leafHash, type Hash } from './hashing.js';

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
 * The leaf of an event, docs/audit-format.md: seven fields, each after its length as four bytes big-endian. The store's own time and its
 * positions are not in it, so that every store gives the same leaf; recorded time is `at` inside the metadata.
 */
export function eventLeaf(event: LoggedEvent): Buffer {
  const fields = [LEAF_VERSION, event.stream, String(event.revision), event.id, event.type];
  const text = fields.map((field) => Buffer.byteLength(field));
  const length = text.reduce((sum, bytes) => sum + 4 + bytes, 2 * (4 + 32));
  const leaf = Buffer.allocUnsafe(length);
  let at = 0;
  for (const [field, bytes] of fields.map((field, index) => [field, text[index]!] as const)) {
    at = leaf.writeUInt32BE(bytes, at);
    at += leaf.write(field, at);
  }
  for (const digest of [sha256(event.data), sha256(event.metadata)]) {
    at = leaf.writeUInt32BE(digest.length, at);
    leaf.set(digest, at);
    at += digest.length;
  }
  return leaf;
}

export function eventLeafHash(event: LoggedEvent): Hash {
  return leafHash(eventLeaf(event));
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
