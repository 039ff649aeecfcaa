import { openCheckpoint, parseTreeSize, type OpenedCheckpoint } from './checkpoint.js';
import { bytesFromBase64, hashFromBase64, hashToBase64, type Hash } from './hashing.js';
import { verifyInclusion } from './merkle-proof.js';
import { NoteRefused, type NoteVerifier } from './signed-note.js';

/** C2SP tlog-proof: that one entry stands in a log, checkable without asking anybody. Kept in files named `*.tlog-proof`. */
export interface TlogProof {
  readonly index: number;
  readonly hashes: readonly Hash[];
  /** A signed note, with whatever cosignatures the log had. */
  readonly checkpoint: string;
  /** Not covered by anything. */
  readonly extra?: Uint8Array;
}

const HEADER = 'c2sp.org/tlog-proof@v1';
// 2^53 leaves need no more.
const HASHES_MAX = 63;

export function formatTlogProof({ index, hashes, checkpoint, extra }: TlogProof): string {
  const lines = [HEADER, ...(extra === undefined ? [] : [`extra ${Buffer.from(extra).toString('base64')}`]), `index ${index}`, ...hashes.map(hashToBase64)];
  return `${lines.join('\n')}\n\n${checkpoint}`;
}

/** Throws NoteRefused `malformed`. Verifies nothing: see `verifyTlogProof`. */
export function parseTlogProof(text: string): TlogProof {
  const end = text.indexOf('\n\n');
  const lines = end < 0 ? [] : text.slice(0, end).split('\n');
  if (lines.shift() !== HEADER) throw new NoteRefused('malformed', `A proof begins with ${HEADER}`);
  let extra: Buffer | undefined;
  if (lines[0]?.startsWith('extra ')) {
    extra = bytesFromBase64(lines.shift()!.slice('extra '.length));
    if (extra === undefined) throw new NoteRefused('malformed', 'The extra data of the proof is not base64');
  }
  const index = lines.shift();
  if (!index?.startsWith('index ')) throw new NoteRefused('malformed', 'The proof does not say which entry it is of');
  return {
    index: parseTreeSize(index.slice('index '.length)),
    hashes: parseHashLines(lines),
    checkpoint: text.slice(end + 2),
    ...(extra === undefined ? {} : { extra }),
  };
}

/** Throws NoteRefused `malformed`. */
export function parseHashLines(lines: readonly string[]): Hash[] {
  if (lines.length > HASHES_MAX) throw new NoteRefused('malformed', `A proof has at most ${HASHES_MAX} hashes`);
  return lines.map((line) => {
    const hash = hashFromBase64(line);
    if (hash === undefined) throw new NoteRefused('malformed', `Not the base64 of a SHA-256 hash: ${line.slice(0, 60)}`);
    return hash;
  });
}

/** The checkpoint that vouches for the entry. Throws NoteRefused, with `signature-invalid` when the path does not lead to its root. */
export function verifyTlogProof(proof: TlogProof, leaf: Hash, keys: { log: readonly NoteVerifier[]; witnesses?: readonly NoteVerifier[] }): OpenedCheckpoint {
  const checkpoint = openCheckpoint(proof.checkpoint, keys);
  if (!verifyInclusion({ leaf, index: proof.index, size: checkpoint.size, root: checkpoint.root, proof: proof.hashes })) {
    throw new NoteRefused('signature-invalid', `The entry is not leaf ${proof.index} of the tree of ${checkpoint.size} that ${checkpoint.origin} signed`);
  }
  return checkpoint;
}
