import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { escapePointer, parseJsonBody } from './json-body.js';
import { fingerprint } from './request-cause.js';

const parse = (text: string) => parseJsonBody(Buffer.from(text));

describe('a JSON body', () => {
  it('is what JSON.parse makes of it, for any document that breaks no rule', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const text = JSON.stringify(value);
        fc.pre(!/__proto__|constructor|prototype/.test(text));
        expect(parse(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it('is refused, never crashed on, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          parseJsonBody(Buffer.from(bytes));
        } catch (error) {
          expect(error).toMatchObject({ name: 'RequestRefused', status: 400 });
        }
      }),
    );
  });

  it('may hold brackets in its texts as deep as it likes', () => {
    expect(parse(JSON.stringify({ note: '[{'.repeat(500) + '\\"' }))).toHaveProperty('note');
    expect(() => parse('['.repeat(33) + ']'.repeat(33))).toThrow('nested deeper');
    expect(() => parse('['.repeat(32) + ']'.repeat(32))).not.toThrow();
  });

  it('may speak of a constructor, but not name a field so', () => {
    expect(parse('{"note":"the constructor and __proto__"}')).toEqual({ note: 'the constructor and __proto__' });
    expect(() => parse('{"a":[{"constructor":1}]}')).toThrow(expect.objectContaining({ extra: { errors: [expect.objectContaining({ pointer: '/a/0/constructor' })] } }));
  });

  it('is not quoted when it is refused', () => {
    expect(() => parse('{"name": "Siti", oops}')).toThrow(expect.objectContaining({ message: expect.not.stringContaining('Siti') }));
  });
});

describe('a pointer', () => {
  it('escapes tildes and slashes as RFC 6901 says', () => {
    expect(escapePointer('a/b~c')).toBe('a~1b~0c');
  });
});

describe('a fingerprint', () => {
  it('is that of the RFC 8785 form', () => {
    expect(fingerprint({ b: [true, 'ä'], a: 1 })).toBe(fingerprint(JSON.parse('{ "a": 1.0, "b": [true, "\\u00e4"] }')));
    expect(fingerprint({ a: 1 })).toBe('015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862');
  });
});
