import { Inject, Injectable } from '@nestjs/common';
import { Outbox } from '../answer/outbox.js';
import type { Entry, Journal } from '../journal.js';
import type { Behaviour, Reception } from '../script/behaviour.js';
import { Direction } from '../script/direction.js';
import { JOURNAL } from '../tokens.js';
import { contentKeyOf, readMessage, type Message, type Platform } from './order.js';

export interface ReceivedMessage {
  readonly platform: Platform;
  readonly webhookId: string;
  readonly receivedAt: Date;
  readonly message: Message;
  /** The body to the byte. */
  readonly body: string;
  readonly via: 'webhook' | 'feed';
  /** Of one that was posted: `asymmetric` where the clearing house's own key has signed it. */
  readonly proof?: 'shared' | 'asymmetric';
  /** Of an order. */
  readonly behaviour?: { readonly name: string; readonly behaviour: Behaviour; readonly seed: number };
  /** Delivery attempts so far, this message's successful one and repeats included. */
  attempts: number;
}

const KEPT_MAX = 100_000;

/**
 * What the platforms have received. A message counts as received when it stands in the journal, and only then is the 2xx sent: whoever
 * answers 2xx first and stores afterwards loses orders with every crash, while the clock runs.
 */
@Injectable()
export class Inbox {
  readonly #messages = new Map<string, ReceivedMessage>();
  readonly #orders = new Map<string, ReceivedMessage>();
  readonly #attempts = new Map<string, number>();

  constructor(
    @Inject(JOURNAL) private readonly journal: Journal,
    @Inject(Direction) private readonly direction: Direction,
    @Inject(Outbox) private readonly outbox: Outbox,
  ) {}

  /** Takes up what a killed process had received. Answers that are still due are sent under their old ids, with their old bodies. */
  resume(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (entry.kind !== 'received') continue;
      const { platform, webhookId, receivedAtMs, body, behaviour, proof } = entry;
      const message = readMessage(JSON.parse(body));
      if (message) this.#keep({ platform: platform as Platform, webhookId, receivedAt: new Date(receivedAtMs), message, body, via: 'webhook', attempts: 1, ...(proof ? { proof } : {}), ...(behaviour ? { behaviour: behaviour as NonNullable<ReceivedMessage['behaviour']> } : {}) });
    }
  }

  /** How the script wants this attempt to be met; undefined: as well as can be. */
  meet(platform: Platform, webhookId: string, message: Message): Reception | undefined {
    const key = `${platform}/${webhookId}`;
    const known = this.#messages.get(key);
    if (known) known.attempts++;
    const attempt = known ? known.attempts : (this.#attempts.get(key) ?? 0) + 1;
    if (known || message.type !== 'order.issued') return undefined;
    this.#attempts.set(key, attempt);
    return this.direction.behaviourOf(platform, message).behaviour.receive?.[attempt - 1];
  }

  /** Stores the message and sets the answers going. A message that is known already, by its webhook-id, changes nothing. */
  async receive({ platform, webhookId, message, body, via, proof }: Pick<ReceivedMessage, 'platform' | 'webhookId' | 'message' | 'body' | 'via' | 'proof'>): Promise<void> {
    const key = `${platform}/${webhookId}`;
    if (this.#messages.has(key) || message.type === 'endpoint.ping') return;
    const behaviour = message.type === 'order.issued' ? this.direction.behaviourOf(platform, message) : undefined;
    const receivedAt = new Date();
    const received: ReceivedMessage = { platform, webhookId, receivedAt, message, body, via, attempts: Math.max(1, this.#attempts.get(key) ?? 1), ...(proof ? { proof } : {}), ...(behaviour ? { behaviour } : {}) };
    this.#attempts.delete(key);
    // Known from here on, so that a second copy in the same moment does not plan a second time.
    this.#messages.set(key, received);
    try {
      await this.journal.write({ kind: 'received', platform, webhookId, receivedAtMs: receivedAt.getTime(), body, ...(proof ? { proof } : {}), ...(behaviour ? { behaviour } : {}) });
    } catch (error) {
      this.#messages.delete(key);
      throw error;
    }
    this.#keep(received);
  }

  /** Newest first. */
  list({ platform, orderId, contentKey, limit }: { platform?: string; orderId?: string; contentKey?: string; limit: number }): ReceivedMessage[] {
    const fits = ({ platform: by, message }: ReceivedMessage): boolean =>
      (platform === undefined || platform === by) && (orderId === undefined || orderId === message.data.orderId) && (contentKey === undefined || contentKey === contentKeyOf(message));
    return [...this.#messages.values()].filter(fits).reverse().slice(0, limit);
  }

  #keep(received: ReceivedMessage): void {
    const { platform, webhookId, message } = received;
    this.#messages.set(`${platform}/${webhookId}`, received);
    const orderKey = `${platform}/${message.data.orderId}`;
    if (message.type === 'order.issued') this.#orders.set(orderKey, received);
    const order = this.#orders.get(orderKey);
    // A notice about an order that never came, such as one withdrawn on its way, is taken in and answered by nothing.
    if (order?.behaviour) this.outbox.plan(received, { message: order.message, ...order.behaviour });
    if (this.#messages.size > KEPT_MAX) {
      const [oldest, { message: old }] = [...this.#messages.entries()][0] as [string, ReceivedMessage];
      this.#messages.delete(oldest);
      if (old.type === 'order.issued') this.#orders.delete(`${oldest.split('/')[0]}/${old.data.orderId}`);
    }
  }
}
