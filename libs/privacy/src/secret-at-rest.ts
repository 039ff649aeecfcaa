import type { MasterKey } from './master-key.js';

/**
 * A secret as it may lie in a kept table. `purpose` says what it is for and whose it is, such as `['webhook-secret', 'tiktok', secretId]`:
 * a row copied onto another does not open there.
 */
export function sealSecret(masterKey: MasterKey, purpose: readonly string[], secret: string): string {
  return masterKey.seal(secret, purposeOfSecret(purpose));
}

/** Throws SealBroken, and MasterKeyFault when the master key that sealed it is not in the file. */
export function openSecret(masterKey: MasterKey, purpose: readonly string[], sealed: string): string {
  return masterKey.open(sealed, purposeOfSecret(purpose)).toString('utf8');
}

/** By which the master key itself opens it: for a SealedColumn. */
export function purposeOfSecret(purpose: readonly string[]): readonly string[] {
  return ['secret', ...purpose];
}
