import { closeSync, existsSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { BUNDLE_FILES, BUNDLE_FORMAT, readLines, type Manifest } from './bundle.js';

/** The parts of a bundle beside its events. */
export interface BundleFrame {
  readonly manifest: Omit<Manifest, 'format'>;
  readonly checkpoint: string;
  readonly earlier: readonly string[];
  readonly cosignatures?: string;
  readonly keys: { readonly log: readonly string[]; readonly witnesses: readonly { name: string; vkey: string }[] };
}

/**
 * Writes a bundle's folder. Events that are there already stay, so that an export that was cut off, or one of last week, is gone on with;
 * whether they are the right ones is for `verify` to say.
 */
export class BundleWriter {
  readonly #file: number;
  #events: number;
  /** Bytes of whole lines: where the next one goes. */
  #end: number;

  constructor(private readonly folder: string) {
    mkdirSync(folder, { recursive: true });
    const path = join(folder, BUNDLE_FILES.events);
    this.#file = openSync(path, existsSync(path) ? 'r+' : 'w+');
    const { lines, bytes } = countLines(path);
    ftruncateSync(this.#file, bytes);
    this.#events = lines;
    this.#end = bytes;
  }

  /** The index of the event that must come next. */
  get next(): number {
    return this.#events;
  }

  /** Whole lines, each with its newline. */
  append(lines: Buffer, count: number): void {
    let written = 0;
    while (written < lines.length) written += writeSync(this.#file, lines, written, lines.length - written, this.#end + written);
    this.#end += lines.length;
    this.#events += count;
  }

  /** The manifest last: a folder without one is an export that was not finished. */
  finish({ manifest, checkpoint, earlier, cosignatures = '', keys }: BundleFrame): void {
    fsyncSync(this.#file);
    closeSync(this.#file);
    this.#write(BUNDLE_FILES.checkpoint, checkpoint);
    this.#write(BUNDLE_FILES.earlier, earlier.map((note) => `${JSON.stringify({ checkpoint: note })}\n`).join(''));
    this.#write(BUNDLE_FILES.cosignatures, cosignatures);
    this.#write(BUNDLE_FILES.keys, `${JSON.stringify(keys, null, 2)}\n`);
    this.#write(BUNDLE_FILES.manifest, `${JSON.stringify({ format: BUNDLE_FORMAT, ...manifest }, null, 2)}\n`);
  }

  #write(name: string, text: string): void {
    writeFileSync(join(this.folder, `${name}.new`), text);
    renameSync(join(this.folder, `${name}.new`), join(this.folder, name));
  }
}

/** Origin of the bundle that lies in a folder already, if one does. */
export function existingOrigin(folder: string): string | undefined {
  const path = join(folder, BUNDLE_FILES.manifest);
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Manifest).origin : undefined;
}

function countLines(path: string): { lines: number; bytes: number } {
  let [lines, bytes] = [0, 0];
  readLines(path, (line, complete) => {
    if (complete) [lines, bytes] = [lines + 1, bytes + line.length + 1];
  });
  return { lines, bytes };
}
