import { createHash, randomUUID } from 'node:crypto';
import { closeSync, createReadStream, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { StartFault } from '@sejam/service-host';

const FORMAT = 'sejam-backup@1';
const MANIFEST = 'manifest.json';
const UNFINISHED = 'unfinished';

/** The record with the kept tables, or the keys that open them: two folders, so that copies of the keys can age out by themselves. */
export type BackupPart = 'record' | 'keys';

export interface BackupFacts {
  readonly recordId: string;
  readonly takenAt: string;
  /** `elsewhere`: the store is backed up with its own tools. */
  readonly store: 'copied' | 'elsewhere';
  /** Events that the audit covers in the copy of the store. */
  readonly events?: number;
  /** By schema and part of it: the newest migration. */
  readonly schemas: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

export interface Manifest extends BackupFacts {
  readonly format: typeof FORMAT;
  readonly part: BackupPart;
  /** The two parts of one backup have the same. */
  readonly backupId: string;
  readonly files: readonly { readonly path: string; readonly bytes: number; readonly sha256: string }[];
}

/** A part of a backup that is being written. The manifest comes last: until then the folder says that it is unfinished. */
export class BackupWriter {
  private constructor(readonly path: string, private readonly part: BackupPart) {}

  /** Throws StartFault when there is something in the folder already: a backup never overwrites. */
  static begin(path: string, part: BackupPart): BackupWriter {
    if (existsSync(path) && readdirSync(path).length > 0) throw new StartFault(`${path} is not empty, and a backup never overwrites: name a new folder`);
    mkdirSync(path, { recursive: true, mode: 0o700 });
    writeFileSync(join(path, UNFINISHED), 'This backup is being made, or was not finished.\n', { mode: 0o600, flush: true });
    return new BackupWriter(path, part);
  }

  /** The place of a file, its folder made. */
  file(...names: readonly string[]): string {
    const place = join(this.path, ...names);
    mkdirSync(dirname(place), { recursive: true, mode: 0o700 });
    return place;
  }

  /** What was begun and failed is no use to anybody. */
  abandon(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  async finish(backupId: string, facts: BackupFacts): Promise<void> {
    const files = [];
    for (const path of filesIn(this.path)) {
      if (path === UNFINISHED) continue;
      files.push({ path, bytes: statSync(join(this.path, path)).size, sha256: await sha256Of(join(this.path, path)) });
      sync(join(this.path, path));
    }
    const manifest: Manifest = { format: FORMAT, part: this.part, backupId, ...facts, files };
    writeFileSync(join(this.path, `${MANIFEST}.new`), `${JSON.stringify(manifest, null, 2)}\n`, { mode: 0o600, flush: true });
    renameSync(join(this.path, `${MANIFEST}.new`), join(this.path, MANIFEST));
    rmSync(join(this.path, UNFINISHED));
    for (const folder of new Set(files.map(({ path }) => dirname(join(this.path, path))))) sync(folder);
    sync(this.path);
  }
}

export const newBackupId = randomUUID;

/** Reads a finished part and compares every file with its checksum. Throws StartFault, one sentence for whatever is wrong. */
export async function openBackup(path: string, part: BackupPart): Promise<Manifest> {
  if (!existsSync(path)) throw new StartFault(part === 'keys' ? `The keys of the backup are not at ${path}: name their folder by --keys` : `There is no backup at ${path}`);
  const manifest = readManifest(path);
  if (manifest.part !== part) throw new StartFault(`${path} holds the ${manifest.part} part of a backup, where the ${part} part is needed`);
  for (const { path: name, bytes, sha256 } of manifest.files) {
    const file = join(path, name);
    if (!existsSync(file)) throw new StartFault(`The backup is damaged: ${file} is missing`);
    if (statSync(file).size !== bytes || (await sha256Of(file)) !== sha256) throw new StartFault(`The backup is damaged: ${file} is not what was written`);
  }
  return manifest;
}

function readManifest(path: string): Manifest {
  let text: string;
  try {
    text = readFileSync(join(path, MANIFEST), 'utf8');
  } catch (error) {
    if (existsSync(join(path, UNFINISHED))) throw new StartFault(`The backup at ${path} was not finished: it cannot be restored, make a new one`);
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || (error as NodeJS.ErrnoException).code === 'ENOTDIR') throw new StartFault(`${path} is no backup: it has no ${MANIFEST}`);
    throw new StartFault(`The backup at ${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`);
  }
  let manifest: Manifest;
  try {
    manifest = JSON.parse(text) as Manifest;
  } catch {
    throw new StartFault(`The backup is damaged: ${join(path, MANIFEST)} cannot be understood`);
  }
  if (manifest.format !== FORMAT) throw new StartFault(`${path} is no backup that this version knows: its format is ${String(manifest.format)}`);
  return manifest;
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** Makes a file's bytes, or a folder's names, outlast a power cut. */
export function sync(path: string): void {
  const handle = openSync(path, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
