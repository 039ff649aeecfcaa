/** An event of a stream is missing between the last leaf of that stream and this one: what was read is not believed, and read again. */
export class RevisionGap extends Error {
  override readonly name = 'RevisionGap';
  constructor(readonly stream: string, readonly expected: number, readonly found: number) {
    super(`Stream ${stream} goes on with revision ${found} where ${expected} must come`);
  }
}

/**
 * The record and what was signed about it contradict each other. Nothing is signed any more until an operator has found out which of the two
 * is the true one: signing on would make the contradiction look like history.
 */
export class LogHalted extends Error {
  override readonly name = 'LogHalted';
}
