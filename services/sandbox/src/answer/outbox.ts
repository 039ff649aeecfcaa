import { createHash } from 'node:crypto';
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { Agent, request } from 'undici';
import type { Logger } from '@sejam/service-host';
import { generateSecret, parseRetryAfter, sign } from '@sejam/webhooks';
import type { Credentials } from '../credentials.js';
import type { Entry, Journal } from '../journal.js';
import type { ReceivedMessage } from '../order/inbox.js';
import type { Message, Platform } from '../order/order.js';
import { planAnswers, type Behaviour, type PlannedAnswer } from '../script/behaviour.js';
import { randomNamed } from '../script/random.js';
import { CREDENTIALS, JOURNAL, LOG, SETTINGS, type Settings } from '../tokens.js';
import { RegisterAnswerKeys } from './register-answer-keys.js';

export interface Answer {
  /** The webhook-id: made once, the same over all attempts, so that the clearing house records the answer once. */
  readonly answerId: string;
  readonly platform: Platform;
  readonly orderId: string;
  readonly type: string;
  readonly body: string;
  readonly dueAt: Date;
  readonly via: 'webhook' | 'feed';
  readonly copies: number;
  readonly fault?: PlannedAnswer['fault'];
  state: 'planned' | 'accepted' | 'refused' | 'cancelled';
  attempts: number;
  /** What each copy of the last attempt was answered with; 0 when there was no answer. */
  httpStatuses: number[];
  effect?: string;
}

const TIMEOUT_MS = 15_000;
const RETRY_MS = [500, 1_000, 2_000, 5_000, 10_000, 30_000];
/** What setTimeout can hold. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** Sends the platforms' answers when they are due, and again until the clearing house has taken or refused them. */
@Injectable()
export class Outbox implements OnApplicationShutdown {
  readonly #answers = new Map<string, Answer>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #settled = new Map<string, Extract<Entry, { kind: 'answered' }>>();
  readonly #connections = new Agent({ connections: 32, pipelining: 1 });

  constructor(
    @Inject(JOURNAL) private readonly journal: Journal,
    @Inject(CREDENTIALS) private readonly credentials: Credentials,
    @Inject(SETTINGS) private readonly settings: Settings,
    @Inject(LOG) private readonly log: Logger,
    @Inject(RegisterAnswerKeys) private readonly answerKeys: RegisterAnswerKeys,
  ) {}

  /** Which answers had been settled before the process was killed. To be called before anything is planned. */
  resume(entries: readonly Entry[]): void {
    for (const entry of entries) if (entry.kind === 'answered') this.#settled.set(entry.answerId, entry);
  }

  /** Plans what `order`'s behaviour answers to the message just received. Planning the same message again changes nothing. */
  plan(received: ReceivedMessage, order: { readonly message: Message; readonly behaviour: Behaviour; readonly seed: number }): void {
    const { platform, webhookId, message, via } = received;
    const { orderId } = order.message.data;
    if (message.type === 'order.withdrawn') this.#cancel(platform, orderId);
    const randomFor = (step: number) => randomNamed(`${order.seed}/${orderId}/${message.type}/${step}`);
    for (const planned of planAnswers({ message, order: order.message, behaviour: order.behaviour, randomFor })) {
      const answerId = `answer-${createHash('sha256').update(`${platform}/${webhookId}/${planned.step}`).digest('hex').slice(0, 32)}`;
      if (this.#answers.has(answerId)) continue;
      const { type, body, copies, fault, afterSeconds } = planned;
      const dueAt = new Date(received.receivedAt.getTime() + (afterSeconds * 1000) / this.settings.speed);
      const answer: Answer = { answerId, platform, orderId, type, body, dueAt, via, copies, ...(fault ? { fault } : {}), state: 'planned', attempts: 0, httpStatuses: [] };
      this.#answers.set(answerId, answer);
      const settled = this.#settled.get(answerId);
      if (settled) this.#settle(answer, [settled.httpStatus], settled.effect);
      else this.#sendAt(answer, dueAt.getTime());
    }
  }

  /** Latest due first. */
  list({ platform, orderId, state, limit }: { platform?: string; orderId?: string; state?: string; limit: number }): Answer[] {
    const fits = (answer: Answer): boolean =>
      (platform === undefined || platform === answer.platform) && (orderId === undefined || orderId === answer.orderId) && (state === undefined || state === answer.state);
    return [...this.#answers.values()].filter(fits).sort((a, b) => b.dueAt.getTime() - a.dueAt.getTime()).slice(0, limit);
  }

  async onApplicationShutdown(): Promise<void> {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    await this.#connections.destroy();
  }

  #cancel(platform: Platform, orderId: string): void {
    for (const answer of this.#answers.values()) {
      if (answer.platform !== platform || answer.orderId !== orderId || answer.state !== 'planned') continue;
      clearTimeout(this.#timers.get(answer.answerId));
      answer.state = 'cancelled';
    }
  }

  #sendAt(answer: Answer, atMs: number): void {
    const waitMs = Math.min(Math.max(0, atMs - Date.now()), TIMER_MAX_MS);
    this.#timers.set(answer.answerId, setTimeout(() => void (Date.now() < atMs ? this.#sendAt(answer, atMs) : this.#send(answer)), waitMs));
  }

  async #send(answer: Answer): Promise<void> {
    this.#timers.delete(answer.answerId);
    answer.attempts++;
    const replies = await Promise.all(Array.from({ length: answer.copies }, () => (answer.via === 'feed' ? this.#postByKey(answer) : this.#postSigned(answer))));
    if (this.settings.closing.aborted) return;
    const statuses = replies.map(({ status }) => status);
    answer.httpStatuses = statuses;
    // An attempt that every copy of came through with a decision; which one does not matter, they are all the same message.
    const decided = replies.find(({ status }) => status >= 200 && status < 300) ?? replies.find(({ status }) => isFinal(status));
    if (decided === undefined) {
      const asked = Math.max(0, ...replies.map(({ retryAfterMs }) => retryAfterMs));
      return this.#sendAt(answer, Date.now() + Math.max(asked, RETRY_MS[Math.min(answer.attempts, RETRY_MS.length) - 1] as number));
    }
    this.#settle(answer, statuses, decided.effect);
    await this.journal
      .write({ kind: 'answered', answerId: answer.answerId, httpStatus: decided.status, ...(decided.effect === undefined ? {} : { effect: decided.effect }) })
      .catch((error: unknown) => this.log.error({ err: error }, 'An answer was sent and could not be noted; after a restart it is sent once more'));
  }

  #settle(answer: Answer, httpStatuses: number[], effect: string | undefined): void {
    answer.httpStatuses = httpStatuses;
    answer.state = httpStatuses.some((status) => status >= 200 && status < 300) ? 'accepted' : 'refused';
    if (effect !== undefined) answer.effect = effect;
    const { platform, orderId, type, answerId, fault, state } = answer;
    if (state === 'refused' && fault === undefined) this.log.warn({ platform, orderId, type, answerId, httpStatuses }, 'The clearing house refused an answer');
  }

  /** The way of the contract: the body to the byte, signed anew for each attempt, since the timestamp is the attempt's. */
  #postSigned({ platform, answerId, body, fault }: Answer): Promise<Reply> {
    const own = this.answerKeys.of(platform);
    const secrets = fault === 'bad_signature' ? [generateSecret()] : [this.credentials.of[platform].answersSecret, ...(own === undefined ? [] : [own])];
    const at = fault === 'stale' ? new Date(Date.now() - 3_600_000) : new Date();
    return this.#post(`/v1/platforms/${platform}/webhooks`, body, { ...sign({ webhookId: answerId, at, body, secrets }) });
  }

  /** For a platform without an endpoint: the same body with `answerId` in place of `webhook-id`, and its key in place of the signature. */
  #postByKey({ platform, orderId, answerId, body }: Answer): Promise<Reply> {
    const { apiKey } = this.credentials.of[platform];
    return this.#post(`/v1/platforms/${platform}/orders/${encodeURIComponent(orderId)}/answers`, JSON.stringify({ answerId, ...(JSON.parse(body) as object) }), { authorization: `Bearer ${apiKey}` });
  }

  async #post(path: string, body: string, headers: Record<string, string>): Promise<Reply> {
    try {
      const answer = await request(new URL(path, this.settings.gatewayUrl), {
        method: 'POST',
        body,
        headers: { ...headers, 'content-type': 'application/json', 'user-agent': 'Sejam-Sandbox/0.1' },
        dispatcher: this.#connections,
        signal: AbortSignal.any([AbortSignal.timeout(TIMEOUT_MS), this.settings.closing]),
      });
      const text = await answer.body.text();
      const retryAfter = answer.headers['retry-after'];
      return { status: answer.statusCode, effect: effectOf(text), retryAfterMs: parseRetryAfter(typeof retryAfter === 'string' ? retryAfter : undefined, new Date()) ?? 0 };
    } catch {
      // No answer: whether it was recorded is unknown, and the same id makes asking again harmless.
      return { status: 0, effect: undefined, retryAfterMs: 0 };
    }
  }
}

interface Reply {
  readonly status: number;
  readonly effect: string | undefined;
  readonly retryAfterMs: number;
}

/** Success, and what no repetition would change. Time-outs, rate limits and faults of the other side are tried again. */
function isFinal(status: number): boolean {
  return status >= 200 && status < 500 && ![408, 425, 429].includes(status);
}

function effectOf(text: string): string | undefined {
  try {
    const { effect } = JSON.parse(text) as { effect?: unknown };
    return typeof effect === 'string' ? effect : undefined;
  } catch {
    return undefined;
  }
}
