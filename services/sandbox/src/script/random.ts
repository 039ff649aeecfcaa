import { createHash } from 'node:crypto';

/** Numbers in [0, 1) that are the same for the same name, whatever was drawn before: the order in which messages arrive changes nothing. */
export function randomNamed(name: string): () => number {
  let drawn = 0;
  return () => createHash('sha256').update(`${name}/${drawn++}`).digest().readUIntBE(0, 6) / 2 ** 48;
}
