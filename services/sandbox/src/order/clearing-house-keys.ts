import { Inject, Injectable } from '@nestjs/common';
import type { Logger } from '@sejam/service-host';
import { LOG, SETTINGS, type Settings } from '../tokens.js';

interface PublishedKey {
  readonly keyId: string;
  readonly publicKey: string;
  readonly validUntil?: string;
}

/** Not more often is the document asked for, whatever arrives: a stranger's messages must not make us call anybody. */
const ASK_EVERY_MS = 5_000;
const TIMEOUT_MS = 5_000;
/** A message may be as much older than now as its signature is tolerated. */
const TOLERANCE_MS = 300_000;

/**
 * The public keys of the clearing house, as it publishes them. With one of them a platform can show to others what it was ordered; the shared
 * secret proves it to the platform alone.
 */
@Injectable()
export class ClearingHouseKeys {
  #keys: readonly PublishedKey[] = [];
  #etag: string | undefined;
  #askedAt = -Infinity;
  #asking: Promise<void> | undefined;

  constructor(
    @Inject(SETTINGS) private readonly settings: Settings,
    @Inject(LOG) private readonly log: Logger,
  ) {}

  /** Those known by now, to verify with. */
  known(): { keyId: string; secret: string }[] {
    const now = Date.now();
    return this.#keys.filter(({ validUntil }) => validUntil === undefined || now - TOLERANCE_MS < Date.parse(validUntil)).map(({ keyId, publicKey }) => ({ keyId, secret: publicKey }));
  }

  /** To be called when a message is signed with none of those known: there may be a new one. Never throws; without the document none are known. */
  async refresh(): Promise<void> {
    if (this.#asking === undefined && performance.now() - this.#askedAt < ASK_EVERY_MS) return;
    this.#asking ??= this.#ask().finally(() => {
      this.#askedAt = performance.now();
      this.#asking = undefined;
    });
    await this.#asking;
  }

  async #ask(): Promise<void> {
    try {
      const response = await fetch(new URL('/.well-known/sejam-webhook-keys.json', this.settings.gatewayUrl), {
        headers: this.#etag === undefined ? {} : { 'if-none-match': this.#etag },
        signal: AbortSignal.any([AbortSignal.timeout(TIMEOUT_MS), this.settings.closing]),
      });
      if (response.status === 304) return;
      if (!response.ok) throw new Error(`it answered ${response.status}`);
      ({ keys: this.#keys } = (await response.json()) as { keys: readonly PublishedKey[] });
      this.#etag = response.headers.get('etag') ?? undefined;
    } catch (error) {
      this.log.warn({ cause: (error as Error).message }, 'The public keys of the clearing house cannot be read; messages are verified with what is known');
    }
  }
}
