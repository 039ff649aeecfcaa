import { EMPTY_ROOT, nodeHash, type Hash } from './hashing.js';
import { completeNodes, type NodeId } from './tree-shape.js';

/** A node that an append has completed. It never changes again: whoever stores it may keep it for ever. */
export interface CompletedNode extends NodeId {
  readonly hash: Hash;
}

/**
 * The right edge of a growing tree: all that is needed to append leaves and to know the root, in O(log n) memory. It is a value to keep
 * (`size` and `hashes`) and to go on from.
 */
export class Frontier {
  readonly #hashes: Hash[];
  readonly #levels: number[];
  #size: number;

  /** `hashes` are the complete subtrees that cover `size` leaves, the largest first, as `hashes` gave them. */
  constructor(size = 0, hashes: readonly Hash[] = []) {
    const nodes = completeNodes({ begin: 0, end: size });
    if (nodes.length !== hashes.length) throw new RangeError(`A tree of ${size} leaves has ${nodes.length} edge hashes, not ${hashes.length}`);
    this.#size = size;
    this.#hashes = [...hashes];
    this.#levels = nodes.map((node) => node.level);
  }

  get size(): number {
    return this.#size;
  }

  get hashes(): readonly Hash[] {
    return [...this.#hashes];
  }

  /** Which stored nodes a frontier of this size is restored from. */
  static nodes(size: number): NodeId[] {
    return completeNodes({ begin: 0, end: size });
  }

  /** `completed` is called for the leaf itself (level 0) and for each node it completes, from the leaf upwards. */
  append(leaf: Hash, completed?: (node: CompletedNode) => void): void {
    let [hash, level, index] = [leaf, 0, this.#size];
    completed?.({ level, index, hash });
    while (this.#levels.at(-1) === level) {
      this.#levels.pop();
      hash = nodeHash(this.#hashes.pop()!, hash);
      level += 1;
      index = (index - 1) / 2;
      completed?.({ level, index, hash });
    }
    this.#hashes.push(hash);
    this.#levels.push(level);
    this.#size += 1;
  }

  /** The RFC 6962 tree hash of everything appended so far. */
  root(): Hash {
    return this.#hashes.length === 0 ? EMPTY_ROOT : foldEdge(this.#hashes);
  }
}

/** The hash of a range from its complete subtrees, the largest first: RFC 6962 hashes the right edge from the right. */
export function foldEdge(hashes: readonly Hash[]): Hash {
  let folded = hashes.at(-1)!;
  for (let at = hashes.length - 2; at >= 0; at -= 1) folded = nodeHash(hashes[at]!, folded);
  return folded;
}
