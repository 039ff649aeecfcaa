import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

export const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** It was made under another key or for another place, or it was changed. Which of them cannot be known. */
export class SealBroken extends Error {
  override readonly name = 'SealBroken';
}

/**
 * AES-256-GCM with a random nonce, as base64url of nonce, ciphertext and tag. `context` is authenticated and not stored: whoever opens
 * must name the same, so a sealed value that was moved elsewhere does not open. One key may seal 2^32 values.
 */
export function seal(key: Buffer, plain: Uint8Array | string, context: readonly string[]): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES }).setAAD(additionalData(context));
  return Buffer.concat([nonce, cipher.update(typeof plain === 'string' ? Buffer.from(plain) : plain), cipher.final(), cipher.getAuthTag()]).toString('base64url');
}

/** Throws SealBroken. */
export function open(key: Buffer, sealed: string, context: readonly string[]): Buffer {
  const bytes = Buffer.from(sealed, 'base64url');
  if (bytes.length < NONCE_BYTES + TAG_BYTES || bytes.toString('base64url') !== sealed) throw new SealBroken('A sealed value is not whole');
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
    decipher.setAAD(additionalData(context)).setAuthTag(bytes.subarray(-TAG_BYTES));
    return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
  } catch {
    throw new SealBroken('A sealed value does not open: it was changed, moved, or sealed under another key');
  }
}

/** As a JSON array, so that no two lists of parts give the same bytes. */
function additionalData(context: readonly string[]): Buffer {
  return Buffer.from(JSON.stringify(context));
}
