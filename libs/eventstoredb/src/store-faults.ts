import { status } from '@grpc/grpc-js';
import { StoreUnavailable } from '@sejam/event-sourcing';

/** Answers of a server that is there and means it: asking again would not help. */
const meant: readonly number[] = [status.INVALID_ARGUMENT, status.PERMISSION_DENIED, status.UNAUTHENTICATED, status.UNIMPLEMENTED];

/**
 * Whatever ends a call without an answer leaves the outcome unknown. Told by the gRPC status code and never by the class of the error,
 * since the client library lets some through as they come from gRPC.
 */
export function asStoreFault(error: unknown, doing: string): Error {
  const { code, details } = (error ?? {}) as { code?: unknown; details?: unknown };
  if (typeof code === 'number' && meant.includes(code)) return new Error(`The event store refuses ${doing}: ${String(details)}`, { cause: error });
  const because = error instanceof Error ? error.message : String(error);
  return new StoreUnavailable(`The event store did not answer ${doing}: ${because}`, { cause: error });
}
