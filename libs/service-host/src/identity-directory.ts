import { keyIdOf, matchesHash } from './api-key.js';

export const roles = ['reporter', 'reviewer', 'issuer', 'platform', 'auditor', 'operator', 'consumer'] as const;
export type Role = (typeof roles)[number];
export const organisationKinds = ['agency', 'partner', 'platform', 'auditor', 'operator'] as const;
export type OrganisationKind = (typeof organisationKinds)[number];

/** What this directory reads of an event of an `organisation-*` stream, or of the message that tells of it; more fields may stand in it. */
export type IdentityEvent =
  | { readonly type: 'OrganisationRegistered'; readonly data: { readonly organisation: string; readonly kind: string; readonly name: string; readonly executor?: string } }
  | { readonly type: 'OfficerAdded'; readonly data: { readonly organisation: string; readonly holder: string } }
  | {
      readonly type: 'KeyIssued';
      readonly data: {
        readonly organisation: string;
        readonly keyId: string;
        readonly holder: string;
        readonly roles: readonly string[];
        readonly secretSha256: string;
        readonly expiresAt?: string;
      };
    }
  | {
      readonly type: 'KeyRotated';
      readonly data: {
        readonly organisation: string;
        readonly keyId: string;
        readonly newKeyId: string;
        readonly secretSha256: string;
        readonly overlapUntil: string;
      };
    }
  | { readonly type: 'KeyRevoked'; readonly data: { readonly organisation: string; readonly keyId: string } };

export interface DirectoryKey {
  readonly keyId: string;
  readonly organisation: string;
  readonly holder: string;
  readonly roles: readonly Role[];
  readonly secretSha256: string;
  /** Wall time in milliseconds, the earlier of expiry and the end of a rotation's overlap. */
  readonly endsAtMs: number;
}

export interface DirectoryOrganisation {
  readonly organisation: string;
  readonly kind: OrganisationKind;
  readonly name: string;
  /** Carries out what this agency decides. */
  readonly executor?: string;
}

export type KeyCheck =
  | { readonly outcome: 'good'; readonly key: DirectoryKey; readonly organisation: DirectoryOrganisation }
  | { readonly outcome: 'unknown' }
  | { readonly outcome: 'expired' };

/** A directory whose newest heartbeat is older than this may have missed a revocation: it is not good enough for writes. */
export const heartbeatToleranceMs = 5 * 60_000;

/**
 * Organisations and their keys, in memory: a fold over identity events, whichever way they come. Feeding an event twice changes nothing.
 * Events of one organisation must come in their order; intake feeds its own store's events at once, the others what the bus brings.
 */
export class IdentityDirectory {
  readonly #organisations = new Map<string, DirectoryOrganisation>();
  readonly #keys = new Map<string, DirectoryKey>();
  readonly #revoked = new Set<string>();
  #freshUntilMs = 0;

  /** `wallNowMs` is only for expiry and freshness, which are wall time. */
  constructor(private readonly wallNowMs: () => number = () => Date.now()) {}

  /** Skips event types it does not know, as every view does. */
  apply(event: IdentityEvent | { readonly type: string; readonly data: object }): void {
    const known = event as IdentityEvent;
    switch (known.type) {
      case 'OrganisationRegistered': {
        const { organisation, name, executor } = known.data;
        const kind = organisationKinds.find((one) => one === known.data.kind);
        if (kind !== undefined) this.#organisations.set(organisation, { organisation, kind, name, ...(executor === undefined ? {} : { executor }) });
        return;
      }
      case 'KeyIssued': {
        const { organisation, keyId, holder, secretSha256, expiresAt } = known.data;
        if (this.#keys.has(keyId)) return;
        const granted = known.data.roles.flatMap((name) => roles.filter((role) => role === name));
        this.#keys.set(keyId, { keyId, organisation, holder, roles: granted, secretSha256, endsAtMs: expiresAt === undefined ? Infinity : Date.parse(expiresAt) });
        return;
      }
      case 'KeyRotated': {
        const old = this.#keys.get(known.data.keyId);
        if (old === undefined || this.#keys.has(known.data.newKeyId)) return;
        this.#keys.set(known.data.newKeyId, { ...old, keyId: known.data.newKeyId, secretSha256: known.data.secretSha256 });
        this.#keys.set(old.keyId, { ...old, endsAtMs: Math.min(old.endsAtMs, Date.parse(known.data.overlapUntil)) });
        return;
      }
      case 'KeyRevoked':
        this.#revoked.add(known.data.keyId);
        return;
      case 'OfficerAdded':
        return;
    }
  }

  /** Call with the heartbeat's own time, never with the time it was received: a late heartbeat proves nothing about now. */
  heartbeat(sentAt: Date): void {
    this.#freshUntilMs = Math.max(this.#freshUntilMs, sentAt.getTime() + heartbeatToleranceMs);
  }

  /** For the owner of the identities, whose directory follows its own store. */
  alwaysFresh(): this {
    this.#freshUntilMs = Infinity;
    return this;
  }

  get fresh(): boolean {
    return this.wallNowMs() < this.#freshUntilMs;
  }

  organisation(id: string): DirectoryOrganisation | undefined {
    return this.#organisations.get(id);
  }

  organisations(): readonly DirectoryOrganisation[] {
    return [...this.#organisations.values()];
  }

  /** Never cached: a key that is unknown now may be known a moment later, and the other way round. A revoked key is unknown. */
  check(presented: string): KeyCheck {
    const keyId = keyIdOf(presented);
    const key = keyId === undefined ? undefined : this.#keys.get(keyId);
    const organisation = key === undefined ? undefined : this.#organisations.get(key.organisation);
    if (key === undefined || organisation === undefined || !matchesHash(presented, key.secretSha256) || this.#revoked.has(key.keyId)) return { outcome: 'unknown' };
    return this.wallNowMs() >= key.endsAtMs ? { outcome: 'expired' } : { outcome: 'good', key, organisation };
  }
}
