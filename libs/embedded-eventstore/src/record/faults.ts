/** The files do not hold what was written. Nothing is served from them and nothing is repaired: restore a backup. */
export class CorruptRecord extends Error {
  override readonly name = 'CorruptRecord';
}

/** Another process owns the data folder. */
export class FolderInUse extends Error {
  override readonly name = 'FolderInUse';
}

/** The events could not be made durable: disk full or failing. None of them is in the record. */
export class NotDurable extends Error {
  override readonly name = 'NotDurable';
  /** The operating system's word for it, such as `ENOSPC`. */
  readonly reason: string;
  constructor(cause: Error) {
    const reason = (cause as NodeJS.ErrnoException).code ?? 'unknown';
    super(reason === 'ENOSPC' || reason === 'EDQUOT' || reason === 'EFBIG' ? `The disk is full (${reason}): nothing was appended` : `The disk failed (${reason}): nothing was appended: ${cause.message}`, { cause });
    this.reason = reason;
  }
}
