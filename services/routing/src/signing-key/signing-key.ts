import type { Aggregate } from '@sejam/event-sourcing';

/** One of our keys. All of them are published for ever: what was signed with an old one is still to be verified. */
export interface SigningKey {
  readonly keyId: string;
  /** `whpk_…` */
  readonly publicKey: string;
  /** Wall time, as webhook timestamps are. */
  readonly validFrom: string;
  /** Nothing is signed with it any more from then on. */
  readonly validUntil?: string;
}

// Events are permanent: add optional fields freely, never rename or remove one.
export type SigningKeyEvent =
  /**
   * We sign with this key from here on. `cause`: it is the first, an operator asked for another, or the one before was lost with its kept
   * table. Those before it are used until `othersUntil` at most. All times are wall time.
   */
  { type: 'SigningKeyMade'; data: { keyId: string; publicKey: string; validFrom: string; cause: 'first' | 'rotation' | 'loss'; othersUntil?: string } };

/** Oldest first. */
export interface SigningKeyring {
  readonly keys: readonly SigningKey[];
}

/** Its only stream is `signingkey-sejam`: the key is the clearing house's own, not a platform's. */
export const signingKey: Aggregate<SigningKeyring, SigningKeyEvent> = {
  category: 'signingkey',
  initialState: { keys: [] },
  eventTypes: ['SigningKeyMade'],
  evolve: ({ keys }, { data: { keyId, publicKey, validFrom, othersUntil } }) => {
    const older = keys.map((key) => {
      const ends = [key.validUntil, othersUntil].filter((until) => until !== undefined).sort();
      return ends[0] === undefined ? key : { ...key, validUntil: ends[0] };
    });
    return { keys: [...older, { keyId, publicKey, validFrom }] };
  },
};

/** Ids count on, so that instances that make the next key at the same moment make one. */
export function nextKeyId({ keys }: SigningKeyring): string {
  return `sejam-${keys.length + 1}`;
}

/** The next key, if it is still the next: whoever was quicker has made it. */
export function addSigningKey(
  state: SigningKeyring,
  { keyId, publicKey, cause, wallNow, overlapMs }: { keyId: string; publicKey: string; cause: 'rotation' | 'loss'; wallNow: Date; overlapMs: number },
): SigningKeyEvent[] {
  if (keyId !== nextKeyId(state)) return [];
  const made = { keyId, publicKey, validFrom: wallNow.toISOString() };
  if (state.keys.length === 0) return [{ type: 'SigningKeyMade', data: { ...made, cause: 'first' } }];
  return [{ type: 'SigningKeyMade', data: { ...made, cause, othersUntil: new Date(wallNow.getTime() + overlapMs).toISOString() } }];
}

/** With which of them we sign, the newest first. */
export function inForce({ keys }: SigningKeyring, wallNow: Date): SigningKey[] {
  return keys.filter(({ validUntil }) => validUntil === undefined || wallNow.getTime() < Date.parse(validUntil)).reverse();
}
