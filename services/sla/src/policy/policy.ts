import { DomainError, type Aggregate } from '@sejam/event-sourcing';

/** Whole minutes; `warningPercent` of the resolution time. */
export interface SlaPolicy {
  policy: string;
  version: number;
  /** Half-open span of domain time. */
  window?: { from: string; to: string };
  /** A category, or the part of it before the dot. */
  category?: string;
  platform?: string;
  acknowledgeWithinMinutes: number;
  resolveWithinMinutes: number;
  warningPercent: number;
  clarificationCapMinutes: number;
  effectiveFrom: string;
  reason: string;
}

// Events are permanent: add optional fields freely, never rename or remove one.
export type SlaPolicyEvent = { type: 'SlaPolicySet'; data: SlaPolicy };

export type PolicyState = { readonly status: 'none' } | { readonly status: 'set'; readonly newest: SlaPolicy; readonly eventId: string };

export const slaPolicy: Aggregate<PolicyState, SlaPolicyEvent> = {
  category: 'slapolicy',
  initialState: { status: 'none' },
  eventTypes: ['SlaPolicySet'],
  evolve: (_, event): PolicyState => ({ status: 'set', newest: event.data, eventId: event.id }),
};

/** A version of its own for every change; a clock that runs keeps the terms it began with. The same again has nothing to add. */
export function setPolicy(state: PolicyState, wanted: Omit<SlaPolicy, 'version'>): SlaPolicyEvent[] {
  const { acknowledgeWithinMinutes, resolveWithinMinutes, window } = wanted;
  if (acknowledgeWithinMinutes > resolveWithinMinutes) {
    throw new DomainError('policy.times', 'invalid', 'An order is acknowledged no later than it is resolved', { pointer: '/acknowledgeWithinMinutes' });
  }
  if (window !== undefined && Date.parse(window.from) >= Date.parse(window.to)) {
    throw new DomainError('policy.window', 'invalid', 'A window begins before it ends', { pointer: '/window' });
  }
  if (state.status === 'set') {
    const { version: _version, ...newest } = state.newest;
    if (sameTerms(newest, wanted)) return [];
  }
  const version = state.status === 'set' ? state.newest.version + 1 : 1;
  return [{ type: 'SlaPolicySet', data: { ...wanted, version } }];
}

function sameTerms(one: Omit<SlaPolicy, 'version'>, other: Omit<SlaPolicy, 'version'>): boolean {
  const sorted = (policy: object) => JSON.stringify(Object.entries(policy).sort(([a], [b]) => (a < b ? -1 : 1)));
  return sorted(one) === sorted(other);
}
