import { closeSync, existsSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseVkey, type NoteVerifier } from '@sejam/transparency-log';

export const BUNDLE_FORMAT = 'sejam-audit-bundle/1';

export const BUNDLE_FILES = {
  manifest: 'bundle.json',
  events: 'events.ndjson',
  checkpoint: 'checkpoint',
  earlier: 'checkpoints.ndjson',
  cosignatures: 'cosignatures',
  keys: 'keys.json',
} as const;

export interface Manifest {
  readonly format: string;
  readonly origin: string;
  readonly size: number;
  readonly exportedAt: string;
  readonly baseUrl: string;
}

export interface BundleKeys {
  readonly log: readonly NoteVerifier[];
  readonly witnesses: readonly { readonly name: string; readonly key: NoteVerifier }[];
}

/** What the command line was asked to read cannot be read at all; nothing is known about the record. */
export class BundleUnreadable extends Error {
  override readonly name = 'BundleUnreadable';
}

export interface Bundle {
  readonly folder: string;
  readonly manifest: Manifest;
  readonly keys: BundleKeys;
  readonly checkpoint: string;
  readonly cosignatures: string;
  readonly earlier: readonly string[];
}

/** Reads everything but the events. Throws BundleUnreadable, naming the file. */
export function openBundle(folder: string): Bundle {
  const read = (name: string) => {
    try {
      return readFileSync(join(folder, name), 'utf8');
    } catch (error) {
      throw new BundleUnreadable(`${join(folder, name)} cannot be read: ${(error as Error).message}`);
    }
  };
  const parse = <T>(name: string, check: (value: unknown) => T): T => {
    try {
      return check(JSON.parse(read(name)));
    } catch (error) {
      if (error instanceof BundleUnreadable) throw error;
      throw new BundleUnreadable(`${join(folder, name)} is not what a bundle holds: ${(error as Error).message}`);
    }
  };
  const manifest = parse(BUNDLE_FILES.manifest, readManifest);
  const keys = parse(BUNDLE_FILES.keys, readKeys);
  const optional = (name: string) => (existsSync(join(folder, name)) ? read(name) : '');
  const earlier = optional(BUNDLE_FILES.earlier).split('\n').filter((line) => line !== '').map((line, at) => {
    try {
      return String((JSON.parse(line) as { checkpoint: unknown }).checkpoint);
    } catch {
      throw new BundleUnreadable(`${join(folder, BUNDLE_FILES.earlier)} line ${at + 1} is not JSON`);
    }
  });
  return { folder, manifest, keys, checkpoint: read(BUNDLE_FILES.checkpoint), cosignatures: optional(BUNDLE_FILES.cosignatures), earlier };
}

function readManifest(value: unknown): Manifest {
  const manifest = value as Manifest;
  if (manifest.format !== BUNDLE_FORMAT) throw new Error(`its format is ${String(manifest.format)}, not ${BUNDLE_FORMAT}`);
  if (!Number.isSafeInteger(manifest.size) || manifest.size < 0 || typeof manifest.origin !== 'string') throw new Error('origin or size is missing');
  return manifest;
}

function readKeys(value: unknown): BundleKeys {
  const keys = value as { log: string[]; witnesses?: { name: string; vkey: string }[] };
  return {
    log: keys.log.map(parseVkey),
    witnesses: (keys.witnesses ?? []).map(({ name, vkey }) => ({ name, key: parseVkey(vkey) })),
  };
}

const CHUNK_BYTES = 4 * 1024 * 1024;

/**
 * Calls `onLine` with every line, without its newline; the buffer is only lent. Reading is synchronous: a verifier does nothing else, and
 * awaiting each of some hundred million lines would cost more than hashing them. `onChunk` is told the share that has been read.
 * A last line without a newline is told apart by `complete`.
 */
export function readLines(path: string, onLine: (line: Buffer, complete: boolean) => void, onChunk: (share: number) => void = () => {}): void {
  const file = openSync(path, 'r');
  try {
    const total = statSync(path).size;
    let buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    let [kept, done] = [0, 0];
    for (;;) {
      if (kept === buffer.length) buffer = Buffer.concat([buffer, Buffer.allocUnsafe(buffer.length)]);
      const got = readSync(file, buffer, kept, buffer.length - kept, null);
      if (got === 0) break;
      const end = kept + got;
      let start = 0;
      // The bytes kept from before hold no newline.
      for (let newline = buffer.indexOf(10, kept); newline >= 0 && newline < end; newline = buffer.indexOf(10, start)) {
        onLine(buffer.subarray(start, newline), true);
        start = newline + 1;
      }
      buffer.copyWithin(0, start, end);
      kept = end - start;
      done += got;
      onChunk(total === 0 ? 1 : done / total);
    }
    if (kept > 0) onLine(buffer.subarray(0, kept), false);
  } finally {
    closeSync(file);
  }
}
