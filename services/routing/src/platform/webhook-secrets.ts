import { openSecret, purposeOfSecret, sealSecret, type MasterKey, type SealedColumn } from '@sejam/privacy';
import type { Client, Migrations } from '@sejam/postgres';
import { generateSecret, secretFingerprint } from '@sejam/webhooks';
import type { SecretReference } from './platform.js';

export const platformMigrations: Migrations = { part: 'platform', folder: new URL('../../migrations/platform/', import.meta.url) };

export const sealedWebhookSecrets: SealedColumn = {
  table: 'webhook_secret', column: 'sealed', row: 'secret_id', purposeFrom: ['platform', 'secret_id'],
  purpose: (platform = '', secretId = '') => purposeOfSecret(purposeOf(platform, secretId)),
};

/** The record keeps so much of a fingerprint. */
const FINGERPRINT_LENGTH = 16;

/** A kept table: the secrets themselves, sealed. What the record refers to is written here before it. */
export class WebhookSecrets {
  readonly #opened = new Map<string, string>();

  constructor(
    private readonly client: Client,
    private readonly masterKey: MasterKey,
  ) {}

  /** Repeatable: the secret of an id never changes. */
  async keep(platform: string, direction: 'orders' | 'answers', secretId: string, secret: string): Promise<SecretReference> {
    const fingerprint = secretFingerprint(secret).slice(0, FINGERPRINT_LENGTH);
    const sealed = sealSecret(this.masterKey, purposeOf(platform, secretId), secret);
    await this.client.query('INSERT INTO webhook_secret (secret_id, platform, direction, sealed, fingerprint) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING', [
      secretId, platform, direction, sealed, fingerprint,
    ]);
    return { secretId, fingerprint };
  }

  /** A new secret under this id, or the one that an earlier try has made. */
  async make(platform: string, direction: 'orders' | 'answers', secretId: string): Promise<SecretReference> {
    await this.keep(platform, direction, secretId, generateSecret());
    return this.keep(platform, direction, secretId, (await this.open(platform, secretId)) ?? generateSecret());
  }

  /** Undefined when the table has lost it: then orders wait, and answers cannot be verified. */
  async open(platform: string, secretId: string): Promise<string | undefined> {
    const known = this.#opened.get(secretId);
    if (known !== undefined) return known;
    const { rows } = await this.client.query<{ sealed: string }>('SELECT sealed FROM webhook_secret WHERE secret_id = $1 AND platform = $2', [secretId, platform]);
    const sealed = rows[0]?.sealed;
    if (sealed === undefined) return undefined;
    const secret = openSecret(this.masterKey, purposeOf(platform, secretId), sealed);
    this.#opened.set(secretId, secret);
    return secret;
  }
}

function purposeOf(platform: string, secretId: string): string[] {
  return ['webhook-secret', platform, secretId];
}
