import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { EMPTY_ROOT, Frontier, leafHash, nodeHash, proveConsistency, proveInclusion, rootAt, verifyConsistency, verifyInclusion, type Hash, type NodeId } from './index.js';

// The reference tree of Certificate Transparency: eight entries, and the roots of its first n.
const ENTRIES = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'].map((hex) => Buffer.from(hex, 'hex'));
const ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];

/** RFC 6962 section 2.1, word for word: slow, and written without any of the code under test but the two hashes. */
function treeHash(leaves: readonly Hash[]): Hash {
  if (leaves.length === 0) return EMPTY_ROOT;
  if (leaves.length === 1) return leaves[0]!;
  const split = 2 ** (Math.ceil(Math.log2(leaves.length)) - 1);
  return nodeHash(treeHash(leaves.slice(0, split)), treeHash(leaves.slice(split)));
}

function grow(leaves: readonly Hash[]) {
  const stored = new Map<string, Hash>();
  const frontier = new Frontier();
  for (const leaf of leaves) frontier.append(leaf, ({ level, index, hash }) => stored.set(`${level}/${index}`, hash));
  const read = (nodes: readonly NodeId[]) => Promise.resolve(nodes.map(({ level, index }) => {
    const hash = stored.get(`${level}/${index}`);
    if (hash === undefined) throw new Error(`No node ${level}/${index} is stored`);
    return hash;
  }));
  return { frontier, read, stored };
}

const leavesOf = (count: number) => Array.from({ length: count }, (_, index) => leafHash(Buffer.from(`entry ${index}`)));
const hex = (hash: Hash) => Buffer.from(hash).toString('hex');
const flip = (hash: Hash, bit: number) => {
  const copy = Buffer.from(hash);
  copy[(bit >> 3) % copy.length]! ^= 1 << (bit & 7);
  return copy;
};

describe('the tree', () => {
  it('has the roots of the Certificate Transparency reference tree', async () => {
    const { frontier, read } = grow(ENTRIES.map(leafHash));
    expect(hex(frontier.root())).toBe(ROOTS[8]);
    for (const [size, root] of ROOTS.entries()) expect(hex(await rootAt(size, read))).toBe(root);
  });

  it('has the reference proofs', async () => {
    const { read } = grow(ENTRIES.map(leafHash));
    expect((await proveInclusion(0, 8, read)).map(hex)).toEqual([
      '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
    ]);
    expect((await proveConsistency(6, 8, read)).map(hex)).toEqual([
      '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ]);
    expect((await proveConsistency(2, 5, read)).map(hex)).toEqual([
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
    ]);
  });

  it('equals the definition at every size, and goes on from a restored edge', async () => {
    const leaves = leavesOf(70);
    for (let size = 0; size <= leaves.length; size += 1) {
      const { frontier, read } = grow(leaves.slice(0, size));
      expect(hex(frontier.root())).toBe(hex(treeHash(leaves.slice(0, size))));
      const restored = new Frontier(size, await read(Frontier.nodes(size)));
      leaves.slice(size).forEach((leaf) => restored.append(leaf));
      expect(hex(restored.root())).toBe(hex(treeHash(leaves)));
    }
  });

  it('stores fewer than two nodes per leaf and reads few for a proof', async () => {
    const { stored, read } = grow(leavesOf(1000));
    expect(stored.size).toBeLessThan(2000);
    let asked = 0;
    await proveInclusion(997, 1000, (nodes) => { asked = nodes.length; return read(nodes); });
    expect(asked).toBeLessThanOrEqual(20);
  });

  it('refuses a restored edge of another size', () => {
    expect(() => new Frontier(3, [EMPTY_ROOT])).toThrow(/3 leaves has 2/);
  });
});

describe('proofs', () => {
  it('of inclusion hold for every leaf of every size and for no other leaf, index or size', async () => {
    const leaves = leavesOf(33);
    const { read } = grow(leaves);
    for (let size = 1; size <= leaves.length; size += 1) {
      const root = treeHash(leaves.slice(0, size));
      for (let index = 0; index < size; index += 1) {
        const proof = await proveInclusion(index, size, read);
        const claim = { leaf: leaves[index]!, index, size, root, proof };
        expect(verifyInclusion(claim)).toBe(true);
        expect(verifyInclusion({ ...claim, leaf: leaves[(index + 1) % 33]! })).toBe(false);
        for (let other = 0; other <= size; other += 1) if (other !== index) expect(verifyInclusion({ ...claim, index: other })).toBe(false);
        expect(verifyInclusion({ ...claim, proof: [...proof, root] })).toBe(false);
        if (proof.length > 0) expect(verifyInclusion({ ...claim, proof: proof.slice(0, -1) })).toBe(false);
      }
    }
  });

  it('of consistency hold between any two sizes', async () => {
    const leaves = leavesOf(40);
    const { read } = grow(leaves);
    const head = (size: number) => ({ size, root: treeHash(leaves.slice(0, size)) });
    for (let second = 0; second <= 40; second += 1) {
      for (let first = 0; first <= second; first += 1) {
        const proof = await proveConsistency(first, second, read);
        expect(verifyConsistency(head(first), head(second), proof)).toBe(true);
        if (first < second) expect(verifyConsistency(head(second), head(first), proof)).toBe(false);
        expect(verifyConsistency(head(first), head(second), [...proof, EMPTY_ROOT])).toBe(false);
        if (proof.length > 0) expect(verifyConsistency(head(first), head(second), proof.slice(1))).toBe(false);
      }
    }
  });

  it('are broken by any flipped bit', async () => {
    await fc.assert(fc.asyncProperty(fc.integer({ min: 2, max: 300 }), fc.nat(), fc.nat(), fc.nat(), async (size, at, which, bit) => {
      const leaves = leavesOf(size);
      const { read, frontier } = grow(leaves);
      const root = frontier.root();
      const index = at % size;
      const proof = await proveInclusion(index, size, read);
      expect(verifyInclusion({ leaf: leaves[index]!, index, size, root, proof: proof.with(which % proof.length, flip(proof[which % proof.length]!, bit)) })).toBe(false);
      expect(verifyInclusion({ leaf: flip(leaves[index]!, bit), index, size, root, proof })).toBe(false);
      const first = { size: 1 + (at % (size - 1)), root: treeHash(leaves.slice(0, 1 + (at % (size - 1)))) };
      const path = await proveConsistency(first.size, size, read);
      expect(verifyConsistency(first, { size, root }, path.with(which % path.length, flip(path[which % path.length]!, bit)))).toBe(false);
      expect(verifyConsistency({ ...first, root: flip(first.root, bit) }, { size, root }, path)).toBe(false);
    }), { numRuns: 60 });
  });

  it('never hold between a log and one in which an old leaf was changed', async () => {
    await fc.assert(fc.asyncProperty(fc.integer({ min: 2, max: 200 }), fc.nat(), fc.nat(), async (size, cut, changed) => {
      const first = 1 + (cut % (size - 1));
      const leaves = leavesOf(size);
      const forged = leaves.with(changed % first, leafHash(Buffer.from('forged')));
      const { read } = grow(forged);
      const proof = await proveConsistency(first, size, read);
      expect(verifyConsistency({ size: first, root: treeHash(leaves.slice(0, first)) }, { size, root: treeHash(forged) }, proof)).toBe(false);
    }), { numRuns: 60 });
  });

  it('are refused for what is not in the tree', async () => {
    const { read } = grow(leavesOf(4));
    await expect(proveInclusion(4, 4, read)).rejects.toThrow(RangeError);
    await expect(proveConsistency(5, 4, read)).rejects.toThrow(RangeError);
    expect(verifyInclusion({ leaf: EMPTY_ROOT, index: 0, size: 0, root: EMPTY_ROOT, proof: [] })).toBe(false);
    expect(verifyInclusion({ leaf: EMPTY_ROOT, index: 0.5, size: 1, root: EMPTY_ROOT, proof: [] })).toBe(false);
  });

  it('are believed by the verifier of another project, and only when they hold', async () => {
    const require = createRequire(import.meta.url);
    // Not exported by the package: reached by path, as an oracle of these tests alone.
    const oracle = require('../../../node_modules/@sigstore/verify/dist/tlog/merkle.js') as {
      verifyMerkleInclusion(entry: object, checkpoint: { logSize: bigint; logHash: Buffer }): void;
    };
    const entries = Array.from({ length: 50 }, (_, index) => Buffer.from(`entry ${index}`));
    for (const size of [1, 2, 3, 7, 8, 33, 50]) {
      const { read, frontier } = grow(entries.slice(0, size).map(leafHash));
      const checkpoint = { logSize: BigInt(size), logHash: Buffer.from(frontier.root()) };
      for (let index = 0; index < size; index += 1) {
        const hashes = (await proveInclusion(index, size, read)).map((hash) => Buffer.from(hash));
        const entry = (body: Buffer) => ({ canonicalizedBody: body, inclusionProof: { logIndex: String(index), hashes } });
        expect(() => oracle.verifyMerkleInclusion(entry(entries[index]!), checkpoint)).not.toThrow();
        expect(() => oracle.verifyMerkleInclusion(entry(Buffer.from('another')), checkpoint)).toThrow(/root hash/);
      }
    }
  });
});
