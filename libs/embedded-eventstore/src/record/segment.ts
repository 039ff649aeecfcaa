import { crc32 } from 'node:zlib';
import { closeSync, constants, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { CorruptRecord } from './faults.js';
import { readUint64, writeUint64 } from './stored-event.js';

/** Every segment file begins with a head of this size, which takes up positions like an event: position = base + offset in the file. */
export const SEGMENT_HEAD_BYTES = 64;
const MAGIC = 'sejam-events 1\n\0';
const SUFFIX = '.events';

/** Whether a write to a segment returns when it is on disk: one call where there would be two. Elsewhere than on Linux it may mean less. */
export const WRITES_ARE_DURABLE = process.platform === 'linux';
/** How an existing segment is opened to be read and appended to. */
export const APPENDING = constants.O_RDWR | (WRITES_ARE_DURABLE ? constants.O_DSYNC : 0);

/** One file of the record. Only the last one grows. */
export interface Segment {
  readonly base: number;
  readonly path: string;
  readonly fd: number;
  /** Bytes that hold events, the head included. */
  size: number;
}

export function segmentPath(folder: string, base: number): string {
  return join(folder, `${String(base).padStart(20, '0')}${SUFFIX}`);
}

/** The base that a file name says, undefined for another file. */
export function segmentBase(name: string): number | undefined {
  const match = /^(\d{20})\.events$/.exec(name);
  return match ? Number(match[1]) : undefined;
}

function head(base: number, recordId: Buffer): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEAD_BYTES);
  bytes.write(MAGIC, 0, 'latin1');
  writeUint64(bytes, 16, base);
  recordId.copy(bytes, 24);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 60)), 60);
  return bytes;
}

/** Creates the file and makes it and its name durable. */
export function createSegment(folder: string, base: number, recordId: Buffer): Segment {
  const path = segmentPath(folder, base);
  const fd = openSync(path, APPENDING | constants.O_CREAT | constants.O_TRUNC, 0o600);
  try {
    writeSync(fd, head(base, recordId));
    fsyncSync(fd);
    syncFolder(folder);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return { base, path, fd, size: SEGMENT_HEAD_BYTES };
}

/** Throws CorruptRecord unless `bytes` are the head of the segment at `base`; returns the id of the record it belongs to. */
export function checkSegmentHead(path: string, bytes: Buffer, base: number): Buffer {
  if (bytes.length < SEGMENT_HEAD_BYTES || bytes.toString('latin1', 0, 16) !== MAGIC || crc32(bytes.subarray(0, 60)) !== bytes.readUInt32LE(60)) {
    throw new CorruptRecord(`${path} does not begin as a segment of events`);
  }
  if (readUint64(bytes, 16) !== base) throw new CorruptRecord(`${path} says that it begins at ${readUint64(bytes, 16)}`);
  return Buffer.from(bytes.subarray(24, 40));
}

export function readHead(fd: number): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEAD_BYTES);
  return bytes.subarray(0, readSync(fd, bytes, 0, SEGMENT_HEAD_BYTES, 0));
}

/** Makes a new or renamed file's name durable. Some systems cannot open a folder; there the name is durable by itself. */
export function syncFolder(folder: string): void {
  let fd: number;
  try {
    fd = openSync(folder, 'r');
  } catch {
    return;
  }
  try {
    fsyncSync(fd);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM' && (error as NodeJS.ErrnoException).code !== 'EINVAL') throw error;
  } finally {
    closeSync(fd);
  }
}
