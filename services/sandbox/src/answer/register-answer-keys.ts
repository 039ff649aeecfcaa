import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type { Logger } from '@sejam/service-host';
import { publicKeyOf } from '@sejam/webhooks';
import type { Credentials } from '../credentials.js';
import type { Platform } from '../order/order.js';
import { ANSWER_KEYS, CREDENTIALS, LOG, SETTINGS, type Settings } from '../tokens.js';
import type { KeyFile } from './key-file.js';

const RETRY_MS = [200, 500, 1_000, 2_000, 5_000, 10_000];
const TIMEOUT_MS = 15_000;

/**
 * Tells the clearing house by which key a platform proves its answers. What the shared secret signs the clearing house could have written itself;
 * what the platform's own key signs, everybody can see that nobody else did.
 */
@Injectable()
export class RegisterAnswerKeys implements OnApplicationShutdown {
  readonly #registered = new Set<Platform>();
  #running: Promise<unknown> | undefined;

  constructor(
    @Inject(ANSWER_KEYS) private readonly keys: KeyFile,
    @Inject(CREDENTIALS) private readonly credentials: Credentials,
    @Inject(SETTINGS) private readonly settings: Settings,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  /** In the background, until each is registered: the same key again changes nothing, so every start may do it. */
  start(): void {
    this.#running ??= Promise.all((Object.entries(this.keys) as [Platform, string][]).map(([platform, key]) => this.#register(platform, key)));
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#running;
  }

  /** The key to sign with beside the shared secret. Undefined until the clearing house knows it: before, it would prove nothing to anybody. */
  of(platform: Platform): string | undefined {
    return this.#registered.has(platform) ? this.keys[platform] : undefined;
  }

  async #register(platform: Platform, key: string): Promise<void> {
    const { gatewayUrl, closing } = this.settings;
    for (let tried = 1; !closing.aborted; tried += 1) {
      const answer = await fetch(new URL(`/v1/platforms/${platform}/answer-key`, gatewayUrl), {
        method: 'PUT',
        headers: { authorization: `Bearer ${this.credentials.of[platform].apiKey}`, 'content-type': 'application/json' },
        body: JSON.stringify({ publicKey: publicKeyOf(key) }),
        signal: AbortSignal.any([AbortSignal.timeout(TIMEOUT_MS), closing]),
      }).then(async (response) => ({ ok: response.ok, said: await response.text() }), (error: Error) => ({ ok: false, said: error.message }));
      if (answer.ok) {
        this.#registered.add(platform);
        this.log.info({ platform }, 'Answers are signed with a key of the platform too');
        return;
      }
      if (tried === RETRY_MS.length) this.log.warn({ platform, said: answer.said.slice(0, 300) }, 'The key could not be registered yet; it is tried again and again');
      await delay(RETRY_MS[Math.min(tried, RETRY_MS.length) - 1], undefined, { signal: closing }).catch(() => {});
    }
  }
}
