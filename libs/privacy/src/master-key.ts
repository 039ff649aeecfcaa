import { createHash, randomBytes } from 'node:crypto';
import { closeSync, existsSync, fchmodSync, fchownSync, fsyncSync, linkSync, mkdirSync, openSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { KEY_BYTES, open, seal } from './seal.js';

/** The master key cannot be used. The message is one sentence for the operator and never holds key material. */
export class MasterKeyFault extends Error {
  override readonly name = 'MasterKeyFault';
}

/**
 * Seals what is kept outside the record: subjects' keys, webhook secrets, officers' names. The first key of the file seals, every key of
 * it opens, so a key is rotated by putting a new one in front, sealing everything anew, and only then taking the old one out. Made from a
 * file, it knows what another process has made of that file meanwhile: it opens what a newer instance has sealed, and seals with the key
 * it began with as long as the file holds that.
 */
export class MasterKey {
  #keys: ReadonlyMap<string, Buffer>;
  #currentId: string;
  #version: string | undefined;

  /** `source` is where the keys came from, for messages; `file` is read again when it has changed. */
  constructor(keys: readonly Buffer[], readonly source = 'the master key', private readonly file?: string) {
    const first = keys[0];
    if (first === undefined) throw new MasterKeyFault(`${source} holds no key`);
    this.#keys = new Map(keys.map((key) => [masterKeyId(key), key]));
    this.#currentId = masterKeyId(first);
    this.#version = this.#versionOfFile();
  }

  /** The id of the key that seals. */
  get currentId(): string {
    return this.#currentId;
  }

  get ids(): readonly string[] {
    return [...this.#keys.keys()];
  }

  /** As `<key id>.<base64url>`. `purpose` says what it is and whose, such as `['webhook-secret', 'tiktok', secretId]`; opening needs the same. */
  seal(plain: Uint8Array | string, purpose: readonly string[]): string {
    this.#lookAgain();
    return `${this.#currentId}.${seal(this.#key(this.#currentId), plain, ['master', this.#currentId, ...purpose])}`;
  }

  /** Throws MasterKeyFault when it was sealed under a key that is no longer in the file, SealBroken when it is not what was sealed. */
  open(sealed: string, purpose: readonly string[]): Buffer {
    const id = sealedUnder(sealed);
    return open(this.#key(id), sealed.slice(id.length + 1), ['master', id, ...purpose]);
  }

  /** The same value under the current key; the very same text when it already is. */
  reseal(sealed: string, purpose: readonly string[]): string {
    return sealedUnder(sealed) === this.#currentId ? sealed : this.seal(this.open(sealed, purpose), purpose);
  }

  /** Throws MasterKeyFault, naming the ids, when something that is kept was sealed under a key that this file does not hold. */
  mustHold(ids: Iterable<string>): void {
    const missing = this.missing(ids);
    if (missing.length > 0) {
      throw new MasterKeyFault(`${this.source} does not hold master key ${missing.join(', ')}, under which secrets of this installation are sealed: put back the file from your backup`);
    }
  }

  /** Those of the ids that the file does not hold. */
  missing(ids: Iterable<string>): readonly string[] {
    const wanted = [...new Set(ids)];
    if (wanted.some((id) => !this.#keys.has(id))) this.#lookAgain();
    return wanted.filter((id) => !this.#keys.has(id));
  }

  #key(id: string): Buffer {
    this.mustHold([id]);
    return this.#keys.get(id) as Buffer;
  }

  /** A file that cannot be used now changes nothing: the keys in memory are as good as they were. */
  #lookAgain(): void {
    const version = this.#versionOfFile();
    if (this.file === undefined || version === undefined || version === this.#version) return;
    this.#version = version;
    try {
      const keys = keysIn(this.file);
      this.#keys = new Map(keys.map((key) => [masterKeyId(key), key]));
      if (!this.#keys.has(this.#currentId)) this.#currentId = masterKeyId(keys[0] as Buffer);
    } catch (error) {
      if (!(error instanceof MasterKeyFault)) throw error;
    }
  }

  #versionOfFile(): string | undefined {
    if (this.file === undefined) return undefined;
    try {
      const { ino, size, mtimeMs } = statSync(this.file);
      return `${ino} ${size} ${mtimeMs}`;
    } catch {
      return undefined;
    }
  }
}

/** The id of the master key under which this was sealed. In SQL: `split_part(sealed, '.', 1)`. */
export function sealedUnder(sealed: string): string {
  return sealed.split('.', 1)[0] ?? '';
}

/** Derived from the key itself, so that a damaged line is noticed and two files can be compared by their ids. */
function masterKeyId(key: Buffer): string {
  return createHash('sha256').update('sejam master key ').update(key).digest('hex').slice(0, 12);
}

const HEADER = '# Sejam master keys: <id> <key>, the first one seals, all of them open. Losing this file loses what is sealed. Back it up apart from the database.\n';

/** Reads the file that `SEJAM_MASTER_KEY_FILE` names. Throws MasterKeyFault, one sentence for each way in which it can be unusable. */
export function loadMasterKey(file: string): MasterKey {
  return new MasterKey(keysIn(file), `The master key file ${file}`, file);
}

function keysIn(file: string): readonly Buffer[] {
  const keys: Buffer[] = [];
  for (const [index, line] of readKeyFile(file).split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const [id, encoded = '', ...rest] = line.trim().split(/\s+/);
    const key = Buffer.from(encoded, 'base64url');
    if (rest.length > 0 || key.length !== KEY_BYTES || masterKeyId(key) !== id) {
      throw new MasterKeyFault(`The master key file ${file} is damaged in line ${index + 1}: put it back from your backup`);
    }
    keys.push(key);
  }
  if (keys.length === 0) throw new MasterKeyFault(`The master key file ${file} holds no key: put it back from your backup`);
  return keys;
}

function readKeyFile(file: string): string {
  try {
    const { mode } = statSync(file);
    // The owner's group may read, as container platforms mount secrets; nobody else may, and nobody may write.
    if (process.platform !== 'win32' && (mode & 0o037) !== 0) {
      throw new MasterKeyFault(`The master key file ${file} is open to others (mode ${(mode & 0o777).toString(8).padStart(4, '0')}): run chmod 600 on it`);
    }
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof MasterKeyFault) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw new MasterKeyFault(`The master key file ${file} is missing: put it back from your backup, for what was sealed under it opens with no other`);
    if (code === 'EACCES' || code === 'EPERM') throw new MasterKeyFault(`The master key file ${file} may not be read by this user: give it to the user who runs Sejam`);
    throw new MasterKeyFault(`The master key file ${file} cannot be read (${code ?? String(error)})`);
  }
}

/**
 * Makes the file with one new key, mode 0600, on disk before this returns. For the very first start alone: throws MasterKeyFault when the
 * file is there already, and never replaces it, since that would lose everything sealed under the old one.
 */
export function createMasterKeyFile(file: string): MasterKey {
  const key = randomBytes(KEY_BYTES);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  if (existsSync(file)) throw new MasterKeyFault(`The master key file ${file} exists already and is not replaced`);
  writeDurably(file, HEADER + keyLine(key), 'new');
  return loadMasterKey(file);
}

/** Puts a new key in front, which seals from the next start on. The old ones stay until everything has been sealed anew. */
export function addMasterKey(file: string): MasterKey {
  replaceKeys(file, [randomBytes(KEY_BYTES), ...keysIn(file)]);
  return loadMasterKey(file);
}

/** Takes every key but the first out. Check before that nothing kept needs them: see `countSealed`. */
export function dropOldMasterKeys(file: string): MasterKey {
  replaceKeys(file, keysIn(file).slice(0, 1));
  return loadMasterKey(file);
}

/** Whoever may read the old file may read the new one, and nobody else. */
function replaceKeys(file: string, keys: readonly Buffer[]): void {
  writeDurably(realpathSync(file), HEADER + keys.map(keyLine).join(''), 'replace');
}

function keyLine(key: Buffer): string {
  return `${masterKeyId(key)} ${key.toString('base64url')}\n`;
}

/** Beside the place and then linked or renamed into it, so that a crash leaves the old file or the new one, never half of one. */
function writeDurably(file: string, text: string, how: 'new' | 'replace'): void {
  const fresh = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  try {
    const old = how === 'replace' ? statSync(file) : undefined;
    const handle = openSync(fresh, 'wx', 0o600);
    try {
      if (old !== undefined && process.getuid?.() === 0) fchownSync(handle, old.uid, old.gid);
      if (old !== undefined) fchmodSync(handle, old.mode & 0o640);
      writeFileSync(handle, text);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    if (how === 'replace') renameSync(fresh, file);
    else linkOrRename(fresh, file);
    const folder = openSync(dirname(file), 'r');
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw new MasterKeyFault(`The master key file ${file} exists already and is not replaced`);
    throw new MasterKeyFault(`The master key file ${file} cannot be written: ${message}`);
  } finally {
    rmSync(fresh, { force: true });
  }
}

/** A link does not replace what another process has made meanwhile; some file systems have none. */
function linkOrRename(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw error;
    renameSync(from, to);
  }
}
