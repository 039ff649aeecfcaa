import { DomainError, type Aggregate, type RecordedEvent } from '@sejam/event-sourcing';
import { erasureEventTypes, evolveErasures, noSuchSubject, type Erasure, type ErasureEvent, type ErasureSubject } from '../erasure/erasure.js';

export type OrganisationKind = 'agency' | 'partner' | 'platform' | 'auditor' | 'operator';
export type PartnerKind = 'media' | 'civil_society' | 'academia' | 'religious' | 'creator';
export type Role = 'reporter' | 'reviewer' | 'issuer' | 'platform' | 'auditor' | 'operator' | 'consumer';

// Events are permanent: add optional fields freely, never rename or remove one.
export type OrganisationEvent =
  | {
      type: 'OrganisationRegistered';
      data: {
        organisation: string;
        kind: OrganisationKind;
        name: string;
        partnerKind?: PartnerKind;
        /** An agency whose decisions another agency carries out: that one stands as `issuedBy` in its orders. */
        executor?: string;
        products?: string[];
      };
    }
  /** The officer's name lies outside the record; here it is only an id, `officer:<uuid>`. */
  | { type: 'OfficerAdded'; data: { organisation: string; holder: string } }
  /** `secretSha256` is the SHA-256 of the whole key (`sjm_…`), hex. `expiresAt` is wall time. */
  | {
      type: 'KeyIssued';
      data: { organisation: string; keyId: string; holder: string; roles: Role[]; secretSha256: string; expiresAt?: string };
    }
  /** The old key keeps working until `overlapUntil` (wall time). The new one has the holder, roles and expiry of the old. */
  | {
      type: 'KeyRotated';
      data: { organisation: string; keyId: string; newKeyId: string; secretSha256: string; overlapUntil: string };
    }
  | { type: 'KeyRevoked'; data: { organisation: string; keyId: string } }
  | ErasureEvent;

interface Key {
  holder: string;
  roles: readonly Role[];
  expiresAt?: string;
  status: 'active' | 'rotated' | 'revoked';
}

/** Only what the decisions below look at. */
export type Organisation =
  | { status: 'none' }
  | {
      status: 'registered';
      organisation: string;
      kind: OrganisationKind;
      executor?: string;
      officers: readonly string[];
      keys: Readonly<Record<string, Key>>;
      lastEventId: string;
      erasures?: readonly Erasure[];
    };

export const organisation: Aggregate<Organisation, OrganisationEvent> = {
  category: 'organisation',
  initialState: { status: 'none' },
  eventTypes: ['OrganisationRegistered', 'OfficerAdded', 'KeyIssued', 'KeyRotated', 'KeyRevoked', ...erasureEventTypes],
  evolve: (state, event): Organisation => {
    if (event.type === 'OrganisationRegistered') {
      const { organisation, kind, executor } = event.data;
      return { status: 'registered', organisation, kind, officers: [], keys: {}, lastEventId: event.id, ...(executor === undefined ? {} : { executor }) };
    }
    if (state.status === 'none') return state;
    return afterwards({ ...state, lastEventId: event.id }, event);
  },
};

type Registered = Extract<Organisation, { status: 'registered' }>;

function afterwards(state: Registered, event: RecordedEvent<Exclude<OrganisationEvent, { type: 'OrganisationRegistered' }>>): Registered {
  switch (event.type) {
    case 'OfficerAdded':
      return { ...state, officers: [...state.officers, event.data.holder] };
    case 'KeyIssued': {
      const { keyId, holder, roles, expiresAt } = event.data;
      return withKey(state, keyId, { holder, roles, status: 'active', ...(expiresAt === undefined ? {} : { expiresAt }) });
    }
    case 'KeyRotated': {
      const old = state.keys[event.data.keyId];
      if (old === undefined) return state;
      return withKey(withKey(state, event.data.keyId, { ...old, status: 'rotated' }), event.data.newKeyId, { ...old, status: 'active' });
    }
    case 'KeyRevoked': {
      const old = state.keys[event.data.keyId];
      return old === undefined ? state : withKey(state, event.data.keyId, { ...old, status: 'revoked' });
    }
    case 'ErasureRequested':
    case 'ErasureWithdrawn':
    case 'SubjectErased':
      return { ...state, erasures: evolveErasures(state, event) };
  }
}

function withKey(state: Registered, keyId: string, key: Key): Registered {
  return { ...state, keys: { ...state.keys, [keyId]: key } };
}

/** The roles that a key of each kind of organisation may have. */
export const rolesOf: Readonly<Record<OrganisationKind, readonly Role[]>> = {
  agency: ['reporter', 'reviewer', 'issuer'],
  partner: ['reporter'],
  platform: ['platform'],
  auditor: ['auditor'],
  operator: ['operator', 'consumer'],
};

type Registration = Extract<OrganisationEvent, { type: 'OrganisationRegistered' }>['data'];

/** Registering the same again has nothing to add. */
export function register(state: Organisation, registration: Registration): OrganisationEvent[] {
  if (state.status === 'registered') {
    if (state.kind === registration.kind) return [];
    throw new DomainError('organisation.exists', 'conflict', `There is an organisation ${registration.organisation} already, of kind ${state.kind}`);
  }
  if ((registration.partnerKind !== undefined) !== (registration.kind === 'partner')) {
    throw new DomainError('organisation.partner-kind', 'invalid', 'A partner, and only a partner, says of what kind it is', { pointer: '/partnerKind' });
  }
  if (registration.executor !== undefined && registration.kind !== 'agency') {
    throw new DomainError('organisation.executor', 'invalid', 'Only an agency has another agency carry out its decisions', { pointer: '/executor' });
  }
  return [{ type: 'OrganisationRegistered', data: registration }];
}

export function addOfficer(state: Organisation, { holder }: { holder: string }): OrganisationEvent[] {
  const { organisation, officers } = registered(state);
  return officers.includes(holder) ? [] : [{ type: 'OfficerAdded', data: { organisation, holder } }];
}

/** `holder` is an officer of the organisation, or a system of it: `system:<name>`. A system submits and never decides. */
export function issueKey(
  state: Organisation,
  key: { keyId: string; holder: string; roles: Role[]; secretSha256: string; expiresAt?: string; now: Date },
): OrganisationEvent[] {
  const { organisation, kind, officers, keys } = registered(state);
  const { keyId, holder, roles, secretSha256, expiresAt, now } = key;
  if (keys[keyId] !== undefined) return [];
  const system = /^system:[a-z0-9][a-z0-9-]{0,62}$/.test(holder);
  if (!system && !officers.includes(holder)) {
    throw new DomainError('key.holder-unknown', 'invalid', `${organisation} has no officer ${holder}`, { pointer: '/holder' });
  }
  const refused = roles.find((role) => !rolesOf[kind].includes(role) || (system && (role === 'reviewer' || role === 'issuer')));
  if (refused !== undefined || roles.length === 0) {
    const whose = system ? `a system of an organisation of kind ${kind}` : `an officer of an organisation of kind ${kind}`;
    throw new DomainError('key.role-not-allowed', 'invalid', `A key of ${whose} may not have the role ${refused ?? '(none)'}`, { pointer: '/roles' });
  }
  if (expiresAt !== undefined && Date.parse(expiresAt) <= now.getTime()) {
    throw new DomainError('key.expiry-past', 'invalid', 'A key must expire in the future', { pointer: '/expiresAt' });
  }
  return [{ type: 'KeyIssued', data: { organisation, keyId, holder, roles, secretSha256, ...(expiresAt === undefined ? {} : { expiresAt }) } }];
}

export function rotateKey(
  state: Organisation,
  { keyId, newKeyId, secretSha256, overlapUntil }: { keyId: string; newKeyId: string; secretSha256: string; overlapUntil: string },
): OrganisationEvent[] {
  const { organisation, keys } = registered(state);
  const key = keys[keyId];
  if (key === undefined) throw keyNotFound();
  if (key.status !== 'active') throw new DomainError('key.not-active', 'conflict', `The key was ${key.status} before`);
  return [{ type: 'KeyRotated', data: { organisation, keyId, newKeyId, secretSha256, overlapUntil } }];
}

export function revokeKey(state: Organisation, { keyId }: { keyId: string }): OrganisationEvent[] {
  const { organisation, keys } = registered(state);
  const key = keys[keyId];
  if (key === undefined) throw keyNotFound();
  return key.status === 'revoked' ? [] : [{ type: 'KeyRevoked', data: { organisation, keyId } }];
}

/** Whose data an erasure of this officer's name is about. The keys stay: who must not act any longer has them revoked. */
export function officerOf(state: Organisation, holder: string): ErasureSubject {
  const { organisation, officers } = registered(state);
  if (!officers.includes(holder)) throw noSuchSubject(`${organisation} has no officer ${holder}`);
  return { kind: 'officer', organisation, holder };
}

function registered(state: Organisation): Registered {
  if (state.status === 'none') throw new DomainError('organisation.not-found', 'not-found', 'There is no such organisation');
  return state;
}

const keyNotFound = () => new DomainError('key.not-found', 'not-found', 'There is no such key');
