import { hash, randomBytes, timingSafeEqual } from 'node:crypto';

export interface NewApiKey {
  readonly keyId: string;
  /** Shown once, then forgotten. */
  readonly key: string;
  /** What is kept: SHA-256 of the whole key, hex. The key is random, so nothing slower is needed. */
  readonly sha256: string;
}

const shape = /^sjm_([a-z0-9][a-z0-9-]{0,63})_[A-Za-z0-9_-]{43}$/;

/** `sjm_<keyId>_<32 random bytes, base64url>`. Without a `keyId` it is twelve random characters. */
export function newApiKey(keyId: string = randomBytes(6).toString('hex')): NewApiKey {
  const key = `sjm_${keyId}_${randomBytes(32).toString('base64url')}`;
  if (!shape.test(key)) throw new Error(`A key id is made of lower-case letters, digits and hyphens, not "${keyId}"`);
  return { keyId, key, sha256: hashApiKey(key) };
}

export function hashApiKey(key: string): string {
  return hash('sha256', key, 'hex');
}

/** The id inside a well-formed key; undefined for anything else. Says nothing about whether the key is good. */
export function keyIdOf(key: string): string | undefined {
  return shape.exec(key)?.[1];
}

/** In constant time. */
export function matchesHash(key: string, sha256: string): boolean {
  const presented = Buffer.from(hashApiKey(key), 'hex');
  const kept = Buffer.from(sha256, 'hex');
  return presented.length === kept.length && timingSafeEqual(presented, kept);
}
