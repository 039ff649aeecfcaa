import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, fdatasync, fdatasyncSync, fstatSync, ftruncateSync, mkdirSync, openSync, read, readdirSync, unlinkSync, write } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CorruptRecord } from './faults.js';
import { RecentEvents } from './recent-events.js';
import { APPENDING, SEGMENT_HEAD_BYTES, WRITES_ARE_DURABLE, checkSegmentHead, createSegment, readHead, segmentBase, segmentPath, type Segment } from './segment.js';
import { StoredEvent, parseEvent } from './stored-event.js';
import { Watermark } from './watermark.js';

const fsRead = promisify(read);
const fsWrite = promisify(write);
const flush = promisify(fdatasync);

const READ_BYTES = 512 * 1024;

export interface RecordLogOptions {
  readonly folder: string;
  /** A new file is begun when the last one is larger. */
  readonly segmentBytes: number;
  readonly log: (message: string) => void;
}

/** What an earlier run knew about the record up to `position`. */
export interface Checkpoint {
  readonly position: number;
  readonly lastEventLength: number;
  readonly createdMs: number;
  /** Behind the last event that it knew anything of: at least `position`. */
  readonly reach: number;
}

/**
 * The record itself: events one behind the other in files that only grow, each with a checksum. A position is the offset in all files
 * together, so it never changes. What lies before `end` is on disk; nothing behind it is ever read.
 */
export class RecordLog {
  private readonly recent = new RecentEvents();
  /** A write failed and left bytes behind `end` that must go before the next write. */
  private mustTruncate = false;

  private constructor(
    private readonly options: RecordLogOptions,
    /** Names this record; a backup has the same. */
    readonly recordId: Buffer,
    private readonly segments: Segment[],
    /** None when opened for reading alone. */
    private readonly watermark: Watermark | undefined,
    private durableEnd: number,
    private lastEventLength: number,
    private lastCreatedMs: number,
  ) {}

  /**
   * Opens the folder, or begins a record in an empty one. Events behind the checkpoint of an earlier run are read and checked here and
   * handed to `onEvents`. A torn last write is cut off, with a sentence in the log; any other
   * damage throws CorruptRecord.
   */
  static async open(options: RecordLogOptions, checkpoint: (recordId: Buffer) => Checkpoint, onEvents: (events: readonly StoredEvent[]) => Promise<void> | void): Promise<RecordLog> {
    mkdirSync(options.folder, { recursive: true, mode: 0o700 });
    const { watermark, position: acknowledged } = Watermark.open(join(options.folder, 'acknowledged'));
    const segments: Segment[] = [];
    try {
      const recordId = openSegments(options, segments, acknowledged);
      const last = segments.at(-1)!;
      const log = new RecordLog(options, recordId, segments, watermark, last.base + last.size, 0, 0);
      await log.recover(acknowledged, checkpoint(recordId), onEvents);
      return log;
    } catch (error) {
      for (const segment of segments) closeSync(segment.fd);
      watermark.close();
      throw error;
    }
  }

  /**
   * Opens what is acknowledged for reading alone, beside a server or without one. Changes nothing and takes no lock: files only grow,
   * and what is acknowledged never changes.
   */
  static openReadOnly(folder: string): RecordLog {
    if (!existsSync(folder)) throw new Error(`There is no record in ${folder}`);
    const acknowledgedPath = join(folder, 'acknowledged');
    const acknowledged = Watermark.read(acknowledgedPath);
    const segments: Segment[] = [];
    try {
      const recordId = openSegments({ folder, segmentBytes: Number.MAX_SAFE_INTEGER, log: () => undefined }, segments, acknowledged, 'read');
      const last = segments.at(-1)!;
      const filesEnd = last.base + last.size;
      if (acknowledged > filesEnd) throw new CorruptRecord(`Events up to position ${acknowledged} were acknowledged, but the files end at ${filesEnd}`);
      const log = new RecordLog({ folder, segmentBytes: Number.MAX_SAFE_INTEGER, log: () => undefined }, recordId, segments, undefined, acknowledged || filesEnd, 0, 0);
      for (const segment of segments) segment.size = Math.max(0, Math.min(segment.size, log.durableEnd - segment.base));
      return log;
    } catch (error) {
      for (const segment of segments) closeSync(segment.fd);
      throw error;
    }
  }

  /** Behind the last durable event. */
  get end(): number {
    return this.durableEnd;
  }
  get lastLength(): number {
    return this.lastEventLength;
  }
  get createdMs(): number {
    return this.lastCreatedMs;
  }
  get start(): number {
    return SEGMENT_HEAD_BYTES;
  }
  /** The files, with the bytes of each that are durable. */
  get files(): readonly { readonly path: string; readonly base: number; readonly size: number }[] {
    return this.segments;
  }

  get segmentBytes(): number {
    return this.options.segmentBytes;
  }
  /** Size of the last file. */
  get segmentSize(): number {
    return this.segments.at(-1)!.size;
  }

  /**
   * Writes and flushes `bytes`, which hold `events` in order, at `end`, or in a new file when their positions leave room for its head.
   * When it throws, nothing of them is in the record. One call at a time.
   */
  async append(bytes: Buffer, events: StoredEvent[]): Promise<void> {
    const start = events[0]!.position;
    if (this.mustTruncate) this.truncateTail();
    let segment = this.segments.at(-1)!;
    try {
      if (start !== segment.base + segment.size) {
        segment = createSegment(this.options.folder, segment.base + segment.size, this.recordId);
        this.segments.push(segment);
      }
      for (let written = 0; written < bytes.length; ) {
        const { bytesWritten } = await fsWrite(segment.fd, bytes, written, bytes.length - written, segment.size + written);
        if (bytesWritten === 0) throw Object.assign(new Error('The disk takes no more bytes'), { code: 'ENOSPC' });
        written += bytesWritten;
      }
      if (!WRITES_ARE_DURABLE) await flush(segment.fd);
      this.watermark!.set(start + bytes.length);
    } catch (error) {
      this.mustTruncate = true;
      try {
        this.truncateTail();
      } catch (truncateError) {
        this.options.log(`A failed write could not be taken back yet: ${(truncateError as Error).message}`);
      }
      throw error;
    }
    segment.size += bytes.length;
    this.durableEnd = start + bytes.length;
    const last = events.at(-1)!;
    this.lastEventLength = last.length;
    this.lastCreatedMs = last.createdMs;
    this.recent.add(events);
  }

  /** Events from `position` on, which must be the beginning of one or `end`; empty at the end. At least one, then about `maxBytes`. */
  async readForwards(position: number, maxBytes = READ_BYTES): Promise<StoredEvent[]> {
    const from = this.skipHead(position);
    if (from >= this.durableEnd) return [];
    const recent = this.recent.from(from, maxBytes);
    if (recent) return recent;
    const segment = this.segmentAt(from);
    const limit = Math.min(segment.base + segment.size, this.durableEnd) - from;
    for (let wanted = Math.min(maxBytes, limit); ; ) {
      const bytes = await this.bytes(segment, from, wanted);
      const events: StoredEvent[] = [];
      let offset = 0;
      let needed = 0;
      while (offset < bytes.length) {
        const parsed = parseEvent(bytes, offset, from + offset);
        if (parsed.kind === 'broken') throw this.corrupt(from + offset, parsed.why);
        if (parsed.kind === 'incomplete') {
          needed = parsed.needed;
          break;
        }
        events.push(parsed.event);
        offset += parsed.event.length;
      }
      if (events.length > 0) return events;
      if (needed > limit || bytes.length < wanted) throw this.corrupt(from, 'the file ends inside it');
      wanted = needed;
    }
  }

  /** Up to `maxCount` events that end at or before `position`, the last first; `position` must be the end of one. */
  async readBackwards(position: number, maxCount: number): Promise<StoredEvent[]> {
    const events: StoredEvent[] = [];
    let end = Math.min(position, this.durableEnd);
    let length = end === this.durableEnd ? this.lastEventLength : (await this.readAt(this.skipHead(end))).previousLength;
    while (events.length < maxCount && end > this.start && length > 0) {
      const segment = this.segmentEndingAt(end);
      const limit = end - segment.base - SEGMENT_HEAD_BYTES;
      const wanted = Math.min(limit, Math.max(length, READ_BYTES));
      const bytes = await this.bytes(segment, end - wanted, wanted);
      let offset = bytes.length;
      while (length > 0 && length <= offset && events.length < maxCount) {
        const parsed = parseEvent(bytes, offset - length, end - length);
        if (parsed.kind !== 'event') throw this.corrupt(end - length, parsed.kind === 'broken' ? parsed.why : 'cut off');
        events.push(parsed.event);
        offset -= length;
        end -= length;
        length = parsed.event.previousLength;
      }
      if (end === segment.base + SEGMENT_HEAD_BYTES) end = segment.base;
      else if (offset === bytes.length) throw this.corrupt(end - length, 'the length of the event behind it');
    }
    return events;
  }

  async readAt(position: number): Promise<StoredEvent> {
    const recent = this.recent.at(position);
    if (recent) return recent;
    const segment = this.segmentAt(position);
    const limit = Math.min(segment.base + segment.size, this.durableEnd) - position;
    for (let wanted = Math.min(4096, limit); ; ) {
      const bytes = await this.bytes(segment, position, wanted);
      const parsed = parseEvent(bytes, 0, position);
      if (parsed.kind === 'event') return parsed.event;
      if (parsed.kind === 'broken' || parsed.needed > limit || bytes.length < wanted) throw this.corrupt(position, parsed.kind === 'broken' ? parsed.why : 'cut off');
      wanted = parsed.needed;
    }
  }

  /** The event that begins at `position`, any number, or right behind the head of a file that lies there; undefined when none does. */
  async eventAt(position: number): Promise<StoredEvent | undefined> {
    const from = this.skipHead(Math.max(position, this.start));
    if (from >= this.durableEnd) return undefined;
    const segment = this.segmentAt(from);
    const limit = Math.min(segment.base + segment.size, this.durableEnd) - from;
    for (let wanted = Math.min(4096, limit); ; ) {
      const bytes = await this.bytes(segment, from, wanted);
      const parsed = parseEvent(bytes, 0, from);
      if (parsed.kind === 'event') return parsed.event;
      if (parsed.kind === 'broken' || parsed.needed > limit) return undefined;
      wanted = parsed.needed;
    }
  }

  /** The beginning of the first event at or behind `position`, any number; `end` when there is none. Slow unless one begins there. */
  async align(position: number): Promise<number> {
    const from = this.skipHead(Math.max(position, this.start));
    if (from >= this.durableEnd) return this.durableEnd;
    if (await this.eventAt(from)) return from;
    for (let at = this.segmentAt(from).base + SEGMENT_HEAD_BYTES; ; ) {
      for (const event of await this.readForwards(at)) {
        if (event.position >= from) return event.position;
        at = event.end;
      }
      if (at >= this.durableEnd) return this.durableEnd;
    }
  }

  /** The beginning of the first event behind `position`: how a subscription goes on from where it was. */
  async behind(position: number): Promise<number> {
    const event = await this.eventAt(position);
    return event?.position === position ? this.skipHead(event.end) : this.align(position + 1);
  }

  /** Reads and checks everything between two positions; throws CorruptRecord at the first damage. */
  async check(from: number, to: number, onEvents: (events: readonly StoredEvent[]) => Promise<void> | void): Promise<void> {
    let at = this.skipHead(from);
    let previousLength = -1;
    let createdMs = 0;
    while (at < to) {
      const events = await this.readForwards(at, 4 * 1024 * 1024);
      if (events.length === 0) return;
      for (const event of events) {
        if (previousLength >= 0 && event.previousLength !== previousLength) throw this.corrupt(event.position, 'the length of the event before it');
        if (event.createdMs < createdMs) throw this.corrupt(event.position, 'a time before that of its predecessor');
        previousLength = event.length;
        createdMs = event.createdMs;
      }
      await onEvents(events);
      at = this.skipHead(events.at(-1)!.end);
    }
  }

  close(): void {
    for (const segment of this.segments) closeSync(segment.fd);
    this.watermark?.close();
  }

  private async recover(acknowledged: number, checkpoint: Checkpoint, onEvents: (events: readonly StoredEvent[]) => Promise<void> | void): Promise<void> {
    const last = this.segments.at(-1)!;
    const checkFrom = checkpoint.position;
    if (acknowledged > this.durableEnd) throw new CorruptRecord(`Events up to position ${acknowledged} were acknowledged, but the files end at ${this.durableEnd}`);
    if (checkpoint.reach > this.durableEnd) throw new CorruptRecord(`The index reaches position ${checkpoint.reach}, but the files end at ${this.durableEnd}`);
    const goodEnd = await this.findTornTail(last, acknowledged, checkFrom);
    if (goodEnd < this.durableEnd) {
      this.options.log(`The last write was torn: ${this.durableEnd - goodEnd} bytes behind position ${goodEnd}, which were never acknowledged, are cut off`);
      this.durableEnd = goodEnd;
      last.size = goodEnd - last.base;
      ftruncateSync(last.fd, last.size);
    }
    // What a killed process had written but not flushed is served from now on, so it must be on disk first.
    fdatasyncSync(last.fd);
    this.watermark!.set(this.durableEnd);
    this.lastEventLength = checkpoint.lastEventLength;
    this.lastCreatedMs = checkpoint.createdMs;
    await this.check(checkFrom, this.durableEnd, async (events) => {
      this.lastEventLength = events.at(-1)!.length;
      this.lastCreatedMs = events.at(-1)!.createdMs;
      await onEvents(events);
    });
  }

  /** Where the last whole append of the last file ends. */
  private async findTornTail(last: Segment, acknowledged: number, checkFrom: number): Promise<number> {
    let at = Math.max(last.base + SEGMENT_HEAD_BYTES, checkFrom < last.base ? 0 : checkFrom);
    let appendEnd = at;
    let chunk: Buffer = Buffer.alloc(0);
    let chunkStart = at;
    while (at < this.durableEnd) {
      let parsed = parseEvent(chunk, at - chunkStart, at);
      if (parsed.kind === 'incomplete') {
        const wanted = Math.max(parsed.needed, 4 * 1024 * 1024);
        chunk = await this.bytes(last, at, Math.min(wanted, this.durableEnd - at));
        chunkStart = at;
        parsed = parseEvent(chunk, 0, at);
      }
      if (parsed.kind !== 'event') {
        if (at < acknowledged) throw this.corrupt(at, parsed.kind === 'broken' ? parsed.why : 'cut off');
        return appendEnd;
      }
      at = parsed.event.end;
      if (parsed.event.following === 0) appendEnd = at;
    }
    if (appendEnd < acknowledged) throw this.corrupt(appendEnd, 'an append that is cut off');
    return appendEnd;
  }

  private truncateTail(): void {
    const last = this.segments.at(-1)!;
    if (this.durableEnd <= last.base && this.segments.length > 1) {
      closeSync(last.fd);
      unlinkSync(last.path);
      this.segments.pop();
    } else ftruncateSync(last.fd, last.size);
    this.mustTruncate = false;
  }

  /** The head of a file holds no event: a position in it, or at the end of the file before, means the first event behind it. */
  private skipHead(position: number): number {
    if (position >= this.durableEnd) return position;
    const segment = this.segmentAt(position);
    return Math.max(position, segment.base + SEGMENT_HEAD_BYTES);
  }

  private segmentAt(position: number): Segment {
    let low = 0;
    let high = this.segments.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.segments[middle]!.base <= position) low = middle;
      else high = middle - 1;
    }
    return this.segments[low]!;
  }

  private segmentEndingAt(end: number): Segment {
    return this.segmentAt(end - 1);
  }

  private async bytes(segment: Segment, position: number, length: number): Promise<Buffer> {
    const target = Buffer.allocUnsafeSlow(length);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await fsRead(segment.fd, target, filled, length - filled, position - segment.base + filled);
      if (bytesRead === 0) throw this.corrupt(position + filled, 'the file ends before it');
      filled += bytesRead;
    }
    return target;
  }

  private corrupt(position: number, why: string): CorruptRecord {
    const segment = this.segmentAt(position);
    return new CorruptRecord(`The event at position ${position} is damaged (${why}) in ${segment.path} at offset ${position - segment.base}`);
  }
}

/** Opens all files of the folder into `segments` and checks that none is missing; returns the record's id. */
function openSegments(options: RecordLogOptions, segments: Segment[], acknowledged: number, mode: 'read' | 'append' = 'append'): Buffer {
  const bases = readdirSync(options.folder).map(segmentBase).filter((base) => base !== undefined).sort((a, b) => a - b);
  if (bases.length === 0) {
    if (acknowledged > 0 || mode === 'read') throw new CorruptRecord(`Events up to position ${acknowledged} were acknowledged, but ${options.folder} holds no events`);
    const recordId = randomBytes(16);
    segments.push(createSegment(options.folder, 0, recordId));
    return recordId;
  }
  let recordId: Buffer | undefined;
  for (const [index, base] of bases.entries()) {
    const path = segmentPath(options.folder, base);
    const fd = openSync(path, mode === 'read' ? 'r' : APPENDING);
    const size = fstatSync(fd).size;
    const previous = segments.at(-1);
    segments.push({ base, path, fd, size });
    const expectedBase = previous ? previous.base + previous.size : 0;
    if (base !== expectedBase) throw new CorruptRecord(`${path} should begin at position ${expectedBase}: a file before it is missing or has another length`);
    // A crash while a file was being begun leaves a head that is cut off, and nothing in it can have been acknowledged.
    if (index === bases.length - 1 && size < SEGMENT_HEAD_BYTES && acknowledged <= base && mode === 'append') {
      options.log(`${path} was being begun when the process ended and is begun anew`);
      segments.pop();
      closeSync(fd);
      unlinkSync(path);
      recordId ??= randomBytes(16);
      segments.push(createSegment(options.folder, base, recordId));
      return recordId;
    }
    const id = checkSegmentHead(path, readHead(fd), base);
    if (recordId && !recordId.equals(id)) throw new CorruptRecord(`${path} belongs to another record`);
    recordId = id;
  }
  return recordId!;
}
