import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto';
import { DomainError } from '@sejam/event-sourcing';

/** A key ready for use. Symmetric keys sign and verify; of the ed25519 pair one half signs and the other verifies. */
export type WebhookKey =
  | { readonly scheme: 'v1'; readonly key: Buffer }
  | { readonly scheme: 'v1a'; readonly half: 'private' | 'public'; readonly key: KeyObject };

// The fixed DER headers of RFC 8410, in front of the 32 raw bytes of an ed25519 key.
const PKCS8_HEADER = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI_HEADER = Buffer.from('302a300506032b6570032100', 'hex');
const ED25519_BYTES = 32;

/**
 * Reads a secret in its written form: `whsec_` (symmetric, 24 to 64 bytes), `whsk_` (ed25519 private key, the 32-byte seed alone or
 * followed by the public key) or `whpk_` (ed25519 public key), each followed by base64. Throws `webhook.secret-malformed`; the
 * message never repeats the secret.
 */
export function parseSecret(secret: string): WebhookKey {
  if (secret.startsWith('whsec_')) {
    const key = base64(secret.slice('whsec_'.length));
    if (!key || key.length < 24 || key.length > 64) throw malformed('whsec_ must be followed by the base64 of 24 to 64 bytes');
    return { scheme: 'v1', key };
  }
  if (secret.startsWith('whsk_')) {
    const raw = base64(secret.slice('whsk_'.length));
    if (!raw || (raw.length !== ED25519_BYTES && raw.length !== 2 * ED25519_BYTES)) {
      throw malformed('whsk_ must be followed by the base64 of a 32-byte ed25519 seed, or of the seed and its public key');
    }
    const key = createPrivateKey({ key: Buffer.concat([PKCS8_HEADER, raw.subarray(0, ED25519_BYTES)]), format: 'der', type: 'pkcs8' });
    if (raw.length > ED25519_BYTES && !rawPublicKey(key).equals(raw.subarray(ED25519_BYTES))) throw malformed('the two halves of the whsk_ key do not belong together');
    return { scheme: 'v1a', half: 'private', key };
  }
  if (secret.startsWith('whpk_')) {
    const raw = base64(secret.slice('whpk_'.length));
    if (!raw || raw.length !== ED25519_BYTES) throw malformed('whpk_ must be followed by the base64 of a 32-byte ed25519 public key');
    return { scheme: 'v1a', half: 'public', key: createPublicKey({ key: Buffer.concat([SPKI_HEADER, raw]), format: 'der', type: 'spki' }) };
  }
  throw malformed('a webhook secret begins with whsec_, whsk_ or whpk_');
}

/** A new symmetric secret of 32 random bytes, `whsec_…`. */
export function generateSecret(): string {
  return `whsec_${randomBytes(32).toString('base64')}`;
}

/** A new ed25519 pair: keep `whsk_…`, hand out `whpk_…`. */
export function generateSigningKeyPair(): { privateKey: string; publicKey: string } {
  const { privateKey } = generateKeyPairSync('ed25519');
  const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-ED25519_BYTES);
  const publicKey = rawPublicKey(privateKey);
  return { privateKey: `whsk_${Buffer.concat([seed, publicKey]).toString('base64')}`, publicKey: `whpk_${publicKey.toString('base64')}` };
}

/** `whpk_…` of either half of a pair, the same key always in the same characters. Throws `webhook.secret-malformed`. */
export function publicKeyOf(half: string): string {
  const parsed = parseSecret(half);
  if (parsed.scheme === 'v1') throw malformed('a symmetric secret (whsec_) has no public half');
  return `whpk_${rawPublicKey(parsed.key).toString('base64')}`;
}

/**
 * What the record may hold of a secret: the first 16 hex characters of the SHA-256 of its key bytes. The two halves of an ed25519 pair
 * have one fingerprint. Secrets are random and long, so the fingerprint gives nothing away.
 */
export function secretFingerprint(secret: string): string {
  const parsed = parseSecret(secret);
  return createHash('sha256').update(parsed.scheme === 'v1' ? parsed.key : rawPublicKey(parsed.key)).digest('hex').slice(0, 16);
}

function rawPublicKey(key: KeyObject): Buffer {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return publicKey.export({ format: 'der', type: 'spki' }).subarray(-ED25519_BYTES);
}

/** Node ignores what is not base64; a secret cut short or mistyped must be refused instead. Padding may be left out. */
function base64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64').replace(/=+$/, '') === text.replace(/={1,2}$/, '') ? bytes : undefined;
}

function malformed(reason: string): DomainError {
  return new DomainError('webhook.secret-malformed', 'invalid', `The webhook secret cannot be used: ${reason}`);
}
