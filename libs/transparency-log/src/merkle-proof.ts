import { foldEdge } from './frontier.js';
import { EMPTY_ROOT, nodeHash, sameHash, type Hash } from './hashing.js';
import { completeNodes, consistencyRanges, inclusionRanges, isTreeSize, type LeafRange, type NodeId } from './tree-shape.js';

/**
 * Reads hashes of complete subtrees, as `Frontier.append` completed them. One call per proof, of O(log n) nodes (at most about 2 log2 n),
 * answered in the order asked; rejects when one is missing.
 */
export type ReadNodes = (nodes: readonly NodeId[]) => Promise<readonly Hash[]>;

/** RFC 6962 section 2.1.1. Throws RangeError for an index outside the tree. */
export async function proveInclusion(index: number, size: number, read: ReadNodes): Promise<Hash[]> {
  if (!isTreeSize(index) || !isTreeSize(size) || index >= size) throw new RangeError(`There is no leaf ${index} in a tree of ${size}`);
  return hashesOf(inclusionRanges(index, size), read);
}

/** RFC 6962 section 2.1.2. Empty from the empty tree and from the tree itself. Throws RangeError when the tree would shrink. */
export async function proveConsistency(first: number, second: number, read: ReadNodes): Promise<Hash[]> {
  if (!isTreeSize(first) || !isTreeSize(second) || first > second) throw new RangeError(`A tree of ${second} does not extend one of ${first}`);
  return hashesOf(consistencyRanges(first, second), read);
}

/** The root of the first `size` leaves. */
export async function rootAt(size: number, read: ReadNodes): Promise<Hash> {
  if (!isTreeSize(size)) throw new RangeError(`${size} is no tree size`);
  if (size === 0) return EMPTY_ROOT;
  const [root] = await hashesOf([{ begin: 0, end: size }], read);
  return root!;
}

async function hashesOf(ranges: readonly LeafRange[], read: ReadNodes): Promise<Hash[]> {
  const parts = ranges.map(completeNodes);
  const wanted = parts.flat();
  const hashes = wanted.length === 0 ? [] : await read(wanted);
  if (hashes.length !== wanted.length) throw new RangeError(`${wanted.length} nodes were asked for, ${hashes.length} came`);
  let taken = 0;
  return parts.map((part) => foldEdge(hashes.slice(taken, (taken += part.length))));
}

/** Does `proof` show that `leaf` is leaf number `index` of the tree of `size` leaves with this root? (RFC 9162 section 2.1.3.2) */
export function verifyInclusion({ leaf, index, size, root, proof }: { leaf: Hash; index: number; size: number; root: Hash; proof: readonly Hash[] }): boolean {
  if (!isTreeSize(index) || !isTreeSize(size) || index >= size) return false;
  let [node, last, hash] = [index, size - 1, leaf];
  for (const sibling of proof) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      hash = nodeHash(sibling, hash);
      while (node % 2 === 0 && node !== 0) [node, last] = [node / 2, half(last)];
    } else {
      hash = nodeHash(hash, sibling);
    }
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && sameHash(hash, root);
}

export interface TreeHead {
  readonly size: number;
  readonly root: Hash;
}

/**
 * Does `proof` show that `second` is `first` with leaves appended, and nothing else changed? (RFC 9162 section 2.1.4.2; from the empty
 * tree and between equal trees the proof is empty, as in RFC 6962.)
 */
export function verifyConsistency(first: TreeHead, second: TreeHead, proof: readonly Hash[]): boolean {
  if (!isTreeSize(first.size) || !isTreeSize(second.size) || first.size > second.size) return false;
  if (first.size === 0) return proof.length === 0 && sameHash(first.root, EMPTY_ROOT);
  if (first.size === second.size) return proof.length === 0 && sameHash(first.root, second.root);
  if (proof.length === 0) return false;
  const path = isPowerOfTwo(first.size) ? [first.root, ...proof] : [...proof];
  let [node, last] = [first.size - 1, second.size - 1];
  while (node % 2 === 1) [node, last] = [half(node), half(last)];
  let [firstHash, secondHash] = [path[0]!, path[0]!];
  for (const sibling of path.slice(1)) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      firstHash = nodeHash(sibling, firstHash);
      secondHash = nodeHash(sibling, secondHash);
      while (node % 2 === 0 && node !== 0) [node, last] = [node / 2, half(last)];
    } else {
      secondHash = nodeHash(secondHash, sibling);
    }
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && sameHash(firstHash, first.root) && sameHash(secondHash, second.root);
}

function half(value: number): number {
  return Math.floor(value / 2);
}

function isPowerOfTwo(value: number): boolean {
  let rest = value;
  while (rest > 1 && rest % 2 === 0) rest /= 2;
  return rest === 1;
}
