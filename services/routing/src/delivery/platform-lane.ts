import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { isDomainError, type DomainClock, type EventStore, type Transact } from '@sejam/event-sourcing';
import type { Logger, Metrics } from '@sejam/service-host';
import { classifyAttempt, isGoneForGood, nextAttempt, parseRetryAfter, PROBE_INTERVAL_MS, sign, type AttemptOutcome, type AttemptVerdict, type Sender } from '@sejam/webhooks';
import { pauseEndpoint, platform as platforms, resumeEndpoint, type Endpoint } from '../platform/platform.js';
import type { PlatformDirectory } from '../platform/platform-directory.js';
import type { Acted, Takedowns } from '../takedown/act-on-takedown.js';
import { readTakedown } from '../takedown/get-takedowns.js';
import { pingBody } from '../takedown/messages.js';
import { deliver, deliverNotice, failDelivery } from '../takedown/order-delivery.js';
import { isOpen, orderOf, type Takedown, type TakedownEvent } from '../takedown/takedown.js';
import type { Delivery, DeliveryQueue } from './delivery-queue.js';

export interface LaneOptions {
  readonly store: EventStore;
  readonly clock: DomainClock;
  readonly transact: Transact;
  readonly takedowns: Takedowns;
  readonly directory: PlatformDirectory;
  readonly queue: DeliveryQueue;
  readonly sender: Sender;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly claimMs: number;
  readonly stopping: AbortSignal;
  readonly atOnce?: number;
  readonly random?: () => number;
  deemIfDue(order: { takedownId: string; orderId: string }): Promise<void>;
}

/** How an `endpoint.ping` ended. */
export interface Pinged {
  readonly webhookId: string;
  readonly verdict: AttemptVerdict;
  readonly durationMs: number;
}

const AT_ONCE = 16;
/** Wall time: a success within it of another one has nothing new to tell about the endpoint. */
const SIGN_EVERY_MS = 1_000;
/** Domain time until a message is looked at again whose secrets this installation has lost. */
const WITHOUT_SECRETS_MS = 60_000;
const RECORD_TRIES = 8;
const machine = { organisation: 'sejam', holder: 'system:routing' };

/** One platform's way: what is due goes out, so many at a time; a paused endpoint is probed; without one the feed is the delivery. */
export class PlatformLane {
  readonly #underWay = new Set<Promise<void>>();
  #pumping: Promise<void> | undefined;
  #again = false;
  #timer: NodeJS.Timeout | undefined;
  /** Domain time that the timer stands for. */
  #dueAt = Infinity;
  #signedAt = -Infinity;
  /** The last look took as many as there was room for: there may be more. */
  #full = false;

  constructor(
    private readonly platform: string,
    private readonly options: LaneOptions,
  ) {}

  /** Never waits: looks for what is due now, or once more if it is looking. */
  wake(): void {
    if (this.options.stopping.aborted) return;
    this.#again = true;
    this.#pumping ??= this.#pump().finally(() => {
      this.#pumping = undefined;
      if (this.#again) this.wake();
    });
  }

  /** Resolves when nothing is under way any more. */
  async idle(): Promise<void> {
    clearTimeout(this.#timer);
    while (this.#pumping !== undefined || this.#underWay.size > 0) await Promise.all([this.#pumping, ...this.#underWay]);
  }

  /** Sends an `endpoint.ping` now, signed like everything. */
  async ping(endpoint: Endpoint): Promise<Pinged | 'without-secrets'> {
    const webhookId = randomUUID();
    const body = pingBody({ platform: this.platform, test: endpoint.test, at: this.options.clock.now() });
    const outcome = await this.#send(endpoint, { webhookId, body });
    if (outcome === undefined) return 'without-secrets';
    return { webhookId, verdict: classifyAttempt(outcome), durationMs: outcome.durationMs };
  }

  /** A ping arrived: a paused endpoint is resumed, and what waits goes. */
  async answered(webhookId: string): Promise<void> {
    const { transact, log } = this.options;
    const causationId = `probe:${webhookId}`;
    const { events } = await transact(platforms, this.platform, { causationId, correlationId: causationId, by: machine }, (state) => resumeEndpoint(state, { by: 'probe' }));
    if (events.length > 0) log.info({ platform: this.platform }, 'A paused endpoint answers again');
    await this.succeeded();
  }

  /** The endpoint works: what waits for it is due at once. */
  async succeeded(): Promise<void> {
    this.#signedAt = performance.now();
    const now = this.options.clock.now();
    await this.options.queue.tried(this.platform, now, 'success');
    if (await this.options.queue.hurry(this.platform, now)) this.wake();
  }

  /** What waits stands delivered by the feed: the platform has no endpoint any more. */
  async deliverByFeed(): Promise<void> {
    const { queue, clock } = this.options;
    for (;;) {
      const rows = await queue.claim(this.platform, { most: AT_ONCE, dueBy: 'any', wallNow: new Date(), forMs: this.options.claimMs });
      if (rows.length === 0) return;
      await Promise.all(rows.map(async (row) => {
        await this.#record(row, 'feed', (state) => arrived(state, row, { via: 'feed' }));
        await queue.end(row, 'delivered', { via: 'feed', at: clock.now() });
      }));
    }
  }

  async #pump(): Promise<void> {
    try {
      while (this.#again && !this.options.stopping.aborted) {
        this.#again = false;
        const endpoint = this.options.directory.find(this.platform)?.endpoint;
        if (endpoint === undefined) await this.deliverByFeed();
        else if (endpoint.paused) await this.#probe(endpoint);
        else await this.#take(endpoint);
      }
    } catch (error) {
      // The courier's next tick comes back to it.
      const { platform, options } = this;
      if (!options.stopping.aborted && !isDomainError(error)) options.log.warn({ platform, error: String(error) }, 'Deliveries to a platform wait');
    }
  }

  async #take(endpoint: Endpoint): Promise<void> {
    const { queue, clock, claimMs, atOnce = AT_ONCE } = this.options;
    const room = atOnce - this.#underWay.size;
    if (room <= 0) {
      this.#full = true;
      return;
    }
    const now = clock.now();
    const rows = await queue.claim(this.platform, { most: room, dueBy: now, wallNow: new Date(), forMs: claimMs });
    this.#full = rows.length === room;
    for (const row of rows) {
      const attempt = this.#attempt(endpoint, row)
        .catch((error: unknown): boolean => {
          this.options.log.warn({ platform: this.platform, webhookId: row.webhookId, error: String(error) }, 'An attempt could not be brought to its end; it is repeated');
          return false;
        })
        .then((more) => {
          this.#underWay.delete(attempt);
          if (more || this.#full) this.wake();
        });
      this.#underWay.add(attempt);
    }
    if (rows.length > 0 || this.#underWay.size > 0) return;
    const due = await queue.nextDue(this.platform, now);
    if (due !== undefined) this.#wakeAt(due);
  }

  /** Or earlier, if that was asked for. */
  #wakeAt(due: Date): void {
    if (this.options.stopping.aborted || (this.#timer !== undefined && this.#dueAt <= due.getTime())) return;
    clearTimeout(this.#timer);
    this.#dueAt = due.getTime();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.wake();
    }, Math.max(1, Math.min(60_000, this.options.clock.wallMsUntil(due))));
  }

  /** True: what waits behind it in its order may go now. */
  async #attempt(endpoint: Endpoint, row: Delivery): Promise<boolean> {
    const { store, queue, clock, metrics, log, stopping } = this.options;
    const { state } = await readTakedown(store, row.takedownId);
    const ended = endedAlready(state, row);
    if (ended !== undefined) return queue.end(row, ended, { at: clock.now() });
    if (stopping.aborted) return this.#leave(row);

    const outcome = await this.#send(endpoint, row);
    const now = clock.now();
    if (outcome === undefined) {
      metrics.deliveryAttempts.inc({ platform: this.platform, outcome: 'secret-missing' });
      log.error({ platform: this.platform, webhookId: row.webhookId }, 'A message waits: the secrets to sign it with are not in this installation');
      await queue.postpone(row, { attempts: row.attempts, at: now, due: new Date(now.getTime() + WITHOUT_SECRETS_MS), cause: 'secret-missing' });
      return false; // the courier's tick comes back to it
    }
    if (outcome.kind === 'failed' && outcome.fault === 'cancelled') return this.#leave(row);
    const verdict = classifyAttempt(outcome);
    metrics.deliveryAttempts.inc({ platform: this.platform, outcome: verdict.delivered ? 'delivered' : verdict.cause });
    if (!verdict.delivered) {
      await this.#failed(row, verdict, outcome);
      return false;
    }

    const { events } = await this.#record(row, String(row.attempts + 1), (state) => arrived(state, row, { via: 'webhook', attempt: row.attempts + 1 }));
    if (performance.now() - this.#signedAt > SIGN_EVERY_MS) await this.succeeded();
    // The row ends by what was just recorded, and what waits behind it is heard of then. Here it ends only if something else had recorded it.
    return events.length > 0 ? false : queue.end(row, 'delivered', { via: 'webhook', at: now });
  }

  async #leave({ webhookId }: Delivery): Promise<false> {
    await this.options.queue.release([webhookId]);
    return false;
  }

  async #failed(row: Delivery, verdict: Extract<AttemptVerdict, { delivered: false }>, outcome: AttemptOutcome): Promise<void> {
    const { queue, clock, random = Math.random } = this.options;
    const attempts = row.attempts + 1;
    const { side, cause } = verdict;
    this.#signedAt = -Infinity; // the next success has something to tell
    if (row.type === 'order.issued') await this.#recordFailure(row, attempts, { side, cause, ...(outcome.kind === 'answered' ? { httpStatus: outcome.status } : {}) });
    const at = clock.now();
    await queue.tried(this.platform, at, outcome.kind === 'answered' ? 'answered' : 'unanswered');
    const wallMs = parseRetryAfter(verdict.retryAfter, new Date()) ?? 0;
    const next = nextAttempt({ firstAttemptAt: row.firstAttemptAt ?? at, failedAt: at, attempts, retryAfterMs: wallMs * clock.speed, random });
    await queue.postpone(row, { attempts, at, due: next === 'parked' ? 'parked' : next.at, cause });
    if (next !== 'parked') this.#wakeAt(next.at);
    if (next === 'parked') this.options.log.error({ platform: this.platform, webhookId: row.webhookId, orderId: row.orderId, attempts, cause }, 'A message is given to an operator: it could not be delivered');
    if (verdict.gone && isGoneForGood(await queue.gone(this.platform, at))) await this.#pause(`${cause} three times within five minutes`, `delivery:${row.webhookId}/${attempts}`);
  }

  /** Records a failure and, if it is time, deems the order delivered. */
  async #recordFailure(row: Delivery, attempt: number, failure: { side: 'platform' | 'ours'; cause: string; httpStatus?: number }): Promise<void> {
    const { orderId, webhookId } = row;
    await this.#record(row, String(attempt), (state) => failDelivery(state, { orderId, webhookId, attempt, ...failure }));
    await this.options.deemIfDue(row);
  }

  async #pause(why: string, causationId: string): Promise<void> {
    const { transact, queue, clock, log } = this.options;
    await transact(platforms, this.platform, { causationId, correlationId: causationId, by: machine }, (state) => pauseEndpoint(state, { cause: why }));
    await queue.claimProbe(this.platform, clock.now(), PROBE_INTERVAL_MS);
    log.error({ platform: this.platform, why }, 'An endpoint is paused; it is probed each minute');
  }

  /** Each minute, by one instance: a success resumes the endpoint; a failure counts against every order that waits. */
  async #probe(endpoint: Endpoint): Promise<void> {
    const { queue, clock, metrics } = this.options;
    if (!(await queue.claimProbe(this.platform, clock.now(), PROBE_INTERVAL_MS))) return;
    const pinged = await this.ping(endpoint);
    if (pinged === 'without-secrets') return;
    const { webhookId, verdict } = pinged;
    metrics.deliveryAttempts.inc({ platform: this.platform, outcome: verdict.delivered ? 'probe-delivered' : 'probe-failed' });
    if (verdict.delivered) return this.answered(webhookId);
    const at = clock.now();
    await queue.tried(this.platform, at, verdict.cause.startsWith('http-') ? 'answered' : 'unanswered');
    if (verdict.side === 'ours') return;
    const httpStatus = verdict.cause.startsWith('http-') ? { httpStatus: Number(verdict.cause.slice('http-'.length)) } : {};
    const waiting = await queue.waitingOrders(this.platform);
    for (let start = 0; start < waiting.length; start += AT_ONCE) {
      await Promise.all(waiting.slice(start, start + AT_ONCE).map((row) => this.#recordFailure(row, row.attempts + 1, { side: 'platform', cause: `paused-${verdict.cause}`, ...httpStatus })));
    }
  }

  /** Undefined: the secrets to sign with are lost here, and nothing is ever sent unsigned. */
  async #send({ url }: Endpoint, { webhookId, body }: { webhookId: string; body: string }): Promise<AttemptOutcome | undefined> {
    const secrets = await this.options.directory.orderSecrets(this.platform);
    if (secrets.length === 0) return undefined;
    const headers = sign({ webhookId, at: new Date(), body, secrets });
    return this.options.sender.send({ url, headers: { ...headers }, body }, { signal: this.options.stopping });
  }

  /** What happened is recorded, however long the record takes: sent again is only what nobody could record. */
  async #record(row: Delivery, attempt: string, decide: (state: Takedown) => readonly TakedownEvent[]): Promise<Acted> {
    const cause = { causationId: `delivery:${row.webhookId}/${attempt}`, correlationId: row.webhookId, by: machine };
    for (let tried = 1; ; tried += 1) {
      try {
        return await this.options.takedowns.actHere(row.takedownId, cause, decide);
      } catch (error) {
        if (!isDomainError(error) || error.kind !== 'unavailable' || tried === RECORD_TRIES) throw error;
        await delay(100 * 2 ** tried);
      }
    }
  }
}

function endedAlready(state: Takedown, { type, orderId, webhookId }: Delivery): 'delivered' | 'superseded' | undefined {
  if (type !== 'order.issued') return state.status !== 'none' && state.noticed.includes(webhookId) ? 'delivered' : undefined;
  const order = orderOf(state, orderId);
  if (order?.delivered === true) return 'delivered';
  return order !== undefined && isOpen(order) ? undefined : 'superseded';
}

function arrived(state: Takedown, { type, orderId, webhookId }: Delivery, { via, attempt }: { via: 'webhook' | 'feed'; attempt?: number }): TakedownEvent[] {
  if (type !== 'order.issued') return deliverNotice(state, { orderId, webhookId, via });
  return deliver(state, { orderId, via, webhookId, ...(attempt === undefined ? {} : { attempt }) });
}
