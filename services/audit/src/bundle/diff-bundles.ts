import { join } from 'node:path';
import { HASH_BYTES } from '@sejam/transparency-log';
import { BUNDLE_FILES, readLines, type Bundle } from './bundle.js';
import { leafOf, parseEventLine, type EventLine } from './event-line.js';

export interface DiffReport {
  /** The two are the same, or one goes on where the other ends. */
  readonly agree: boolean;
  readonly events: readonly [number, number];
  /** Events from the start on that are the same in both. */
  readonly common: number;
  readonly differing: number;
  /** The first hundred. */
  readonly differences: readonly { readonly index: number; readonly one: EventName; readonly other: EventName }[];
}

interface EventName {
  readonly stream: string;
  readonly revision: number;
  readonly id: string;
  readonly type: string;
  readonly at: unknown;
}

const LISTED = 100;

/** Compares what two bundles hold, event by event, by the leaves recomputed from their lines. Throws LineMalformed. */
export function diffBundles(one: Bundle, other: Bundle): DiffReport {
  let leaves = Buffer.alloc(HASH_BYTES * Math.max(one.manifest.size, 1));
  let ones = 0;
  forEachLine(one, (line) => {
    if ((ones + 1) * HASH_BYTES > leaves.length) leaves = Buffer.concat([leaves, Buffer.alloc(leaves.length)]);
    leaves.set(leafOf(line).hash, ones * HASH_BYTES);
    ones += 1;
  });
  let [others, differing, common] = [0, 0, -1];
  const listed = new Map<number, EventName>();
  forEachLine(other, (line) => {
    const same = others < ones && leafOf(line).hash.every((byte, at) => byte === leaves[others * HASH_BYTES + at]);
    if (!same && others < ones) {
      differing += 1;
      if (common < 0) common = others;
      if (listed.size < LISTED) listed.set(others, nameOf(line));
    }
    others += 1;
  });
  const differences: { index: number; one: EventName; other: EventName }[] = [];
  let at = 0;
  if (listed.size > 0) {
    forEachLine(one, (line) => {
      const name = listed.get(at);
      if (name !== undefined) differences.push({ index: at, one: nameOf(line), other: name });
      at += 1;
    });
  }
  return { agree: differing === 0, events: [ones, others], common: common < 0 ? Math.min(ones, others) : common, differing, differences };
}

function nameOf({ event, metadata }: EventLine): EventName {
  return { stream: event.stream, revision: event.revision, id: event.id, type: event.type, at: metadata.at };
}

function forEachLine(bundle: Bundle, onLine: (line: EventLine) => void): void {
  readLines(join(bundle.folder, BUNDLE_FILES.events), (bytes) => onLine(parseEventLine(bytes)));
}
