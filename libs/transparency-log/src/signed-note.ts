import { bytesFromBase64 } from './hashing.js';

/** The text is not what the format says, or a signature that must hold does not. Nothing in it may be believed. */
export class NoteRefused extends Error {
  override readonly name = 'NoteRefused';
  constructor(readonly code: 'malformed' | 'signature-invalid' | 'unsigned' | 'wrong-origin', message: string) {
    super(message);
  }
}

export interface NoteSignature {
  readonly name: string;
  /** 8 hexadecimal digits. */
  readonly keyId: string;
  readonly signature: Uint8Array;
}

/** C2SP signed-note. The text ends in a newline and must be ignored until a signature of a trusted key has been verified. */
export interface SignedNote {
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** C2SP signature types: a log signs the text itself (0x01), a witness signs it with the time at which it saw it (0x04). */
export type NoteKeyKind = 'ed25519' | 'cosignature/v1';

export interface NoteVerifier {
  readonly name: string;
  /** 8 hexadecimal digits; tells keys apart, protects nothing. */
  readonly keyId: string;
  readonly kind: NoteKeyKind;
  /** The raw 32 bytes of RFC 8032. */
  readonly publicKey: Uint8Array;
  /** The C2SP vkey: `name+keyid+base64`. What is published and pinned. */
  readonly vkey: string;
  verify(text: string, signature: Uint8Array): { readonly valid: boolean; readonly timestamp?: number };
}

export interface NoteSigner {
  readonly verifier: NoteVerifier;
  /** `PRIVATE+KEY+name+keyid+base64(type, seed)`, the form of Go's sumdb/note. A secret. */
  readonly secret: string;
  /** `timestamp` (seconds since 1970) is needed by cosigners and refused by the others. */
  sign(text: string, timestamp?: number): NoteSignature;
}

const MARK = '\u2014 ';
// More than any policy of ours needs, and a bound on the work a stranger's note can cause (the format asks for at least 16).
const SIGNATURES_MAX = 100;
const NOTE_CHARACTERS_MAX = 1_000_000;

/** Throws NoteRefused `malformed`. Verifies nothing: see `openNote`. */
export function parseNote(note: string): SignedNote {
  if (note.length > NOTE_CHARACTERS_MAX) throw malformed('The note is too long');
  // eslint-disable-next-line no-control-regex -- the format forbids exactly these
  if (/[\u0000-\u0009\u000b-\u001f]/.test(note)) throw malformed('The note holds a control character');
  if (!isUnicode(note)) throw malformed('The note is not valid Unicode');
  const split = note.lastIndexOf('\n\n');
  if (split < 0) throw malformed('No empty line separates the text from the signatures');
  const lines = note.slice(split + 2).split('\n');
  if (lines.pop() !== '') throw malformed('The last signature line does not end in a newline');
  if (lines.length === 0) throw malformed('The note has no signature line');
  if (lines.length > SIGNATURES_MAX) throw malformed(`The note has more than ${SIGNATURES_MAX} signatures`);
  return { text: note.slice(0, split + 1), signatures: lines.map(parseSignatureLine) };
}

/** One line without its newline. Throws NoteRefused `malformed`. */
export function parseSignatureLine(line: string): NoteSignature {
  const [name, encoded, ...more] = line.startsWith(MARK) ? line.slice(MARK.length).split(' ') : [];
  if (name === undefined || encoded === undefined || more.length > 0 || !isKeyName(name)) throw malformed(`Not a signature line: ${line.slice(0, 80)}`);
  const bytes = bytesFromBase64(encoded);
  if (bytes === undefined || bytes.length < 5) throw malformed(`The signature of ${name} is not base64 of a key id and a signature`);
  return { name, keyId: bytes.toString('hex', 0, 4), signature: bytes.subarray(4) };
}

/** Ends in a newline. */
export function formatSignatureLine({ name, keyId, signature }: NoteSignature): string {
  return `${MARK}${name} ${Buffer.concat([Buffer.from(keyId, 'hex'), signature]).toString('base64')}\n`;
}

export function isKeyName(name: string): boolean {
  return name.length > 0 && !/[\s+]/u.test(name) && isUnicode(name);
}

/** The text must end in a newline; further signers may sign later by `appendSignatures`. */
export function signNote(text: string, signers: readonly NoteSigner[]): string {
  const note = `${text}\n${signers.map((signer) => formatSignatureLine(signer.sign(text))).join('')}`;
  if (!text.endsWith('\n') || parseNote(note).text !== text) throw malformed('The text is not one that a note can carry');
  return note;
}

/** Adds signature lines that are not there yet. Verifies nothing. */
export function appendSignatures(note: string, signatures: readonly NoteSignature[]): string {
  const known = new Set(parseNote(note).signatures.map((signature) => formatSignatureLine(signature)));
  const fresh = signatures.map(formatSignatureLine).filter((line) => !known.has(line));
  return note + [...new Set(fresh)].join('');
}

export interface VerifiedSignature {
  readonly verifier: NoteVerifier;
  readonly signature: NoteSignature;
  /** When a cosigner saw it, seconds since 1970; only of `cosignature/v1` keys. */
  readonly timestamp?: number;
}

/**
 * The note's text and which of the trusted keys have signed it, in the order of the lines. Signatures of unknown keys are ignored. Throws
 * NoteRefused: `signature-invalid` when a line bears the name and id of a trusted key and does not verify, `unsigned` when none is left.
 */
export function openNote(note: string, trusted: readonly NoteVerifier[]): { text: string; verified: VerifiedSignature[] } {
  const { text, signatures } = parseNote(note);
  const verified = verifySignatures(text, signatures, trusted);
  if (verified.length === 0) throw new NoteRefused('unsigned', 'No trusted key has signed the note');
  return { text, verified };
}

/** As `openNote`, but an empty answer is for the caller to judge. */
export function verifySignatures(text: string, signatures: readonly NoteSignature[], trusted: readonly NoteVerifier[]): VerifiedSignature[] {
  return signatures.flatMap((signature) => {
    const verifier = trusted.find((key) => key.name === signature.name && key.keyId === signature.keyId);
    if (verifier === undefined) return [];
    const result = verifier.verify(text, signature.signature);
    if (!result.valid) throw new NoteRefused('signature-invalid', `The signature of ${signature.name} (key ${signature.keyId}) does not hold`);
    return [{ verifier, signature, ...(result.timestamp === undefined ? {} : { timestamp: result.timestamp }) }];
  });
}

/** A lone surrogate would be replaced on its way into bytes, and another text be signed than was read. */
function isUnicode(text: string): boolean {
  return Buffer.from(text).toString() === text;
}

function malformed(message: string): NoteRefused {
  return new NoteRefused('malformed', message);
}
