import { hash } from 'node:crypto';

/** 32 bytes. A hash is never compared by reference; use `sameHash`. */
export type Hash = Uint8Array;

export const HASH_BYTES = 32;

/** RFC 6962 section 2.1: the root of a tree without leaves is the hash of nothing. */
export const EMPTY_ROOT: Hash = sha256(new Uint8Array(0));

export function sha256(bytes: Uint8Array | string): Buffer {
  // By way of a string: Node takes more than twice as long to make a buffer of its own for every digest.
  return Buffer.from(hash('sha256', bytes, 'binary'), 'binary');
}

/** RFC 6962 section 2.1: SHA-256(0x00 || entry). */
export function leafHash(entry: Uint8Array): Hash {
  const input = Buffer.allocUnsafe(entry.length + 1);
  input[0] = 0x00;
  input.set(entry, 1);
  return sha256(input);
}

// One buffer for every call: hashing is synchronous, and a tree of a million leaves makes a million of these.
const pair = Buffer.alloc(1 + 2 * HASH_BYTES, 0x01);

/** RFC 6962 section 2.1: SHA-256(0x01 || left || right). */
export function nodeHash(left: Hash, right: Hash): Hash {
  pair.set(left, 1);
  pair.set(right, 1 + HASH_BYTES);
  return sha256(pair);
}

export function sameHash(one: Hash, other: Hash): boolean {
  return Buffer.compare(one, other) === 0;
}

export function hashToBase64(value: Hash): string {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64');
}

/** Standard base64 in exactly the one spelling an encoder would write; undefined for anything else. */
export function bytesFromBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

export function hashFromBase64(text: string): Hash | undefined {
  const bytes = bytesFromBase64(text);
  return bytes?.length === HASH_BYTES ? bytes : undefined;
}
