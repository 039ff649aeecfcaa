import { crc32 } from 'node:zlib';
import { ProtoReader, varintSize, writeVarint } from '../wire/protobuf.js';

/**
 * How an event lies in the record: a fixed head, then the bytes of the protocol's `RecordedEvent`, ready to be sent.
 *
 *   0  length of all            u32      24  revision            u64
 *   4  CRC-32 of all behind     u32      32  created, 100 ns     u64
 *   8  position                 u64      40  length of stream    u32
 *  16  length of the one before u32      44  length of type      u32
 *  20  events to follow in the same append, u32
 */
export const HEAD_BYTES = 48;
const ID_FIELD_BYTES = 40;
const CREATED_DIGITS = 17;
const JSON_TYPE = 'application/json';
const BINARY_TYPE = 'application/octet-stream';
export const MAX_RECORD_BYTES = 64 * 1024 * 1024;

export interface ProposedEvent {
  /** Lower-case UUID. */
  readonly id: string;
  readonly type: string;
  readonly isJson: boolean;
  readonly metadata: Buffer;
  readonly data: Buffer;
}

export interface Placement {
  readonly stream: string;
  readonly streamBytes: number;
  readonly revision: number;
  readonly position: number;
  readonly previousLength: number;
  readonly following: number;
  /** Ticks of 100 ns since 1970, as 17 digits. */
  readonly createdMs: number;
}

const mapEntryBytes = (keyBytes: number, valueBytes: number) => 2 + keyBytes + 1 + varintSize(valueBytes) + valueBytes;
const nested = (length: number) => 1 + varintSize(length) + length;

/** The number of bytes that `writeEvent` will write. */
export function eventBytes(event: ProposedEvent, place: Placement): number {
  const typeBytes = Buffer.byteLength(event.type);
  return (
    HEAD_BYTES +
    ID_FIELD_BYTES +
    nested(nested(place.streamBytes)) +
    nested(mapEntryBytes(4, typeBytes)) +
    nested(mapEntryBytes(7, CREATED_DIGITS)) +
    nested(mapEntryBytes(12, event.isJson ? JSON_TYPE.length : BINARY_TYPE.length)) +
    1 + varintSize(place.revision) +
    2 + varintSize(place.position) * 2 +
    (event.metadata.length > 0 ? nested(event.metadata.length) : 0) +
    (event.data.length > 0 ? nested(event.data.length) : 0)
  );
}

/** Writes the event at `offset`, `length` being what `eventBytes` said. */
export function writeEvent(target: Buffer, offset: number, length: number, event: ProposedEvent, place: Placement): void {
  const typeBytes = Buffer.byteLength(event.type);
  let at = offset + HEAD_BYTES;
  target[at++] = 0x0a; target[at++] = 0x26; target[at++] = 0x12; target[at++] = 0x24;
  at += target.write(event.id, at, 36, 'latin1');
  target[at++] = 0x12;
  at = writeVarint(target, at, nested(place.streamBytes));
  target[at++] = 0x1a;
  at = writeVarint(target, at, place.streamBytes);
  at += target.write(place.stream, at, place.streamBytes, 'utf8');
  at = writeMapEntry(target, at, 'type', event.type, typeBytes);
  at = writeMapEntry(target, at, 'created', `${place.createdMs}0000`, CREATED_DIGITS);
  const contentType = event.isJson ? JSON_TYPE : BINARY_TYPE;
  at = writeMapEntry(target, at, 'content-type', contentType, contentType.length);
  target[at++] = 0x18;
  at = writeVarint(target, at, place.revision);
  target[at++] = 0x20;
  at = writeVarint(target, at, place.position);
  target[at++] = 0x28;
  at = writeVarint(target, at, place.position);
  if (event.metadata.length > 0) {
    target[at++] = 0x3a;
    at = writeVarint(target, at, event.metadata.length);
    at += event.metadata.copy(target, at);
  }
  if (event.data.length > 0) {
    target[at++] = 0x42;
    at = writeVarint(target, at, event.data.length);
    at += event.data.copy(target, at);
  }
  if (at !== offset + length) throw new Error(`An event of ${length} bytes became ${at - offset}`);
  target.writeUInt32LE(length, offset);
  writeUint64(target, offset + 8, place.position);
  target.writeUInt32LE(place.previousLength, offset + 16);
  target.writeUInt32LE(place.following, offset + 20);
  writeUint64(target, offset + 24, place.revision);
  writeUint64(target, offset + 32, place.createdMs);
  target.writeUInt32LE(place.streamBytes, offset + 40);
  target.writeUInt32LE(typeBytes, offset + 44);
  target.writeUInt32LE(crc32(target.subarray(offset + 8, offset + length)), offset + 4);
}

function writeMapEntry(target: Buffer, offset: number, key: string, value: string, valueBytes: number): number {
  let at = offset;
  target[at++] = 0x32;
  at = writeVarint(target, at, mapEntryBytes(key.length, valueBytes));
  target[at++] = 0x0a;
  target[at++] = key.length;
  at += target.write(key, at, key.length, 'latin1');
  target[at++] = 0x12;
  at = writeVarint(target, at, valueBytes);
  return at + target.write(value, at, valueBytes, 'utf8');
}

/** A view of one event in the record; nothing is decoded before it is asked for. */
export class StoredEvent {
  constructor(
    private readonly bytes: Buffer,
    private readonly offset: number,
    readonly length: number,
  ) {}

  get position(): number {
    return readUint64(this.bytes, this.offset + 8);
  }
  /** Where the next event begins. */
  get end(): number {
    return this.position + this.length;
  }
  get previousLength(): number {
    return this.bytes.readUInt32LE(this.offset + 16);
  }
  get following(): number {
    return this.bytes.readUInt32LE(this.offset + 20);
  }
  get revision(): number {
    return readUint64(this.bytes, this.offset + 24);
  }
  get createdMs(): number {
    return readUint64(this.bytes, this.offset + 32);
  }
  get id(): string {
    return this.bytes.toString('latin1', this.offset + HEAD_BYTES + 4, this.offset + HEAD_BYTES + ID_FIELD_BYTES);
  }
  get stream(): string {
    const start = this.streamStart();
    return this.bytes.toString('utf8', start, start + this.streamBytes());
  }
  get type(): string {
    const start = this.typeStart();
    return this.bytes.toString('utf8', start, start + this.bytes.readUInt32LE(this.offset + 44));
  }
  /** The protocol's `RecordedEvent`, with the id as text. */
  get recorded(): Buffer {
    return this.bytes.subarray(this.offset + HEAD_BYTES, this.offset + this.length);
  }
  /** `recorded` without its id, which comes first. */
  get recordedWithoutId(): Buffer {
    return this.bytes.subarray(this.offset + HEAD_BYTES + ID_FIELD_BYTES, this.offset + this.length);
  }

  get dataText(): string {
    const reader = new ProtoReader(this.recorded);
    while (reader.next()) {
      if (reader.field === 8) return reader.string();
      reader.skip();
    }
    return '';
  }

  copyRecorded(target: Buffer, at: number): number {
    return this.bytes.copy(target, at, this.offset + HEAD_BYTES, this.offset + this.length);
  }

  private streamBytes(): number {
    return this.bytes.readUInt32LE(this.offset + 40);
  }
  private streamStart(): number {
    const streamBytes = this.streamBytes();
    return this.offset + HEAD_BYTES + ID_FIELD_BYTES + 1 + varintSize(nested(streamBytes)) + 1 + varintSize(streamBytes);
  }
  private typeStart(): number {
    const typeBytes = this.bytes.readUInt32LE(this.offset + 44);
    return this.streamStart() + this.streamBytes() + 1 + varintSize(mapEntryBytes(4, typeBytes)) + 2 + 4 + 1 + varintSize(typeBytes);
  }
}

export type Parsed = { readonly kind: 'event'; readonly event: StoredEvent } | { readonly kind: 'incomplete'; readonly needed: number } | { readonly kind: 'broken'; readonly why: string };

/** Reads the event at `offset`, which must lie at `position` in the record, and checks it. */
export function parseEvent(bytes: Buffer, offset: number, position: number): Parsed {
  const available = bytes.length - offset;
  if (available < HEAD_BYTES) return { kind: 'incomplete', needed: HEAD_BYTES };
  const length = bytes.readUInt32LE(offset);
  if (length < HEAD_BYTES + ID_FIELD_BYTES || length > MAX_RECORD_BYTES) return { kind: 'broken', why: `a length of ${length}` };
  if (readUint64(bytes, offset + 8) !== position) return { kind: 'broken', why: 'another position' };
  if (available < length) return { kind: 'incomplete', needed: length };
  if (crc32(bytes.subarray(offset + 8, offset + length)) !== bytes.readUInt32LE(offset + 4)) return { kind: 'broken', why: 'a wrong checksum' };
  return { kind: 'event', event: new StoredEvent(bytes, offset, length) };
}

export function writeUint64(target: Buffer, offset: number, value: number): void {
  target.writeUInt32LE(value % 0x1_0000_0000, offset);
  target.writeUInt32LE(Math.floor(value / 0x1_0000_0000), offset + 4);
}

export function readUint64(bytes: Buffer, offset: number): number {
  return bytes.readUInt32LE(offset + 4) * 0x1_0000_0000 + bytes.readUInt32LE(offset);
}
