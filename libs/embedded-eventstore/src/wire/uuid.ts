import { MalformedMessage, ProtoReader, field } from './protobuf.js';

const SHAPE = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
export const EMPTY_UUID = '00000000-0000-0000-0000-000000000000';

/** A UUID message in either of its two forms, as lower-case text. */
export function readUuid(reader: ProtoReader): string {
  let text: string | undefined;
  while (reader.next()) {
    if (reader.field === 1) text = readStructured(reader.message());
    else if (reader.field === 2) text = reader.string();
    else reader.skip();
  }
  if (text === undefined) return EMPTY_UUID;
  if (SHAPE.test(text)) return text;
  const canonical = text.toLowerCase().replace(/^\{|\}$/g, '').replace(/^([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/, '$1-$2-$3-$4-$5');
  if (!SHAPE.test(canonical)) throw new MalformedMessage(`${JSON.stringify(text.slice(0, 60))} is not a UUID`);
  return canonical;
}

function readStructured(reader: ProtoReader): string {
  let most = 0n;
  let least = 0n;
  while (reader.next()) {
    if (reader.field === 1) most = reader.int64();
    else if (reader.field === 2) least = reader.int64();
    else reader.skip();
  }
  const hex = BigInt.asUintN(64, most).toString(16).padStart(16, '0') + BigInt.asUintN(64, least).toString(16).padStart(16, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** The content of a UUID message, in the form that was asked for. */
export function uuidParts(text: string, structured: boolean): Buffer {
  if (!structured) return field.string(2, text);
  const hex = text.replaceAll('-', '');
  return field.message(1, field.int64(1, BigInt(`0x${hex.slice(0, 16)}`)), field.int64(2, BigInt(`0x${hex.slice(16)}`)));
}
