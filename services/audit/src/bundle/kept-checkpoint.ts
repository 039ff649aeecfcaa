import { readFileSync } from 'node:fs';
import { parseTlogProof } from '@sejam/transparency-log';
import { BundleUnreadable } from './bundle.js';

/**
 * A checkpoint that somebody else has kept, in any of the forms in which it is handed out: the signed note, a `.tlog-proof`, or the value
 * of a `Sejam-Checkpoint` header (base64 of the note). Throws BundleUnreadable.
 */
export function readKeptCheckpoint(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new BundleUnreadable(`${file} cannot be read: ${(error as Error).message}`);
  }
  if (text.startsWith('c2sp.org/tlog-proof@')) return parseTlogProof(text).checkpoint;
  return text.includes('\n\n') ? text : decodeCheckpointHeader(text);
}

/** Header values hold no newlines, so the note travels as base64. */
export function decodeCheckpointHeader(value: string): string {
  return Buffer.from(value.trim().replace(/^sejam-checkpoint:\s*/i, ''), 'base64').toString('utf8');
}

export function encodeCheckpointHeader(note: string): string {
  return Buffer.from(note).toString('base64');
}
