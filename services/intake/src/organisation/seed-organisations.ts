import { hashApiKey, keyIdOf, type Credentials } from '@sejam/service-host';
import type { EventStore, Transact } from '@sejam/event-sourcing';
import { addOfficer, issueKey, organisation, register, type Organisation, type OrganisationEvent, type OrganisationKind, type PartnerKind, type Role } from './organisation.js';

interface Seed {
  id: string;
  kind: OrganisationKind;
  name: string;
  partnerKind?: PartnerKind;
  executor?: string;
  products?: string[];
  /** By the key's name in the credentials file. */
  holders: Record<string, { holder: string; roles: Role[] }>;
}

const agency = (id: string, name: string, executor?: string): Seed => ({
  id, kind: 'agency', name, ...(executor === undefined ? {} : { executor }),
  holders: {
    [id]: { holder: `officer:${id}-1`, roles: ['reporter', 'reviewer', 'issuer'] },
    [`${id}Reviewer`]: { holder: `officer:${id}-2`, roles: ['reviewer', 'issuer'] },
  },
});

const platform = (id: string, name: string, products: string[]): Seed => ({
  id, kind: 'platform', name, products, holders: { [id]: { holder: `system:${id}`, roles: ['platform'] } },
});

/** The parties of the declaration of 3 October 2024, and one each of the kinds that watch and run. */
export const seeds: readonly Seed[] = [
  agency('kominfo', 'Kementerian Komunikasi dan Informatika'),
  agency('kpu', 'Komisi Pemilihan Umum', 'kominfo'),
  agency('bawaslu', 'Badan Pengawas Pemilihan Umum', 'kominfo'),
  platform('meta', 'Meta', ['whatsapp', 'instagram', 'facebook', 'threads']),
  platform('google', 'Google', ['google_search', 'youtube']),
  platform('tiktok', 'TikTok', ['tiktok']),
  platform('telegram', 'Telegram', ['telegram']),
  platform('snackvideo', 'SnackVideo', ['snackvideo']),
  platform('line', 'LINE', ['line', 'line_voom']),
  { id: 'partner', kind: 'partner', name: 'Mitra', partnerKind: 'media', holders: { partner: { holder: 'officer:partner-1', roles: ['reporter'] } } },
  { id: 'auditor', kind: 'auditor', name: 'Auditor', holders: { auditor: { holder: 'officer:auditor-1', roles: ['auditor'] } } },
  {
    id: 'operator', kind: 'operator', name: 'Operator',
    holders: { operator: { holder: 'officer:operator-1', roles: ['operator'] }, consumer: { holder: 'system:consumer', roles: ['consumer'] } },
  },
];

/** Appends each organisation that is missing, with its keys. Repeatable at every step: what stands in the record is left as it is. */
export async function seedOrganisations(transact: Transact, credentials: Credentials, wallNow: Date): Promise<void> {
  for (const seed of seeds) {
    const causationId = `seed:${seed.id}`;
    const cause = { causationId, correlationId: causationId, by: { organisation: 'sejam', holder: 'system:intake' } };
    await transact(organisation, seed.id, cause, (state) => (state.status === 'none' ? seeded(seed, credentials, wallNow) : []));
  }
}

function seeded({ holders, id, ...registration }: Seed, credentials: Credentials, now: Date): OrganisationEvent[] {
  const events: OrganisationEvent[] = [];
  let state: Organisation = organisation.initialState;
  const decide = (decided: OrganisationEvent[]): void => {
    for (const event of decided) {
      state = organisation.evolve(state, { ...event, id: '', stream: '', revision: events.length, metadata: seedMetadata });
      events.push(event);
    }
  };
  decide(register(state, { organisation: id, ...registration }));
  for (const [name, { holder, roles }] of Object.entries(holders)) {
    const key = credentials.keys[name];
    const keyId = key === undefined ? undefined : keyIdOf(key);
    if (key === undefined || keyId === undefined) throw new Error(`The credentials file has no key named ${name}`);
    if (holder.startsWith('officer:')) decide(addOfficer(state, { holder }));
    decide(issueKey(state, { keyId, holder, roles, secretSha256: hashApiKey(key), now }));
  }
  return events;
}

const seedMetadata = { at: '', by: { organisation: 'sejam', holder: 'system:intake' }, causationId: '', correlationId: '' };

/** Whether every seeded organisation stands in the record. */
export async function isSeeded(store: EventStore): Promise<boolean> {
  for (const { id } of seeds) {
    let found = false;
    for await (const event of store.read(`organisation-${id}`, { limit: 1 })) found = event.type === 'OrganisationRegistered';
    if (!found) return false;
  }
  return true;
}
