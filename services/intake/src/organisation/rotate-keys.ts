import { hashApiKey, newApiKey } from '@sejam/service-host';
import type { Transact } from '@sejam/event-sourcing';
import { organisation, rotateKey, type Organisation, type OrganisationEvent } from './organisation.js';

export interface RotatedKey {
  readonly oldKeyId: string;
  readonly holder: string;
  readonly roles: readonly string[];
  /** Shown once: only its hash is recorded. */
  readonly key: string;
}

/**
 * A new key for each active one of the organisation, with the same holder and roles; the old ones work until `overlapUntil` (wall time). For the
 * operator at the host, when keys were lost: it asks for no key itself. Throws `organisation.not-found`.
 */
export async function rotateKeys(transact: Transact, id: string, { run, overlapUntil }: { run: string; overlapUntil: Date }): Promise<readonly RotatedKey[]> {
  let rotated: RotatedKey[] = [];
  const cause = { causationId: `rotation:${id}:${run}`, correlationId: run, by: { organisation: 'operator', holder: 'system:sejam-keys' } };
  await transact(organisation, id, cause, (state): OrganisationEvent[] => {
    // Decided anew when another writer was faster, so nothing of an earlier try is kept.
    rotated = [];
    if (state.status === 'none') return rotateKey(state, { keyId: '', newKeyId: '', secretSha256: '', overlapUntil: '' });
    const taken = new Set(Object.keys(state.keys));
    return activeKeys(state).flatMap(([keyId, { holder, roles }]) => {
      const { keyId: newKeyId, key } = newApiKey(nextId(keyId, taken));
      taken.add(newKeyId);
      rotated.push({ oldKeyId: keyId, holder, roles, key });
      return rotateKey(state, { keyId, newKeyId, secretSha256: hashApiKey(key), overlapUntil: overlapUntil.toISOString() });
    });
  });
  return rotated;
}

function activeKeys(state: Extract<Organisation, { status: 'registered' }>) {
  return Object.entries(state.keys).filter(([, { status }]) => status === 'active');
}

/** `bawaslu` → `bawaslu-2` → `bawaslu-3`. */
function nextId(keyId: string, taken: ReadonlySet<string>): string {
  const base = keyId.replace(/-\d{1,4}$/, '').slice(0, 58);
  for (let number = 2; ; number++) if (!taken.has(`${base}-${number}`)) return `${base}-${number}`;
}
