import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import { MalformedMessage, ProtoReader, field, varintSize, writeVarint } from './protobuf.js';
import { readUuid, uuidParts } from './uuid.js';

describe('numbers on the wire', () => {
  it('come back as they were written', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        const bytes = Buffer.alloc(10);
        const end = writeVarint(bytes, 0, value);
        expect(end).toBe(varintSize(value));
        const reader = new ProtoReader(field.uint(1, value));
        expect(reader.next()).toBe(true);
        expect(reader.uint()).toBe(value);
      }),
    );
  });

  it('with a sign come back as they were written', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        const reader = new ProtoReader(field.int64(1, BigInt(value)));
        expect(reader.next()).toBe(true);
        expect(reader.int()).toBe(value);
      }),
    );
  });

  it('beyond 2^53 read as the largest that can be counted', () => {
    const reader = new ProtoReader(field.maxUint(3));
    reader.next();
    expect(reader.uint()).toBe(Number.MAX_SAFE_INTEGER);
  });
});

describe('messages that are not of the protocol', () => {
  it.each([
    ['cut off inside a number', Buffer.from([0x08, 0x80])],
    ['cut off inside a field', Buffer.from([0x0a, 0x05, 0x01])],
    ['with field number 0', Buffer.from([0x00, 0x01])],
    ['with a group', Buffer.from([0x0b])],
    ['with a number of eleven bytes', Buffer.from([0x08, ...Array<number>(10).fill(0xff), 0x01])],
  ])('are refused: %s', (_, bytes) => {
    expect(() => {
      const reader = new ProtoReader(bytes);
      while (reader.next()) reader.skip();
    }).toThrow(MalformedMessage);
  });

  it('never make the reader run on or read outside', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const reader = new ProtoReader(Buffer.from(bytes));
        try {
          while (reader.next()) reader.skip();
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedMessage);
        }
      }),
    );
  });
});

describe('a UUID', () => {
  it('is the same in both forms of the protocol', () => {
    fc.assert(
      fc.property(fc.uuid(), (text) => {
        for (const structured of [true, false]) expect(readUuid(new ProtoReader(uuidParts(text, structured)))).toBe(text);
      }),
    );
  });

  it('is read by the official messages as it was written', () => {
    const text = 'f2345678-9abc-4def-8123-456789abcdef';
    const structured = shared.UUID.deserializeBinary(uuidParts(text, true)).getStructured()!;
    expect(BigInt.asUintN(64, BigInt(structured.getMostSignificantBits())).toString(16)).toBe('f23456789abc4def');
    expect(BigInt.asUintN(64, BigInt(structured.getLeastSignificantBits())).toString(16)).toBe('8123456789abcdef');
    expect(shared.UUID.deserializeBinary(uuidParts(text, false)).getString()).toBe(text);
  });

  it('may be written in capitals, without hyphens or in braces, and is refused when it is none', () => {
    const read = (text: string) => readUuid(new ProtoReader(field.string(2, text)));
    const text = 'f2345678-9abc-4def-8123-456789abcdef';
    expect(read(text.toUpperCase())).toBe(text);
    expect(read(text.replaceAll('-', ''))).toBe(text);
    expect(read(`{${text}}`)).toBe(text);
    expect(() => read('no uuid')).toThrow(MalformedMessage);
  });
});
