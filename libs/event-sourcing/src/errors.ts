/** What the caller can do about it. Transports map this to HTTP, gRPC or parking; the domain never does. */
export type ErrorKind = 'invalid' | 'not-found' | 'conflict' | 'forbidden' | 'unavailable';

/**
 * A refusal the caller can act on. Anything else that is thrown is a defect and surfaces as an opaque 500.
 * Recognised by `name`, never by `instanceof`: two copies of a module must not change an answer.
 */
export class DomainError extends Error {
  override readonly name = 'DomainError';
  constructor(
    /** Stable and public, such as `report.not-found`. Listed in docs/errors.md, checked by a test. */
    readonly code: `${string}.${string}` | 'rate-limited',
    readonly kind: ErrorKind,
    message: string,
    readonly details: { pointer?: string; retryAfterSeconds?: number } = {},
  ) {
    super(message);
  }
}

export function isDomainError(error: unknown): error is DomainError {
  return error instanceof Error && error.name === 'DomainError';
}

/** The stream has moved past the revision the writer had read. Nothing was appended. */
export class VersionConflict extends Error {
  override readonly name = 'VersionConflict';
  constructor(readonly stream: string, readonly expected: number | 'no-stream', readonly actual: number | 'no-stream') {
    super(`Stream ${stream} is at ${actual}, not at ${expected}`);
  }
}

/** The record cannot be reached, or did not answer in time: whether it happened is unknown. The same append may be repeated. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
}

/** The stream holds an event type this code does not know: deciding on half the truth is refused (a rolling deploy). */
export class UnknownEventType extends Error {
  override readonly name = 'UnknownEventType';
  constructor(readonly stream: string, readonly eventType: string) {
    super(`Stream ${stream} holds an event of unknown type ${eventType}; a newer version of this service wrote it`);
  }
}
