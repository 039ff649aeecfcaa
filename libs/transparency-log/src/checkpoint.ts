import { hashFromBase64, hashToBase64, type Hash } from './hashing.js';
import type { TreeHead } from './merkle-proof.js';
import { NoteRefused, openNote, signNote, type NoteSigner, type NoteVerifier, type VerifiedSignature } from './signed-note.js';
import { isTreeSize } from './tree-shape.js';

/** C2SP tlog-checkpoint: how large a log is and what its tree hashes to. */
export interface Checkpoint extends TreeHead {
  /** Which log; also the name of the key that signs it. */
  readonly origin: string;
  /** Not understood by witnesses, covered by the signatures. We write none. */
  readonly extensions: readonly string[];
}

export function formatCheckpoint({ origin, size, root }: { origin: string; size: number; root: Hash }): string {
  return `${origin}\n${size}\n${hashToBase64(root)}\n`;
}

/** Reads a note's text. Throws NoteRefused `malformed`. */
export function parseCheckpoint(text: string): Checkpoint {
  const lines = text.split('\n');
  const [origin, size, root, ...extensions] = lines.slice(0, -1);
  const hash = root === undefined ? undefined : hashFromBase64(root);
  if (lines.at(-1) !== '' || !origin || size === undefined || hash === undefined || extensions.includes('')) {
    throw new NoteRefused('malformed', 'A checkpoint has three non-empty lines: origin, size and root');
  }
  return { origin, size: parseTreeSize(size), root: hash, extensions };
}

/** Decimal without leading zeroes, at most 2^53 - 1. Throws NoteRefused `malformed`. */
export function parseTreeSize(text: string): number {
  const size = Number(text);
  if (!/^(0|[1-9][0-9]{0,15})$/.test(text) || !isTreeSize(size)) throw new NoteRefused('malformed', `Not a tree size: ${text.slice(0, 40)}`);
  return size;
}

/**
 * The whole note. Whoever calls this must know that the tree extends every tree it has signed before: a log that signs two checkpoints
 * which are not consistent has forked, for ever and provably.
 */
export function signCheckpoint(head: TreeHead, signer: NoteSigner): string {
  return signNote(formatCheckpoint({ origin: signer.verifier.name, ...head }), [signer]);
}

export interface OpenedCheckpoint extends Checkpoint {
  readonly cosignatures: readonly VerifiedSignature[];
}

/**
 * A checkpoint that one of `log` keys has signed, with the cosignatures of those `witnesses` that stand on it. Throws NoteRefused: also
 * `wrong-origin` when the key that signed it belongs to another log, and `signature-invalid` for a known witness's false cosignature.
 */
export function openCheckpoint(note: string, { log, witnesses = [] }: { log: readonly NoteVerifier[]; witnesses?: readonly NoteVerifier[] }): OpenedCheckpoint {
  const { text, verified } = openNote(note, [...log, ...witnesses]);
  const checkpoint = parseCheckpoint(text);
  const signed = verified.filter(({ verifier }) => log.includes(verifier));
  if (signed.length === 0) throw new NoteRefused('unsigned', `The log ${checkpoint.origin} has not signed this checkpoint with a key that is trusted`);
  if (!signed.some(({ verifier }) => verifier.name === checkpoint.origin)) {
    throw new NoteRefused('wrong-origin', `The checkpoint of ${checkpoint.origin} is signed by ${signed[0]!.verifier.name}`);
  }
  return { ...checkpoint, cosignatures: verified.filter(({ verifier }) => witnesses.includes(verifier)) };
}
