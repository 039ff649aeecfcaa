import { randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';

const BYTES = 16;

/** Random bytes are drawn for so many ids at once: a call for each costs more than all the rest of an id. */
const drawn = new Uint8Array(256 * BYTES);
let used = drawn.length;

/** A uuid v7: those of a process rise from one millisecond to the next, so whatever keeps them in order keeps them together. */
export function newEventId(): string {
  if (used === drawn.length) {
    randomFillSync(drawn);
    used = 0;
  }
  const random = drawn.subarray(used, used + BYTES);
  used += BYTES;
  return v7({ random });
}
