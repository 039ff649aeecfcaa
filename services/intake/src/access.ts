import { defineAccess } from '@sejam/service-host';

const readers = ['reporter', 'reviewer', 'issuer', 'auditor'] as const;
const deciders = ['reviewer'] as const;

/** Who may do what at intake. Partners see their own reports only; an operator reads no report. */
export const intakeAccess = defineAccess([
  { method: 'POST', path: '/v1/reports', roles: ['reporter'] },
  { method: 'POST', path: '/v1/reports/batch', roles: ['reporter'] },
  { method: 'GET', path: '/v1/reports', roles: readers },
  { method: 'GET', path: '/v1/reports/:id', roles: readers },
  { method: 'POST', path: '/v1/reports/:id/approval', roles: deciders },
  { method: 'POST', path: '/v1/reports/:id/decline', roles: deciders },
  { method: 'POST', path: '/v1/reports/decisions', roles: deciders },
  { method: 'POST', path: '/v1/reports/:id/amendment', roles: ['reporter'] },
  { method: 'POST', path: '/v1/reports/:id/withdrawal', roles: ['reporter'] },
  { method: 'POST', path: '/v1/organisations', roles: ['operator'] },
  { method: 'GET', path: '/v1/organisations', roles: ['operator', 'auditor', 'reviewer', 'issuer', 'reporter'], kinds: ['operator', 'auditor', 'agency'] },
  { method: 'POST', path: '/v1/organisations/:id/officers', roles: ['operator'] },
  { method: 'POST', path: '/v1/organisations/:id/keys', roles: ['operator'] },
  { method: 'GET', path: '/v1/organisations/:id/keys', roles: ['operator', 'auditor'] },
  { method: 'POST', path: '/v1/organisations/:id/keys/:keyId/rotation', roles: ['operator'] },
  { method: 'DELETE', path: '/v1/organisations/:id/keys/:keyId', roles: ['operator'] },
  { method: 'POST', path: '/v1/privacy/erasures', roles: ['operator'] },
  { method: 'GET', path: '/v1/privacy/erasures', roles: ['operator', 'auditor'] },
  { method: 'GET', path: '/v1/privacy/erasures/:id', roles: ['operator', 'auditor'] },
  { method: 'POST', path: '/v1/privacy/erasures/:id/confirmation', roles: ['operator'] },
  { method: 'POST', path: '/v1/privacy/erasures/:id/withdrawal', roles: ['operator'] },
]);
