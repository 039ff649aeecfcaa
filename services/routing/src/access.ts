import { defineAccess, parkedAccess } from '@sejam/service-host';

const readers = ['reporter', 'reviewer', 'issuer', 'auditor'] as const;
const issuers = ['issuer'] as const;
/** Agencies, auditors and the platform itself; another platform finds nothing here. */
const orderReaders = ['platform', 'reporter', 'reviewer', 'issuer', 'auditor'] as const;
/** An endpoint is managed by the operator or by the platform itself. */
const endpointManagers = { roles: ['platform', 'operator'], ownParameter: 'platform' } as const;

/** Who may do what at routing. Partners see the takedowns that their reports joined; an operator reads no takedown. */
export const routingAccess = defineAccess([
  { method: 'GET', path: '/v1/takedowns', roles: readers },
  { method: 'GET', path: '/v1/takedowns/:id', roles: readers },
  { method: 'POST', path: '/v1/takedowns/:id/clarification', roles: issuers },
  { method: 'POST', path: '/v1/takedowns/:id/withdrawal', roles: issuers },
  { method: 'POST', path: '/v1/takedowns/:id/objection-ruling', roles: ['reviewer'] },
  { method: 'POST', path: '/v1/takedowns/:id/reopening', roles: issuers },
  { method: 'POST', path: '/v1/takedowns/:id/observations', roles: ['issuer', 'reporter'], kinds: ['agency', 'partner'] },
  { method: 'POST', path: '/v1/takedowns/:id/escalations', roles: issuers },
  { method: 'POST', path: '/v1/takedowns/:id/escalations/:n/approval', roles: issuers },
  { method: 'GET', path: '/v1/platforms/:platform/orders', roles: orderReaders, kinds: ['platform', 'agency', 'auditor'], ownParameter: 'platform' },
  { method: 'GET', path: '/v1/platforms/:platform/orders/:orderId', roles: orderReaders, kinds: ['platform', 'agency', 'auditor'], ownParameter: 'platform' },
  { method: 'POST', path: '/v1/platforms/:platform/orders/:orderId/answers', roles: ['platform'], ownParameter: 'platform' },
  { method: 'POST', path: '/v1/platforms/:platform/webhooks', roles: 'signature', limitBy: 'platform' },
  { method: 'GET', path: '/v1/refused-webhooks', roles: ['operator'] },
  { method: 'GET', path: '/v1/platforms/:platform', ...endpointManagers },
  { method: 'PUT', path: '/v1/platforms/:platform/endpoint', ...endpointManagers },
  { method: 'DELETE', path: '/v1/platforms/:platform/endpoint', ...endpointManagers },
  { method: 'POST', path: '/v1/platforms/:platform/endpoint/test', ...endpointManagers },
  { method: 'POST', path: '/v1/platforms/:platform/endpoint/resume', ...endpointManagers },
  { method: 'POST', path: '/v1/platforms/:platform/endpoint/rotation', ...endpointManagers },
  { method: 'PUT', path: '/v1/platforms/:platform/answer-key', ...endpointManagers },
  { method: 'DELETE', path: '/v1/platforms/:platform/answer-key', ...endpointManagers },
  { method: 'GET', path: '/.well-known/sejam-webhook-keys.json', roles: 'public' },
  { method: 'POST', path: '/v1/webhook-keys/rotation', roles: ['operator'] },
  { method: 'GET', path: '/v1/platforms/:platform/messages', roles: orderReaders, kinds: ['platform', 'agency', 'auditor'], ownParameter: 'platform' },
  { method: 'GET', path: '/v1/deliveries', roles: ['operator'] },
  { method: 'POST', path: '/v1/deliveries/:id/retry', roles: ['operator'] },
  ...parkedAccess,
]);
