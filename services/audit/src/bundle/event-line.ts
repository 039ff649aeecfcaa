import { eventLeafHash, hashToBase64, type Hash, type LoggedEvent } from '@sejam/transparency-log';

/** One line of a bundle, docs/audit-format.md section 8, taken apart without reading what is not needed. */
export interface EventLine {
  readonly index: number;
  /** What the line says its leaf hash is: a help for finding faults, no proof. */
  readonly claimedLeaf: string;
  readonly event: LoggedEvent & { readonly data: Buffer; readonly metadata: Buffer };
  /** Parsed: it is small, and `at` is needed of every event. */
  readonly metadata: { readonly at?: unknown; readonly [field: string]: unknown };
}

/** The line is not one of section 8; the message says in what. */
export class LineMalformed extends Error {
  override readonly name = 'LineMalformed';
}

const DATA = Buffer.from(',"data":');
const METADATA = Buffer.from(',"metadata":');
const CLOSING = '}'.charCodeAt(0);

/** Throws LineMalformed. The data is sliced, not parsed: that its bytes are what was logged is for the leaf to show. */
export function parseEventLine(line: Buffer): EventLine {
  const dataAt = line.indexOf(DATA);
  if (dataAt < 0 || line[line.length - 1] !== CLOSING) throw new LineMalformed('it is not an event line');
  const text = `${line.toString('utf8', 0, dataAt)}}`;
  const head = parseHead(text);
  const { at, metadata } = findMetadata(line, dataAt + DATA.length);
  return {
    index: head.index,
    claimedLeaf: head.leaf,
    event: {
      stream: head.stream,
      revision: head.revision,
      id: head.id,
      type: head.type,
      data: line.subarray(dataAt + DATA.length, at),
      metadata: line.subarray(at + METADATA.length, line.length - 1),
    },
    metadata,
  };
}

/** Leaf hash and its base64. */
export function leafOf(line: EventLine): { hash: Hash; text: string } {
  const hash = eventLeafHash(line.event);
  return { hash, text: hashToBase64(hash) };
}

interface Head {
  index: number;
  leaf: string;
  stream: string;
  revision: number;
  id: string;
  type: string;
}

function parseHead(text: string): Head {
  let head: Head;
  try {
    head = JSON.parse(text) as Head;
  } catch {
    throw new LineMalformed('the part before its data is not JSON');
  }
  const { index, leaf, stream, revision, id, type } = head;
  // One spelling only: it leaves no room for a second "stream" or for white space that another reader might take otherwise.
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(revision) || JSON.stringify({ index, leaf, stream, revision, id, type }) !== text) {
    throw new LineMalformed('the part before its data is not {"index","leaf","stream","revision","id","type"} as JSON.stringify writes it');
  }
  return head;
}

/** The last `,"metadata":` after which the rest of the line is one JSON value; every other place leaves a brace or a member over. */
function findMetadata(line: Buffer, from: number): { at: number; metadata: EventLine['metadata'] } {
  for (let at = line.lastIndexOf(METADATA); at >= from; at = line.lastIndexOf(METADATA, at - 1)) {
    try {
      const metadata: unknown = JSON.parse(line.toString('utf8', at + METADATA.length, line.length - 1));
      if (typeof metadata !== 'object' || metadata === null) break;
      return { at, metadata: metadata as EventLine['metadata'] };
    } catch {
      // A "metadata" inside the metadata: the one that is meant lies further left.
    }
  }
  throw new LineMalformed('it has no metadata');
}
