import type { DomainClock, EventStore, Transact } from '@sejam/event-sourcing';
import type { Pool } from '@sejam/postgres';
import type { Logger, Metrics } from '@sejam/service-host';
import { createSender, type AllowList, type Sender } from '@sejam/webhooks';
import type { PlatformDirectory } from '../platform/platform-directory.js';
import type { Takedowns } from '../takedown/act-on-takedown.js';
import { deem } from '../takedown/order-delivery.js';
import { DeliveryQueue } from './delivery-queue.js';
import { PlatformLane } from './platform-lane.js';

export interface CourierOptions {
  readonly pool: Pool;
  readonly store: EventStore;
  readonly clock: DomainClock;
  readonly transact: Transact;
  readonly takedowns: Takedowns;
  readonly directory: PlatformDirectory;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Networks that may be called although they are not public. */
  readonly allow: AllowList;
  /** Deliveries to one platform at the same time, from this instance; 16 without it. */
  readonly atOnce?: number;
  /** Wall milliseconds; without it 15 s divided by the speed of domain time, at least 1 s. */
  readonly timeoutMs?: number;
  readonly random?: () => number;
  /** Headers that go along with every message, unsigned: the newest checkpoint of the record. */
  readonly alongside?: () => Readonly<Record<string, string>>;
}

/** What other systems promise within, wall time at speed 1. */
const TIMEOUT_MS = 15_000;
const TIMEOUT_LEAST_MS = 1_000;
const TICK_MOST_MS = 1_000;
const TICK_LEAST_MS = 100;
/** Domain time between two looks at what no event announces: other instances' rows, due times, orders to be deemed. */
const TICK_DOMAIN_MS = 5_000;
const DEEMED_AT_ONCE = 200;
/** Beyond the time-out: what it takes to record how an attempt ended. */
const CLAIM_MARGIN_MS = 30_000;

/**
 * Takes orders and notices to the platforms. Any number of instances share the rows; each platform has its own lane, so that a slow one
 * keeps nobody waiting.
 */
export class Courier {
  readonly queue: DeliveryQueue;
  readonly sender: Sender;
  readonly #lanes = new Map<string, PlatformLane>();
  readonly #stopping = new AbortController();
  readonly #tickMs: number;
  readonly #claimMs: number;
  #ticking: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: CourierOptions) {
    const { pool, clock, allow, alongside = () => ({}), timeoutMs = Math.max(TIMEOUT_LEAST_MS, TIMEOUT_MS / clock.speed) } = options;
    this.queue = new DeliveryQueue(pool);
    this.sender = createSender({ allow, timeoutMs, alongside });
    this.#tickMs = Math.min(TICK_MOST_MS, Math.max(TICK_LEAST_MS, TICK_DOMAIN_MS / clock.speed));
    this.#claimMs = timeoutMs + CLAIM_MARGIN_MS;
  }

  start(): this {
    const tick = (): void => {
      this.#ticking = this.#tick().finally(() => {
        if (!this.#stopping.signal.aborted) this.#timer = setTimeout(tick, this.#tickMs);
      });
    };
    tick();
    return this;
  }

  /** There is something new for this platform. */
  wake(platform: string): void {
    if (this.#timer !== undefined) this.lane(platform).wake();
  }

  lane(platform: string): PlatformLane {
    const known = this.#lanes.get(platform);
    if (known !== undefined) return known;
    const { sender, queue } = this;
    const lane = new PlatformLane(platform, { ...this.options, sender, queue, claimMs: this.#claimMs, stopping: this.#stopping.signal, deemIfDue: (order) => this.deemIfDue(order) });
    this.#lanes.set(platform, lane);
    return lane;
  }

  /** A platform cannot dodge its clocks by failing; see `deem`. Safe to repeat. */
  async deemIfDue({ takedownId, orderId }: { takedownId: string; orderId: string }): Promise<void> {
    const oursAlone = await this.queue.oursAlone(this.options.clock.now());
    const cause = { causationId: `deeming:${orderId}`, correlationId: orderId, by: { organisation: 'sejam', holder: 'system:routing' } };
    await this.options.takedowns.actHere(takedownId, cause, (state, { at }) => deem(state, { orderId, at, oursAlone }));
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#timer);
    await this.#ticking;
    await Promise.all([...this.#lanes.values()].map((lane) => lane.idle()));
    await this.sender.close();
  }

  async #tick(): Promise<void> {
    try {
      for (const platform of this.options.directory.ids()) this.lane(platform).wake();
      for (const order of await this.queue.deemable(this.options.clock.now(), DEEMED_AT_ONCE)) {
        if (this.#stopping.signal.aborted) return;
        await this.deemIfDue(order);
      }
    } catch (error) {
      if (!this.#stopping.signal.aborted) this.options.log.warn({ error: String(error) }, 'The courier could not look for what waits; trying again');
    }
  }
}
