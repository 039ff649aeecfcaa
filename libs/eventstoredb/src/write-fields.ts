/** One field of a message to be written in Protocol Buffers' binary form. Its number is below 16. */
export interface Field {
  readonly number: number;
  readonly content: number | string | readonly Field[];
  /** Of the content, in bytes. */
  readonly length: number;
}

/** An unsigned integer. Throws RangeError for what a JavaScript number does not hold exactly. */
export function integer(number: number, content: number): Field {
  if (!Number.isSafeInteger(content) || content < 0) throw new RangeError(`${content} is no unsigned integer`);
  return { number, content, length: varintLength(content) };
}

/** As UTF-8; also for fields of bytes. */
export function text(number: number, content: string): Field {
  return { number, content, length: Buffer.byteLength(content) };
}

/** A message within the message. */
export function message(number: number, content: readonly Field[]): Field {
  return { number, content, length: lengthOf(content) };
}

export function bytesOf(fields: readonly Field[]): Buffer {
  const buffer = Buffer.allocUnsafe(lengthOf(fields));
  write(fields, buffer, 0);
  return buffer;
}

function lengthOf(fields: readonly Field[]): number {
  let length = 0;
  for (const field of fields) length += 1 + field.length + (typeof field.content === 'number' ? 0 : varintLength(field.length));
  return length;
}

function write(fields: readonly Field[], buffer: Buffer, start: number): number {
  let at = start;
  for (const { number, content, length } of fields) {
    if (typeof content === 'number') {
      buffer[at] = number << 3;
      at = writeVarint(content, buffer, at + 1);
      continue;
    }
    buffer[at] = (number << 3) | 2;
    at = writeVarint(length, buffer, at + 1);
    if (typeof content === 'string') at += buffer.write(content, at);
    else at = write(content, buffer, at);
  }
  return at;
}

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) length += 1;
  return length;
}

function writeVarint(value: number, buffer: Buffer, start: number): number {
  let at = start;
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) buffer[at++] = (rest % 128) | 128;
  buffer[at] = rest;
  return at + 1;
}
