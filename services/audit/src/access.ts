import { defineAccess } from '@sejam/service-host';

const agenciesAndAuditors = { roles: ['reporter', 'reviewer', 'issuer', 'auditor'], kinds: ['agency', 'auditor'] } as const;

/** Nothing here writes. What proves the whole is public; what it says is for agencies and auditors, a receipt for whoever may see its event. */
export const auditAccess = defineAccess([
  { method: 'GET', path: '/v1/audit/checkpoint', roles: 'public' },
  { method: 'GET', path: '/v1/audit/checkpoints', roles: 'public' },
  { method: 'GET', path: '/v1/audit/consistency', roles: 'public' },
  { method: 'GET', path: '/v1/audit/keys', roles: 'public' },
  { method: 'GET', path: '/v1/audit/events', roles: ['auditor'] },
  { method: 'GET', path: '/v1/audit/proofs/:eventId', roles: ['reporter', 'reviewer', 'issuer', 'auditor', 'platform'] },
  { method: 'GET', path: '/v1/audit/takedowns/:id', ...agenciesAndAuditors },
  { method: 'GET', path: '/v1/audit/alarms', roles: ['auditor', 'operator'] },
]);
