import { defineAccess } from '@sejam/service-host';

/** Who may do what at sla. Partners and platforms see due times on the takedowns and orders that are theirs, not here. */
export const slaAccess = defineAccess([
  { method: 'GET', path: '/v1/clocks', roles: ['reporter', 'reviewer', 'issuer', 'auditor', 'operator'], kinds: ['agency', 'auditor', 'operator'] },
  { method: 'GET', path: '/v1/sla-policies', roles: ['reporter', 'reviewer', 'issuer', 'auditor', 'operator', 'platform'] },
  { method: 'PUT', path: '/v1/sla-policies/:id', roles: ['operator'] },
]);
