/** Thrown for bytes that are not a message of the protocol; the call ends with INVALID_ARGUMENT. */
export class MalformedMessage extends Error {
  override readonly name = 'MalformedMessage';
}

const TWO_32 = 0x1_0000_0000;

/**
 * Reads protobuf fields in place: byte fields are views of the input, never copies. Unknown fields are skipped, so newer clients may
 * send more than this server knows.
 */
export class ProtoReader {
  /** Number of the field that `next()` stopped at. */
  field = 0;
  private wireType = 0;
  private low = 0;
  private high = 0;

  constructor(
    private readonly bytes: Buffer,
    private position = 0,
    private readonly end = bytes.length,
  ) {}

  /** Moves to the next field; false at the end of the message. Every field must then be read or skipped. */
  next(): boolean {
    if (this.position >= this.end) return false;
    this.varint64();
    this.wireType = this.low & 7;
    this.field = this.low >>> 3;
    if (this.field === 0) throw new MalformedMessage('Field number 0');
    return true;
  }

  /** An unsigned integer; what lies beyond 2^53 − 1 reads as 2^53 − 1, for which no event will ever exist. */
  uint(): number {
    if (this.wireType !== 0) throw new MalformedMessage(`Field ${this.field} is not a number`);
    this.varint64();
    return this.high > 0x1f_ffff ? Number.MAX_SAFE_INTEGER : this.high * TWO_32 + this.low;
  }

  /** A signed integer, exact up to 2^53. */
  int(): number {
    if (this.wireType !== 0) throw new MalformedMessage(`Field ${this.field} is not a number`);
    this.varint64();
    return (this.high | 0) * TWO_32 + this.low;
  }

  int64(): bigint {
    if (this.wireType !== 0) throw new MalformedMessage(`Field ${this.field} is not a number`);
    this.varint64();
    return BigInt.asIntN(64, (BigInt(this.high) << 32n) | BigInt(this.low));
  }

  bool(): boolean {
    return this.uint() !== 0;
  }

  view(): Buffer {
    const length = this.length();
    const start = this.position;
    this.position += length;
    return this.bytes.subarray(start, this.position);
  }

  string(): string {
    const length = this.length();
    const start = this.position;
    this.position += length;
    return this.bytes.toString('utf8', start, this.position);
  }

  message(): ProtoReader {
    const length = this.length();
    const start = this.position;
    this.position += length;
    return new ProtoReader(this.bytes, start, this.position);
  }

  skip(): void {
    switch (this.wireType) {
      case 0:
        this.varint64();
        return;
      case 1:
        this.position += 8;
        break;
      case 2:
        this.view();
        break;
      case 5:
        this.position += 4;
        break;
      default:
        throw new MalformedMessage(`Wire type ${this.wireType} in field ${this.field}`);
    }
    if (this.position > this.end) throw new MalformedMessage('Message is cut off');
  }

  private length(): number {
    if (this.wireType !== 2) throw new MalformedMessage(`Field ${this.field} has no length`);
    this.varint64();
    const length = this.high === 0 ? this.low : Number.MAX_SAFE_INTEGER;
    if (length > this.end - this.position) throw new MalformedMessage('Message is cut off');
    return length;
  }

  private varint64(): void {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.position >= this.end) throw new MalformedMessage('Message is cut off');
      const byte = this.bytes[this.position++]!;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= bits << (shift - 32);
      if (byte < 0x80) {
        this.low = low >>> 0;
        this.high = high >>> 0;
        return;
      }
    }
    throw new MalformedMessage('A number is longer than ten bytes');
  }
}

export function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size += 1;
  return size;
}

/** Writes a non-negative safe integer; returns the offset behind it. */
export function writeVarint(target: Buffer, offset: number, value: number): number {
  let rest = value;
  let at = offset;
  while (rest > 0x7fff_ffff) {
    target[at++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  while (rest > 0x7f) {
    target[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  target[at++] = rest;
  return at;
}

function key(field: number, wireType: number): Buffer {
  const target = Buffer.allocUnsafe(varintSize(field * 8 + wireType));
  writeVarint(target, 0, field * 8 + wireType);
  return target;
}

function varint(value: number): Buffer {
  const target = Buffer.allocUnsafe(varintSize(value));
  writeVarint(target, 0, value);
  return target;
}

/** The small answers are put together from these; events are written in place by the record and the read. */
export const field = {
  uint: (number: number, value: number): Buffer => Buffer.concat([key(number, 0), varint(value)]),
  int64: (number: number, value: bigint): Buffer => {
    const bytes = [...key(number, 0)];
    for (let rest = BigInt.asUintN(64, value); ; rest >>= 7n) {
      if (rest < 0x80n) {
        bytes.push(Number(rest));
        return Buffer.from(bytes);
      }
      bytes.push(Number(rest & 0x7fn) | 0x80);
    }
  },
  /** The largest uint64: how the oldest clients expect "no stream". */
  maxUint: (number: number): Buffer => field.int64(number, -1n),
  bytes: (number: number, value: Uint8Array): Buffer => Buffer.concat([key(number, 2), varint(value.length), value]),
  string: (number: number, value: string): Buffer => field.bytes(number, Buffer.from(value, 'utf8')),
  message: (number: number, ...parts: Buffer[]): Buffer => field.bytes(number, Buffer.concat(parts)),
  empty: (number: number): Buffer => field.bytes(number, Buffer.alloc(0)),
};
