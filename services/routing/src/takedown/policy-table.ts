import { setTimeout as delay } from 'node:timers/promises';
import type { BusMessage, Consumer } from '@sejam/bus';
import { understand } from '@sejam/contracts';
import { DomainError } from '@sejam/event-sourcing';
import { isDatabaseUnavailable, type Client } from '@sejam/postgres';
import type { Policies } from '../routing-ports.js';
import type { Policy } from '@sejam/deadlines';

/** Keeps what `sejam.sla.v1` tells of policies; other messages are none of its concern. Call inside the inbox's transaction. */
export async function keepPolicies(client: Client, messages: readonly BusMessage[]): Promise<void> {
  for (const message of messages) {
    const told = understand('sejam.sla.v1', message.type, message.data);
    if (told?.type !== 'SlaPolicySet') continue;
    const { $typeName: _type, window, reason: _reason, ...rest } = told.data;
    const policy = { ...rest, ...(window === undefined ? {} : { window: { from: window.from, to: window.to } }) };
    await client.query('INSERT INTO sla_policy (policy, version, document) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING', [policy.policy, policy.version, JSON.stringify(policy)]);
  }
}

/** How old the copy in memory may be. Of several instances only one gets each message, so all follow the table. Wall time. */
const COPY_FOR_MS = 1_000;

/** The policies as the table holds them; the newest copy while PostgreSQL is away. */
export class PolicyTable implements Policies {
  #copy: readonly Policy[] | undefined;
  #copiedAt = -Infinity;
  #complete = false;

  constructor(private readonly client: Client) {}

  /** `sla.v1` was read to its end: from now on orders may be issued by what is here. */
  complete(): void {
    this.#complete = true;
  }

  async all(): Promise<readonly Policy[]> {
    if (!this.#complete) throw new DomainError('routing.catching-up', 'unavailable', 'The policies in force are not known yet; try again', { retryAfterSeconds: 1 });
    if (this.#copy !== undefined && performance.now() - this.#copiedAt < COPY_FOR_MS) return this.#copy;
    try {
      const { rows } = await this.client.query<{ document: Policy }>('SELECT document FROM sla_policy ORDER BY policy, version');
      this.#copy = rows.map(({ document }) => document);
    } catch (error) {
      if (this.#copy === undefined || !isDatabaseUnavailable(error)) throw error;
    }
    this.#copiedAt = performance.now();
    return this.#copy;
  }
}

const LAG_EVERY_MS = 100;

/** Lets orders be issued once `sla.v1` has been read to its end, as it is after PostgreSQL was wiped, too. Waits for a bus that is away. */
export async function completePolicies(policies: PolicyTable, consumer: Pick<Consumer, 'lag'>, closing: AbortSignal): Promise<void> {
  while (!closing.aborted) {
    const lag = await consumer.lag().then((lags) => lags['sejam.sla.v1'], () => Number.NaN);
    if (lag === 0) return policies.complete();
    await delay(LAG_EVERY_MS, undefined, { signal: closing }).catch(() => undefined);
  }
}
