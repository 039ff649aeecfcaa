import { isDomainError } from '@sejam/event-sourcing';
import { isDatabaseUnavailable } from '@sejam/postgres';

/** The tables are those of another rebuild than this consumer began with: it has to begin anew. */
export class GenerationChanged extends Error {
  override readonly name = 'GenerationChanged';
}

/** Retrying can help, however often: nothing is wrong with the message. */
export function isTransient(error: unknown): boolean {
  if (isDomainError(error)) return error.kind === 'unavailable';
  const { name, code } = (error ?? {}) as { name?: string; code?: string };
  if (name === 'StoreUnavailable' || name === 'VersionConflict' || name === 'LeaseLost' || name === 'GenerationChanged' || name === 'AbortError') return true;
  // 40…: the transaction was chosen to give way. 23505 on the inbox: another consumer of the group handles the same stream right now.
  return code === '40001' || code === '40P01' || (code === '23505' && (error as { constraint?: string }).constraint === 'inbox_pkey') || isDatabaseUnavailable(error);
}

/** For the operator who finds the message parked. */
export function describe(error: unknown): string {
  const text = isDomainError(error) ? `${error.code}: ${error.message}` : String((error as Error | undefined)?.stack?.split('\n', 2).join(' ') ?? error);
  return text.slice(0, 2_000);
}
