import { DomainError } from '@sejam/event-sourcing';
import { isDatabaseUnavailable, type Client } from '@sejam/postgres';
import type { RequestCause } from '@sejam/service-host';

const REMEMBERED_MAX = 10_000;

/**
 * A takedown's own stream knows its causes; this knows those of all the others, so that one Idempotency-Key cannot be used for two
 * takedowns. It looks through their rows, and through the newest requests, which the rows may not hold yet.
 */
export class KnownRequests {
  readonly #newest = new Map<string, string>();

  constructor(private readonly client: Client) {}

  /** Throws `request.key-reused`. Without PostgreSQL only the newest are known: nothing is refused for that. */
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
    if (this.#newest.size > REMEMBERED_MAX) this.#newest.delete(this.#newest.keys().next().value as string);
  }

  async #recorded(causationId: string): Promise<string | undefined> {
    try {
      const { rows } = await this.client.query<{ sha256: string }>('SELECT sha256 FROM takedown_request WHERE cause = $1', [causationId]);
      return rows[0]?.sha256;
    } catch (error) {
      if (isDatabaseUnavailable(error)) return undefined;
      throw error;
    }
  }
}
