import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type { Logger } from '@sejam/service-host';
import type { Credentials } from '../credentials.js';
import { Direction } from '../script/direction.js';
import { CREDENTIALS, LOG, SETTINGS, type Settings } from '../tokens.js';
import { Inbox } from './inbox.js';
import { platforms, readMessage, type Platform } from './order.js';

const EVERY_DOMAIN_SECONDS = 15;
const PAGE = 100;
const TIMEOUT_MS = 15_000;

/**
 * The way for a platform without an endpoint, and for one that was down: fetch the messages after the last one known. They are the very
 * bodies that would have been posted, in order, kept for ever.
 */
@Injectable()
export class ReadFeed implements OnApplicationShutdown {
  readonly #after = new Map<Platform, string>();
  readonly #failing = new Set<Platform>();
  #running: Promise<void> | undefined;

  constructor(
    @Inject(CREDENTIALS) private readonly credentials: Credentials,
    @Inject(SETTINGS) private readonly settings: Settings,
    @Inject(Direction) private readonly direction: Direction,
    @Inject(Inbox) private readonly inbox: Inbox,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  /** Reads until the process ends, for every platform of which the script says `via: feed`. */
  start(): void {
    this.#running ??= this.#run();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    const { closing, speed } = this.settings;
    const pauseMs = Math.min(5_000, Math.max(500, (EVERY_DOMAIN_SECONDS * 1000) / speed));
    while (!closing.aborted) {
      const readers = platforms.filter((platform) => this.direction.readsFeed(platform));
      await Promise.all(
        readers.map((platform) => this.#catchUp(platform).then(
          () => this.#failing.delete(platform),
          (error: Error) => {
            // Said once, not at every try.
            if (!closing.aborted && !this.#failing.has(platform)) this.log.warn({ platform, cause: error.message }, 'The feed cannot be read; it is tried again and again');
            this.#failing.add(platform);
          },
        )),
      );
      await delay(pauseMs, undefined, { signal: closing }).catch(() => {});
    }
  }

  async #catchUp(platform: Platform): Promise<void> {
    for (;;) {
      const items = await this.#page(platform);
      for (const { webhookId, body } of items) {
        const message = readMessage(JSON.parse(body));
        if (message) await this.inbox.receive({ platform, webhookId, message, body, via: 'feed' });
        this.#after.set(platform, webhookId);
      }
      if (items.length < PAGE) return;
    }
  }

  async #page(platform: Platform): Promise<{ webhookId: string; body: string }[]> {
    const url = new URL(`/v1/platforms/${platform}/messages`, this.settings.gatewayUrl);
    url.searchParams.set('limit', String(PAGE));
    const after = this.#after.get(platform);
    if (after !== undefined) url.searchParams.set('after', after);
    const response = await fetch(url, {
      headers: { authorization: `Bearer ${this.credentials.of[platform].apiKey}` },
      signal: AbortSignal.any([AbortSignal.timeout(TIMEOUT_MS), this.settings.closing]),
    });
    if (!response.ok) throw new Error(`GET ${url.pathname} answered ${response.status}`);
    return ((await response.json()) as { items: { webhookId: string; body: string }[] }).items;
  }
}
