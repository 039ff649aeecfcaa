import { deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { MessageFrames, timeoutMs } from './grpc-call.js';

function framed(message: Buffer, compressed = false): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = compressed ? 1 : 0;
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function messagesOf(chunks: readonly Buffer[], encoding = 'identity'): string[] {
  const found: string[] = [];
  const frames = new MessageFrames(encoding);
  for (const chunk of chunks) frames.push(chunk, (message) => found.push(message.toString('hex')));
  frames.end();
  return found;
}

describe('the messages of a call', () => {
  it('come out the same wherever the network cuts them', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 6 }), fc.array(fc.nat({ max: 20 })), (messages, cuts) => {
        const bytes = Buffer.concat(messages.map((message) => framed(Buffer.from(message))));
        const chunks: Buffer[] = [];
        let at = 0;
        for (const cut of cuts) {
          chunks.push(bytes.subarray(at, at + cut));
          at += cut;
        }
        chunks.push(bytes.subarray(at));
        expect(messagesOf(chunks)).toEqual(messages.map((message) => Buffer.from(message).toString('hex')));
      }),
    );
  });

  it('may be compressed as the call has said', () => {
    const message = Buffer.from('the same again and again and again');
    expect(messagesOf([framed(gzipSync(message), true), framed(message)], 'gzip')).toEqual([message.toString('hex'), message.toString('hex')]);
    expect(messagesOf([framed(deflateSync(message), true)], 'deflate')).toEqual([message.toString('hex')]);
  });

  it('are refused when they are too large, compressed without notice, no gzip, or cut off', () => {
    const large = Buffer.alloc(5);
    large.writeUInt32BE(0x7fff_ffff, 1);
    expect(() => messagesOf([large])).toThrow('larger than');
    expect(() => messagesOf([framed(Buffer.from('x'), true)])).toThrow('not supported');
    expect(() => messagesOf([framed(Buffer.from('x'), true)], 'gzip')).toThrow('cannot be read');
    expect(() => messagesOf([framed(Buffer.from('whole')).subarray(0, 8)])).toThrow('cut off');
    expect(() => messagesOf([framed(gzipSync(Buffer.alloc(30_000_000)), true)], 'gzip')).toThrow('cannot be read');
  });
});

describe('the time-out of a call', () => {
  it.each([
    ['2H', 7_200_000], ['3M', 180_000], ['4S', 4000], ['500m', 500], ['1000u', 1], ['1000000n', 1], ['soon', undefined], [undefined, undefined],
  ])('%s is %s milliseconds', (header, expected) => {
    expect(timeoutMs(header)).toBe(expected);
  });
});
