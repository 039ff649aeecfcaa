/**
 * The arithmetic of RFC 6962 trees, without a single hash. Sizes and indexes are JavaScript numbers up to 2^53 - 1, so nothing here
 * uses the 32-bit operators.
 */

/** A complete subtree: the `index`-th of those that cover 2^level leaves. Level 0 is the leaves themselves. Once made it never changes. */
export interface NodeId {
  readonly level: number;
  readonly index: number;
}

/** Leaves `begin` (inclusive) to `end` (exclusive). */
export interface LeafRange {
  readonly begin: number;
  readonly end: number;
}

export function isTreeSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** The largest power of two strictly below `size`: where RFC 6962 splits a tree of more than one leaf. */
export function splitPoint(size: number): number {
  let split = 1;
  while (split * 2 < size) split *= 2;
  return split;
}

/**
 * The complete subtrees that cover a range which RFC 6962 hashes as one tree, from the left. At most 53. The range must begin at a
 * multiple of the power of two that holds it, as every range below does.
 */
export function completeNodes({ begin, end }: LeafRange): NodeId[] {
  const nodes: NodeId[] = [];
  let [from, rest] = [begin, end - begin];
  while (rest > 0) {
    let [level, width] = [0, 1];
    while (width * 2 <= rest) [level, width] = [level + 1, width * 2];
    nodes.push({ level, index: from / width });
    from += width;
    rest -= width;
  }
  return nodes;
}

/** RFC 6962 section 2.1.1: PATH(index, D[size]) as ranges, from the leaf's sibling up. */
export function inclusionRanges(index: number, size: number): LeafRange[] {
  const ranges: LeafRange[] = [];
  let [begin, end] = [0, size];
  while (end - begin > 1) {
    const middle = begin + splitPoint(end - begin);
    if (index < middle) {
      ranges.push({ begin: middle, end });
      end = middle;
    } else {
      ranges.push({ begin, end: middle });
      begin = middle;
    }
  }
  return ranges.reverse();
}

/** RFC 6962 section 2.1.2: PROOF(first, D[second]) as ranges, in the order of the proof. Empty when either says nothing. */
export function consistencyRanges(first: number, second: number): LeafRange[] {
  if (first === 0 || first === second) return [];
  const ranges: LeafRange[] = [];
  let [begin, end, whole] = [0, second, true];
  while (end > first) {
    const middle = begin + splitPoint(end - begin);
    if (first <= middle) {
      ranges.push({ begin: middle, end });
      end = middle;
    } else {
      ranges.push({ begin, end: middle });
      begin = middle;
      whole = false;
    }
  }
  // The verifier holds the root of the first tree already; its hash is left out where the old tree is itself a node of the new one.
  if (!whole) ranges.push({ begin, end });
  return ranges.reverse();
}
