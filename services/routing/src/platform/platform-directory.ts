import { DomainError, fold, type EventStore, type StoredEvent, type Subscription } from '@sejam/event-sourcing';
import type { WebhookKey } from '@sejam/webhooks';
import type { Platforms } from '../routing-ports.js';
import type { SigningKeys } from '../signing-key/signing-keys.js';
import { answerKeysInForce, platform, type Platform } from './platform.js';
import type { WebhookSecrets } from './webhook-secrets.js';

/** The platforms as their streams fold, in memory, following the record. Every instance has its own. */
export class PlatformDirectory implements Platforms {
  readonly #platforms = new Map<string, Platform>();
  #complete = false;
  #following: Subscription | undefined;

  constructor(
    private readonly secrets: WebhookSecrets,
    private readonly signingKeys: Pick<SigningKeys, 'inForce'>,
  ) {}

  /** Resolves when `platform-*` is folded to its end; follows it from there. */
  async follow(store: EventStore): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#following = store.subscribe({
        name: 'platforms',
        prefixes: [`${platform.category}-`],
        handle: (events) => Promise.resolve(this.apply(events)),
        onCaughtUp: () => {
          this.#complete = true;
          resolve();
        },
      });
    });
  }

  async stop(): Promise<void> {
    await this.#following?.stop();
  }

  apply(events: readonly StoredEvent[]): void {
    for (const event of events) {
      const id = event.stream.slice(`${platform.category}-`.length);
      this.#platforms.set(id, fold(platform, [event], this.#platforms.get(id) ?? platform.initialState));
    }
  }

  find(id: string): Exclude<Platform, { status: 'none' }> | undefined {
    if (!this.#complete) throw new DomainError('routing.catching-up', 'unavailable', 'The platforms are not known yet; try again', { retryAfterSeconds: 1 });
    const found = this.#platforms.get(id);
    return found === undefined || found.status === 'none' ? undefined : found;
  }

  endpointOf(id: string): { readonly hasEndpoint: boolean; readonly test: boolean } | undefined {
    const found = this.find(id);
    return found && { hasEndpoint: found.endpoint !== undefined, test: found.endpoint?.test ?? false };
  }

  /** All registered platforms that are known so far. */
  ids(): string[] {
    return [...this.#platforms.keys()];
  }

  /** The platform's own keys first. Where it requires them, the shared secrets are none. Without `secret`: it is lost here. */
  async answerSecrets(id: string): Promise<readonly { readonly keyId: string; readonly secret?: string }[]> {
    const found = this.find(id);
    const own = found === undefined ? [] : answerKeysInForce(found, new Date()).map(({ keyId, publicKey }) => ({ keyId, secret: publicKey }));
    return found?.answerKey?.required === true ? own : [...own, ...(await this.#inForce(id, 'answers'))];
  }

  /**
   * With which messages to this platform are signed now: its secrets, the newest first (in an overlap with both), and then our own key. Empty
   * when the newest secret is lost here: a platform that has gone over to it, or knows of no `v1a`, would turn away what is signed without
   * it, and be blamed for that.
   */
  async orderSecrets(id: string): Promise<(string | WebhookKey)[]> {
    const shared = await this.#inForce(id, 'orders');
    return shared[0]?.secret === undefined ? [] : [...shared.flatMap(({ secret }) => secret ?? []), ...(await this.signingKeys.inForce())];
  }

  async #inForce(id: string, wanted: 'orders' | 'answers'): Promise<readonly { readonly keyId: string; readonly secret?: string }[]> {
    const inForce = this.find(id)?.lastSecrets;
    if (inForce === undefined) return [];
    const older = inForce.previous.filter(({ direction, until }) => direction === wanted && Date.now() < Date.parse(until)).map(({ secretId }) => secretId);
    const ids = [inForce.secrets[wanted].secretId, ...older.reverse()];
    return Promise.all(ids.map(async (keyId) => {
      const secret = await this.secrets.open(id, keyId);
      return { keyId, ...(secret === undefined ? {} : { secret }) };
    }));
  }
}
