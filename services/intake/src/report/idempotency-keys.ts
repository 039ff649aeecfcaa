import { isDatabaseUnavailable, type Pool } from '@sejam/postgres';
import { DomainError } from '@sejam/event-sourcing';
import { fingerprint, type RequestCause } from '@sejam/service-host';

const rememberedMax = 10_000;

/** One item of a batch, as a cause of its own. */
export function partOf(cause: RequestCause, index: number, item: unknown): RequestCause {
  const request = cause.request === undefined ? {} : { request: { sha256: fingerprint(item) } };
  return { ...cause, causationId: `${cause.causationId}#${index}`, ...request };
}

/**
 * A report's stream follows from its reference, so the same Idempotency-Key with another reference leads to another stream, which does
 * not hold the cause. This looks through the rows of all streams, and through the newest keys, which the rows may not hold yet.
 */
export class IdempotencyKeys {
  readonly #newest = new Map<string, string>();

  constructor(private readonly pool: Pool) {}

  /** Throws `request.key-reused`. Without PostgreSQL only the newest are known: a report is not refused for that. */
  async refuseReuse({ causationId, request }: RequestCause): Promise<void> {
    if (request === undefined) return;
    const first = this.#newest.get(causationId) ?? (await this.#recorded(causationId));
    if (first !== undefined && first !== request.sha256) {
      throw new DomainError('request.key-reused', 'conflict', 'This Idempotency-Key was used before, for another request');
    }
  }

  /** Call once the request stands in the record. */
  remember({ causationId, request }: RequestCause): void {
    if (request === undefined) return;
    this.#newest.set(causationId, request.sha256);
    if (this.#newest.size > rememberedMax) this.#newest.delete(this.#newest.keys().next().value as string);
  }

  async #recorded(causationId: string): Promise<string | undefined> {
    try {
      const { rows } = await this.pool.query<{ request_sha256: string }>('SELECT request_sha256 FROM idempotency_key WHERE cause = $1', [causationId]);
      return rows[0]?.request_sha256;
    } catch (error) {
      if (isDatabaseUnavailable(error)) return undefined;
      throw error;
    }
  }
}
