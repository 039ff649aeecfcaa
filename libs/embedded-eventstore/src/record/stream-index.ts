import { hash } from 'node:crypto';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { join } from 'node:path';
import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { open, type Database, type RootDatabase } from 'lmdb';
import { CorruptRecord } from './faults.js';
import type { Checkpoint } from './record-log.js';
import type { StoredEvent } from './stored-event.js';

const FILE = 'streams.mdb';
const FLUSH_MS = 5000;
/** A flush is put in so many transactions, or fewer: one with much in it would keep appends waiting. */
const SLICES = 50;
/** Of so many flushes one is made when a long record is read again. */
const REPLAYED_FLUSHES = 4;
const CHECKPOINT_KEY = Buffer.from('checkpoint');
/** How long is waited for what LMDB may never say. */
const PATIENCE_MS = 500;
const NUMBER_BYTES = 6;
/** More than LMDB writes when it begins a database. */
const FIRST_BYTES = 40_960;
const LMDB_MAGIC = 0xbeef_c0de;

/** The events of one stream that LMDB does not have yet: their positions from revision `first` on. */
interface Tail {
  readonly first: number;
  readonly positions: number[];
}

/** What the index says of itself. */
interface Stored extends Checkpoint {
  readonly recordId: string;
  /** Events up to the checkpoint. */
  readonly events: number;
}

/** One entry of LMDB: a position by its stream and revision, or the last revision of a stream. */
interface Entry {
  readonly of: 'positions' | 'heads';
  readonly key: Buffer;
  readonly value: Buffer;
}

/**
 * Where the events of each stream lie in the record. Kept in LMDB, which is written in the background: what is not there yet is in
 * memory, and after a crash comes again from the record, which is read from the checkpoint on. Nothing here is the only copy of
 * anything. Streams are keyed by a hash of their names, so names may have any length.
 *
 * A flush takes many events and puts them in the order of their keys, in small transactions, the checkpoint last. Hashes lie anywhere in
 * the tree, and LMDB copies each page that a transaction touches: in this order each page is copied about once a flush, however large
 * the index has become, and no transaction keeps appends waiting for long.
 */
export class StreamIndex {
  private unwritten = new Map<string, Tail>();
  private writing = new Map<string, Tail>();
  private unwrittenEvents = 0;
  private latest: Checkpoint;
  private eventCount: number;
  private flushing: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private closed = false;
  /** So that a disk that stays full is told of once. */
  private isFailing = false;

  private constructor(
    private readonly root: RootDatabase<Buffer, Buffer>,
    private readonly heads: Database<Buffer, Buffer>,
    private readonly positionsByRevision: Database<Buffer, Buffer>,
    private readonly flushEvents: number,
    private readonly log: (message: string) => void,
    private recordId: string,
    /** What LMDB has. */
    private stored: Checkpoint,
    private storedEvents: number,
  ) {
    this.latest = stored;
    this.eventCount = storedEvents;
  }

  /**
   * Opens the index, or begins one; it is written whenever it has taken in `flushEvents`. One that is damaged is not used: it is put
   * aside, the log says so, and it is made anew from the record, which loses nothing.
   */
  static open(folder: string, flushEvents: number, log: (message: string) => void): StreamIndex {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, FILE);
    if (!existsSync(path) || !existsSync(`${path}-lock`)) checkRoom(folder);
    let damage = lookForDamage(path);
    if (damage === undefined) {
      try {
        const index = StreamIndex.openUnchecked(folder, flushEvents, log);
        const counted = index.positionsByRevision.getStats() as { entryCount: number };
        // A flush that was cut short leaves entries behind the checkpoint; they come again from the record.
        if (counted.entryCount === index.eventCount || (counted.entryCount > index.eventCount && index.latest.reach > index.latest.position)) return index;
        damage = `it holds ${counted.entryCount} events instead of ${index.eventCount}`;
        void index.root.close();
      } catch (error) {
        damage = (error as Error).message;
      }
    }
    checkRoom(folder);
    const aside = join(folder, `damaged-${new Date().toISOString().replaceAll(':', '-')}`);
    renameSync(path, aside);
    rmSync(`${path}-lock`, { force: true });
    log(`The index was damaged (${damage}). It has been put aside as ${aside} and is made anew from the record.`);
    return StreamIndex.openUnchecked(folder, flushEvents, log);
  }

  /** Opens an index for a check, undefined when there is none. Throws CorruptRecord when it is damaged; puts nothing aside. */
  static openExisting(folder: string): StreamIndex | undefined {
    const path = join(folder, FILE);
    if (!existsSync(path)) return undefined;
    const damage = lookForDamage(path);
    if (damage !== undefined) throw new CorruptRecord(`The index is damaged: ${damage}`);
    return StreamIndex.openUnchecked(folder, Number.MAX_SAFE_INTEGER, () => undefined);
  }

  private static openUnchecked(folder: string, flushEvents: number, log: (message: string) => void): StreamIndex {
    const binary = { encoding: 'binary', keyEncoding: 'binary' } as const;
    // Without `eventTurnBatching` LMDB makes no promises of its own, whose failure on a full disk nobody could catch.
    const root = open<Buffer, Buffer>({ path: join(folder, FILE), maxDbs: 4, eventTurnBatching: false, ...binary });
    const heads = root.openDB<Buffer, Buffer>({ name: 'heads', ...binary });
    const positions = root.openDB<Buffer, Buffer>({ name: 'positions', ...binary });
    const stored = root.get(CHECKPOINT_KEY);
    const known = stored ? (JSON.parse(stored.toString()) as Stored) : undefined;
    return new StreamIndex(root, heads, positions, flushEvents, log, known?.recordId ?? '', known ?? { position: 0, lastEventLength: 0, createdMs: 0, reach: 0 }, known?.events ?? 0);
  }

  /** What of this record is indexed. Throws CorruptRecord when the index is that of another record. */
  checkpointOf(recordId: Buffer): Checkpoint {
    const id = recordId.toString('hex');
    if (this.recordId !== '' && this.recordId !== id) throw new CorruptRecord('The index belongs to another record; remove the folder `index` and it is made anew from the record');
    this.recordId = id;
    return this.latest;
  }

  /** Events in the record. */
  get size(): number {
    return this.eventCount;
  }

  /** Takes in events that have become durable, in order. */
  add(events: readonly StoredEvent[]): void {
    this.take(events);
    this.flushInTime();
  }

  /** Takes in events of an earlier run before anybody is served: in large steps, since nobody is kept waiting. */
  async replay(events: readonly StoredEvent[]): Promise<void> {
    this.take(events);
    if (this.unwrittenEvents >= this.flushEvents * REPLAYED_FLUSHES) await this.flush(Number.POSITIVE_INFINITY);
  }

  private take(events: readonly StoredEvent[]): void {
    for (const event of events) {
      const stream = event.stream;
      const tail = this.unwritten.get(stream);
      if (tail) tail.positions.push(event.position);
      else this.unwritten.set(stream, { first: event.revision, positions: [event.position] });
    }
    const last = events.at(-1)!;
    this.unwrittenEvents += events.length;
    this.eventCount += events.length;
    this.latest = { position: last.end, lastEventLength: last.length, createdMs: last.createdMs, reach: last.end };
  }

  /** The last revision of a stream, -1 when it does not exist. */
  head(stream: string): number {
    const tail = this.unwritten.get(stream) ?? this.writing.get(stream);
    if (tail) return tail.first + tail.positions.length - 1;
    const key = streamKey(stream);
    const value = this.heads.getBinaryFast(key);
    return value ? decodeNumber(key, value) : -1;
  }

  /** Positions of the revisions `from` to `to`, both inclusive and both existing. */
  positions(stream: string, from: number, to: number): number[] {
    const unwritten = this.unwritten.get(stream);
    const writing = this.writing.get(stream);
    const writtenEnd = (writing ?? unwritten)?.first ?? Number.MAX_SAFE_INTEGER;
    const found: number[] = [];
    if (from < writtenEnd) {
      const key = streamKey(stream);
      const range = this.positionsByRevision.getRange({ start: revisionKey(key, from), end: revisionKey(key, Math.min(to + 1, writtenEnd)) });
      for (const { key: found_, value } of range) found.push(decodeNumber(found_, value));
    }
    for (const tail of [writing, unwritten]) {
      if (!tail) continue;
      const first = Math.max(from, tail.first) - tail.first;
      for (let index = first; index < tail.positions.length && tail.first + index <= to; index += 1) found.push(tail.positions[index]!);
    }
    if (found.length !== to - from + 1) throw new CorruptRecord(`The index knows ${found.length} of ${to - from + 1} events of a stream; remove the folder \`index\` and it is made anew from the record`);
    return found;
  }

  /** Writes what has been taken in; resolves when it is in LMDB. */
  private async flush(sliceEntries = this.flushEvents / SLICES): Promise<void> {
    while (this.flushing) await this.flushing;
    if (this.unwrittenEvents === 0 || this.closed) return;
    this.flushing = this.write(sliceEntries).finally(() => {
      this.flushing = undefined;
      this.flushInTime();
    });
    await this.flushing;
  }

  async close(): Promise<void> {
    await this.flush(Number.POSITIVE_INFINITY);
    await this.flushing;
    this.closed = true;
    clearTimeout(this.timer);
    // After a failed write LMDB would wait for ever for its flush.
    await (this.isFailing ? Promise.race([this.root.close(), delay(PATIENCE_MS)]) : this.root.close());
  }

  private flushInTime(): void {
    if (this.flushing || this.unwrittenEvents === 0) return;
    if (this.unwrittenEvents >= this.flushEvents) void this.flush();
    else this.timer ??= setTimeout(() => void this.flush(), FLUSH_MS).unref();
  }

  private async write(sliceEntries: number): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    // A failed write keeps its events in `writing`; they go before the new ones.
    this.writing = this.writing.size === 0 ? this.unwritten : merge(this.writing, this.unwritten);
    const written = this.writing;
    this.unwritten = new Map();
    this.unwrittenEvents = 0;
    const { latest, eventCount } = this;
    try {
      let slice: Entry[] = [];
      for (const entry of entries(await byFirstByte(written))) {
        slice.push(entry);
        if (slice.length < sliceEntries) continue;
        await this.put(slice, { ...this.stored, reach: latest.reach }, this.storedEvents);
        slice = [];
      }
      await this.put(slice, latest, eventCount);
      this.writing = new Map();
      this.isFailing = false;
    } catch (error) {
      const cause = await causeOf(error);
      if (!this.isFailing) this.log(`The index could not be written and is tried again until it can: ${cause}. The record itself is not concerned.`);
      this.isFailing = true;
      this.timer ??= setTimeout(() => {
        this.unwrittenEvents ||= 1;
        void this.flush();
      }, FLUSH_MS).unref();
    }
  }

  private async put(entries: readonly Entry[], checkpoint: Checkpoint, events: number): Promise<void> {
    const stored: Stored = { ...checkpoint, events, recordId: this.recordId };
    await this.root.batch(() => {
      // Each put may have a promise of its own, and each fails with the transaction, whose failure is what counts.
      for (const { of, key, value } of entries) (of === 'heads' ? this.heads : this.positionsByRevision).put(key, value).catch(() => undefined);
      this.root.put(CHECKPOINT_KEY, Buffer.from(JSON.stringify(stored))).catch(() => undefined);
    });
    this.stored = checkpoint;
    this.storedEvents = events;
  }
}

interface KeyedTail {
  readonly key: Buffer;
  readonly tail: Tail;
}

/** By the first byte of their keys. Lets others run in between: there may be many. */
async function byFirstByte(tails: ReadonlyMap<string, Tail>): Promise<KeyedTail[][]> {
  const groups = Array.from({ length: 256 }, (): KeyedTail[] => []);
  let hashed = 0;
  for (const [stream, tail] of tails) {
    const key = streamKey(stream);
    groups[key[0]!]!.push({ key, tail });
    hashed += 1;
    if (hashed % 1000 === 0) await nextTurn();
  }
  return groups;
}

/** In the order of their keys. */
function* entries(groups: readonly KeyedTail[][]): Generator<Entry> {
  for (const group of groups) {
    for (const { key, tail } of group.sort((a, b) => a.key.compare(b.key))) {
      for (const [index, position] of tail.positions.entries()) {
        const revision = revisionKey(key, tail.first + index);
        yield { of: 'positions', key: revision, value: encodeNumber(revision, position) };
      }
      yield { of: 'heads', key, value: encodeNumber(key, tail.first + tail.positions.length - 1) };
    }
  }
}

/** Throws when there is no room to begin an index: LMDB maps its first pages into memory and would end the process. */
function checkRoom(folder: string): void {
  const path = join(folder, 'room');
  try {
    writeFileSync(path, Buffer.alloc(FIRST_BYTES, 1), { flush: true });
  } catch (error) {
    throw new Error(`There is no room for an index in ${folder} (${(error as NodeJS.ErrnoException).code ?? String(error)})`, { cause: error });
  } finally {
    rmSync(path, { force: true });
  }
}

/** What LMDB says of a failed transaction, which it tells in a promise that it expects to be asked. */
async function causeOf(error: unknown): Promise<string> {
  try {
    await Promise.race([(error as { commitError?: Promise<unknown> }).commitError, delay(PATIENCE_MS)]);
  } catch (cause) {
    return (cause as Error).message;
  }
  return (error as Error).message;
}

/**
 * What is wrong with the file as a whole, undefined when nothing is to be seen. LMDB maps its file into memory, and would end the
 * process at a page that is not there.
 */
function lookForDamage(path: string): string | undefined {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch {
    return undefined;
  }
  try {
    const { size } = fstatSync(fd);
    if (size === 0) return undefined;
    const first = readMeta(fd, 0);
    if (!first) return 'its first page is not one of LMDB';
    const second = readMeta(fd, first.pageBytes);
    if (!second) return 'its second page is not one of LMDB';
    const latest = first.transaction >= second.transaction ? first : second;
    const needed = (latest.lastPage + 1) * latest.pageBytes;
    return size < needed ? `it has ${size} bytes where ${needed} are needed` : undefined;
  } finally {
    closeSync(fd);
  }
}

/** The fields of an LMDB meta page, see `MDB_meta` in its source. */
function readMeta(fd: number, offset: number): { pageBytes: number; lastPage: number; transaction: number } | undefined {
  const bytes = Buffer.alloc(160);
  if (readSync(fd, bytes, 0, 160, offset) < 160 || bytes.readUInt32LE(24) !== LMDB_MAGIC) return undefined;
  const pageBytes = bytes.readUInt32LE(48);
  if (pageBytes < 512 || pageBytes > 65_536 || (pageBytes & (pageBytes - 1)) !== 0) return undefined;
  return { pageBytes, lastPage: Number(bytes.readBigUInt64LE(144)), transaction: Number(bytes.readBigUInt64LE(152)) };
}

function merge(older: Map<string, Tail>, newer: Map<string, Tail>): Map<string, Tail> {
  for (const [stream, tail] of newer) {
    const before = older.get(stream);
    if (before) before.positions.push(...tail.positions);
    else older.set(stream, tail);
  }
  return older;
}

function streamKey(stream: string): Buffer {
  return hash('sha256', stream, 'buffer').subarray(0, 16);
}

function revisionKey(stream: Buffer, revision: number): Buffer {
  const key = Buffer.allocUnsafe(16 + NUMBER_BYTES);
  stream.copy(key);
  key.writeUIntBE(Math.min(revision, 2 ** 48 - 1), 16, NUMBER_BYTES);
  return key;
}

/** A number with a checksum over it and its key, so that LMDB's pages cannot rot unseen. */
function encodeNumber(key: Buffer, value: number): Buffer {
  const bytes = Buffer.allocUnsafe(NUMBER_BYTES + 4);
  bytes.writeUIntBE(value, 0, NUMBER_BYTES);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, NUMBER_BYTES), crc32(key)), NUMBER_BYTES);
  return bytes;
}

function decodeNumber(key: Buffer, bytes: Buffer): number {
  if (bytes.length !== NUMBER_BYTES + 4 || crc32(bytes.subarray(0, NUMBER_BYTES), crc32(key)) !== bytes.readUInt32BE(NUMBER_BYTES)) {
    throw new CorruptRecord('An entry of the index is damaged; remove the folder `index` and it is made anew from the record');
  }
  return bytes.readUIntBE(0, NUMBER_BYTES);
}
