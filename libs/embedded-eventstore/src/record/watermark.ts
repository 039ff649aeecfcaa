import { crc32 } from 'node:zlib';
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { readUint64, writeUint64 } from './stored-event.js';

/**
 * How far the record has been acknowledged, kept in a file of 12 bytes that is written after every flush but not itself flushed.
 * It tells two kinds of damage apart: broken bytes behind it are a torn write that nobody was told of, broken bytes before it are
 * the loss of something acknowledged. It survives the end of the process; after a power cut it may be old, never ahead.
 */
export class Watermark {
  private readonly bytes = Buffer.alloc(12);

  private constructor(private readonly fd: number) {}

  static open(path: string): { watermark: Watermark; position: number } {
    const fd = openSync(path, openFlags(path), 0o600);
    const watermark = new Watermark(fd);
    const read = readSync(fd, watermark.bytes, 0, 12, 0);
    return { watermark, position: read === 12 ? decode(watermark.bytes) : 0 };
  }

  static read(path: string): number {
    const bytes = Buffer.alloc(12);
    let fd: number;
    try {
      fd = openSync(path, 'r');
    } catch {
      return 0;
    }
    try {
      return readSync(fd, bytes, 0, 12, 0) === 12 ? decode(bytes) : 0;
    } finally {
      closeSync(fd);
    }
  }

  set(position: number): void {
    writeUint64(this.bytes, 0, position);
    this.bytes.writeUInt32LE(crc32(this.bytes.subarray(0, 8)), 8);
    writeSync(this.fd, this.bytes, 0, 12, 0);
  }

  close(): void {
    closeSync(this.fd);
  }
}

function openFlags(path: string): string {
  try {
    closeSync(openSync(path, 'ax', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return 'r+';
}

function decode(bytes: Buffer): number {
  return crc32(bytes.subarray(0, 8)) === bytes.readUInt32LE(8) ? readUint64(bytes, 0) : 0;
}
