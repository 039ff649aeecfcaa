import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  eventLeaf, eventLeafHash, formatAddCheckpoint, formatEventLine, Frontier, hashFromBase64, hashToBase64, leafHash, loggedEvent, noteSigner, openCheckpoint, parseAddCheckpoint, parseTlogProof,
  parseVkey, signCheckpoint, verifyConsistency, verifyInclusion, verifyTlogProof, type LoggedEvent, type RecordedEvent,
} from './index.js';

interface Vectors {
  events: (Omit<LoggedEvent, 'data' | 'metadata'> & { data: string; metadata: string; leaf: string; leafHash: string; line: string })[];
  roots: string[];
  log: { vkey: string; name: string; seed: string };
  witness: { vkey: string; name: string; seed: string };
  checkpoints: Record<string, string>;
  cosigned: { time: number; note: string };
  inclusion: { index: number; size: number; hashes: string[] }[];
  consistency: { from: number; to: number; hashes: string[] }[];
  proof: string;
  addCheckpoint: string;
}

const vectors = JSON.parse(readFileSync(new URL('../../../docs/audit-test-vectors.json', import.meta.url), 'utf8')) as Vectors;
const hashes = (list: readonly string[]) => list.map((text) => hashFromBase64(text)!);

describe('the published test vectors', () => {
  const log = parseVkey(vectors.log.vkey);
  const witness = parseVkey(vectors.witness.vkey);

  it('give the leaves, lines and roots', () => {
    const frontier = new Frontier();
    for (const [index, event] of vectors.events.entries()) {
      expect(eventLeaf(event).toString('hex')).toBe(event.leaf);
      expect(hashToBase64(eventLeafHash(event))).toBe(event.leafHash);
      expect(formatEventLine(index, eventLeafHash(event), event)).toBe(event.line);
      expect(hashToBase64(frontier.root())).toBe(vectors.roots[index]);
      frontier.append(eventLeafHash(event));
    }
    expect(hashToBase64(frontier.root())).toBe(vectors.roots.at(-1));
  });

  it('give the checkpoints, letter by letter', () => {
    const signer = noteSigner(vectors.log.name, 'ed25519', Buffer.from(vectors.log.seed, 'hex'));
    expect(signer.verifier.vkey).toBe(vectors.log.vkey);
    for (const [size, note] of Object.entries(vectors.checkpoints)) {
      expect(signCheckpoint({ size: Number(size), root: hashFromBase64(vectors.roots[Number(size)]!)! }, signer)).toBe(note);
    }
    expect(openCheckpoint(vectors.cosigned.note, { log: [log], witnesses: [witness] })).toMatchObject({ size: 7, cosignatures: [{ timestamp: vectors.cosigned.time }] });
  });

  it('hold proofs that verify', () => {
    const root = (size: number) => hashFromBase64(vectors.roots[size]!)!;
    for (const { index, size, hashes: proof } of vectors.inclusion) {
      expect(verifyInclusion({ leaf: hashFromBase64(vectors.events[index]!.leafHash)!, index, size, root: root(size), proof: hashes(proof) })).toBe(true);
    }
    for (const { from, to, hashes: proof } of vectors.consistency) {
      expect(verifyConsistency({ size: from, root: root(from) }, { size: to, root: root(to) }, hashes(proof))).toBe(true);
    }
    const proof = parseTlogProof(vectors.proof);
    expect(Buffer.from(proof.extra!).toString()).toBe(vectors.events[proof.index]!.line);
    expect(verifyTlogProof(proof, hashFromBase64(vectors.events[proof.index]!.leafHash)!, { log: [log], witnesses: [witness] }).cosignatures).toHaveLength(1);
    expect(formatAddCheckpoint(parseAddCheckpoint(vectors.addCheckpoint))).toBe(vectors.addCheckpoint);
  });
});

describe('the leaf of an event', () => {
  const event = fc.record({
    stream: fc.string({ unit: 'grapheme', minLength: 1 }),
    revision: fc.nat(),
    id: fc.uuid(),
    type: fc.string({ unit: 'grapheme', minLength: 1 }),
    data: fc.json(),
    metadata: fc.json(),
  });

  it('is another one as soon as any of its fields is', () => {
    fc.assert(fc.property(event, event, (one, other) => {
      const same = (Object.keys(one) as (keyof typeof one)[]).every((field) => one[field] === other[field]);
      expect(eventLeaf(one).equals(eventLeaf(other))).toBe(same);
      for (const field of Object.keys(one) as (keyof typeof one)[]) {
        if (one[field] !== other[field]) expect(eventLeaf({ ...one, [field]: other[field] }).equals(eventLeaf(one))).toBe(false);
      }
    }));
  });

  it('does not let bytes move from one field to the next', () => {
    const base = { revision: 1, id: '0193be00-0000-7000-8000-000000000000', data: '{}', metadata: '{}' };
    expect(eventLeaf({ ...base, stream: 'report-a', type: 'bc' }).equals(eventLeaf({ ...base, stream: 'report-ab', type: 'c' }))).toBe(false);
    expect(hashToBase64(leafHash(eventLeaf({ ...base, stream: 'report-a', type: 'b' })))).toBe(hashToBase64(eventLeafHash({ ...base, stream: 'report-a', type: 'b' })));
  });

  it('is the same from what was written and from what is read back', () => {
    fc.assert(fc.property(event, fc.jsonValue(), fc.jsonValue(), (head, data, metadata) => {
      const written = loggedEvent({ ...head, data, metadata });
      const read = loggedEvent({ ...head, data: JSON.parse(written.data as string), metadata: JSON.parse(written.metadata as string) });
      expect(read).toEqual(written);
    }));
  });

  it('covers the very text that its line carries', () => {
    fc.assert(fc.property(event, fc.jsonValue(), fc.jsonValue(), (head, data, metadata) => {
      const logged = loggedEvent({ ...head, data, metadata });
      const line = formatEventLine(7, eventLeafHash(logged), logged);
      const parsed = JSON.parse(line) as RecordedEvent & { index: number; leaf: string };
      expect(parsed).toMatchObject({ index: 7, leaf: hashToBase64(eventLeafHash(logged)) });
      expect(loggedEvent(parsed)).toEqual(logged);
    }));
  });
});
