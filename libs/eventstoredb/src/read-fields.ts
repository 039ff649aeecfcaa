import type { Position } from '@sejam/event-sourcing';

const [VARINT, FIXED_64, DELIMITED, FIXED_32] = [0, 1, 2, 5];

/** The fields of one message, in Protocol Buffers' binary form, as they come. What nobody asks for is passed over. */
export class Fields {
  /** Of the field that `next` went to. */
  number = 0;
  #wireType = VARINT;
  #asked = true;

  constructor(
    private readonly buffer: Buffer,
    private at = 0,
    private readonly end = buffer.length,
  ) {}

  /** Goes to the next field; false at the end of the message. */
  next(): boolean {
    if (!this.#asked) this.#pass();
    if (this.at >= this.end) return false;
    const tag = this.#small();
    this.number = tag >>> 3;
    this.#wireType = tag & 7;
    this.#asked = false;
    return true;
  }

  /** An unsigned integer of up to 64 bits, decimal. */
  integer(): string {
    this.#expect(VARINT);
    let value = 0;
    for (let factor = 1, at = this.at; factor <= 2 ** 42; factor *= 128) {
      const byte = this.#byte(at++);
      value += (byte & 127) * factor;
      if (byte < 128) {
        this.at = at;
        return String(value);
      }
    }
    let large = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#byte(this.at++);
      large |= BigInt(byte & 127) << shift;
      if (byte < 128) return String(BigInt.asUintN(64, large));
    }
    throw new RangeError('A number of the message does not end');
  }

  bytes(): Buffer {
    const start = this.#open();
    return this.buffer.subarray(start, this.at);
  }

  text(): string {
    const start = this.#open();
    return this.buffer.toString('utf8', start, this.at);
  }

  /** A message within the message. */
  part(): Fields {
    const start = this.#open();
    return new Fields(this.buffer, start, this.at);
  }

  /** Goes behind what is delimited; returns where it begins. */
  #open(): number {
    this.#expect(DELIMITED);
    return this.#goBy(this.#small());
  }

  /** Returns from where. */
  #goBy(bytes: number): number {
    const start = this.at;
    this.at += bytes;
    if (this.at > this.end) throw new RangeError('The message ends too early');
    return start;
  }

  #expect(wireType: number): void {
    if (this.#wireType !== wireType) throw new RangeError(`Field ${this.number} of the message is of wire type ${this.#wireType}, not ${wireType}`);
    this.#asked = true;
  }

  #pass(): void {
    if (this.#wireType === VARINT) this.integer();
    else if (this.#wireType === DELIMITED) this.#open();
    else if (this.#wireType === FIXED_64) this.#goBy(8);
    else if (this.#wireType === FIXED_32) this.#goBy(4);
    else throw new RangeError(`Wire type ${this.#wireType} is not known`);
    this.#asked = true;
  }

  /** A tag or a length: below 2^32. */
  #small(): number {
    let value = 0;
    for (let factor = 1; factor <= 2 ** 28; factor *= 128) {
      const byte = this.#byte(this.at++);
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
    throw new RangeError('A length of the message does not end');
  }

  #byte(at: number): number {
    if (at >= this.end) throw new RangeError('The message ends too early');
    return this.buffer[at] as number;
  }
}

/** Servers answer in whichever of the two forms they like: text, or two signed 64-bit numbers. */
export function idIn(fields: Fields): string {
  let id = '';
  while (fields.next()) {
    if (fields.number === 2) id = fields.text();
    else if (fields.number === 1) id = uuidOf(fields.part());
  }
  return id;
}

function uuidOf(fields: Fields): string {
  let [most, least] = ['0', '0'];
  while (fields.next()) {
    if (fields.number === 1) most = fields.integer();
    else if (fields.number === 2) least = fields.integer();
  }
  return toUuidText(most, least);
}

/** Of two 64-bit numbers, decimal, signed or not. */
export function toUuidText(most: string, least: string): string {
  const half = (bits: string): string => BigInt.asUintN(64, BigInt(bits)).toString(16).padStart(16, '0');
  const hex = half(most) + half(least);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

export function positionIn(fields: Fields): Position {
  let [commit, prepare] = ['0', '0'];
  while (fields.next()) {
    if (fields.number === 1) commit = fields.integer();
    else if (fields.number === 2) prepare = fields.integer();
  }
  return { commit, prepare };
}
