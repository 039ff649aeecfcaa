import { fold, readStream, type EventStore, type RecordedEvent, type Subscription, type Transact } from '@sejam/event-sourcing';
import type { Client } from '@sejam/postgres';
import { openSecret, purposeOfSecret, sealSecret, type MasterKey, type SealedColumn } from '@sejam/privacy';
import { generateSigningKeyPair, parseSecret, publicKeyOf, type WebhookKey } from '@sejam/webhooks';
import { addSigningKey, inForce, nextKeyId, signingKey, type SigningKey, type SigningKeyEvent, type SigningKeyring } from './signing-key.js';

/** Id of the one keyring: the stream is `signingkey-sejam`. */
export const SIGNING_KEYRING = 'sejam';

export const sealedSigningKeys: SealedColumn = {
  table: 'signing_key', column: 'sealed', row: 'key_id', purposeFrom: ['key_id'],
  purpose: (keyId = '') => purposeOfSecret(purposeOf(keyId)),
};

interface Parts {
  readonly client: Client;
  readonly masterKey: MasterKey;
  readonly store: EventStore;
  readonly transact: Transact;
}

/** The clearing house's own keys: the public halves as the record tells them, followed in memory; the private halves in a kept table, sealed. */
export class SigningKeys {
  #keyring: SigningKeyring = signingKey.initialState;
  #following: Subscription | undefined;
  readonly #opened = new Map<string, WebhookKey | undefined>();

  constructor(private readonly parts: Parts) {}

  /**
   * Makes the first key, whichever instance comes first. A key whose private half is not in the kept table any more is replaced at once: unlike
   * a lost secret it asks nothing of the platforms, which find the new one where they found the old. Throws SealBroken or MasterKeyFault where
   * the table is there and the master key is another: then the right file is to be put back.
   */
  async ensure(): Promise<void> {
    const keyring = await this.#read();
    const newest = keyring.keys.at(-1);
    if (newest !== undefined && (await this.#open(newest)) !== undefined) return;
    const causationId = `signing-key:${nextKeyId(keyring)}`;
    const cause = { causationId, correlationId: causationId, by: { organisation: 'sejam', holder: 'system:routing' } };
    const next = await this.prepare();
    await this.parts.transact(signingKey, SIGNING_KEYRING, cause, (state) => addSigningKey(state, { ...next, cause: 'loss', wallNow: new Date(), overlapMs: 0 }));
  }

  /** Resolves when every key is known; follows the record from there. */
  async follow(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#following = this.parts.store.subscribe({
        name: 'signing-keys',
        prefixes: [`${signingKey.category}-`],
        handle: async (events) => void (this.#keyring = fold(signingKey, events, this.#keyring)),
        onCaughtUp: () => resolve(),
      });
    });
  }

  async stop(): Promise<void> {
    await this.#following?.stop();
  }

  /** Every key there ever was, oldest first. */
  published(): readonly SigningKey[] {
    return this.#keyring.keys;
  }

  /** With which messages are signed now, the newest first. Each key is read from its table once. */
  async inForce(): Promise<WebhookKey[]> {
    const opened = await Promise.all(inForce(this.#keyring, new Date()).map((key) => this.#open(key)));
    return opened.filter((key) => key !== undefined);
  }

  /** The event that made the key we sign with, as the record has it now. */
  async newest(): Promise<RecordedEvent<SigningKeyEvent>> {
    // Sound because the stream begins with the first start, and holds no other type.
    return (await this.#history()).at(-1) as RecordedEvent<SigningKeyEvent>;
  }

  /** The next key, kept before the record speaks of it. Asked again before the record does, the same one. */
  async prepare(): Promise<{ keyId: string; publicKey: string }> {
    const keyId = nextKeyId(await this.#read());
    const { client, masterKey } = this.parts;
    await client.query('INSERT INTO signing_key (key_id, sealed) VALUES ($1, $2) ON CONFLICT DO NOTHING', [keyId, sealSecret(masterKey, purposeOf(keyId), generateSigningKeyPair().privateKey)]);
    return { keyId, publicKey: publicKeyOf((await this.#kept(keyId)) as string) };
  }

  /** Undefined when it is lost, or when the table, put back from another time, holds another key under its id. */
  async #open({ keyId, publicKey }: SigningKey): Promise<WebhookKey | undefined> {
    if (!this.#opened.has(keyId)) {
      const secret = await this.#kept(keyId);
      this.#opened.set(keyId, secret !== undefined && publicKeyOf(secret) === publicKey ? parseSecret(secret) : undefined);
    }
    return this.#opened.get(keyId);
  }

  async #kept(keyId: string): Promise<string | undefined> {
    const { rows } = await this.parts.client.query<{ sealed: string }>('SELECT sealed FROM signing_key WHERE key_id = $1', [keyId]);
    return rows[0] && openSecret(this.parts.masterKey, purposeOf(keyId), rows[0].sealed);
  }

  async #read(): Promise<SigningKeyring> {
    return fold(signingKey, await this.#history());
  }

  #history(): Promise<RecordedEvent[]> {
    return readStream(this.parts.store, `${signingKey.category}-${SIGNING_KEYRING}`);
  }
}

function purposeOf(keyId: string): string[] {
  return ['signing-key', keyId];
}
