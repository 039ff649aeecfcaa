import { defineAccess, type AccessRow } from '@sejam/service-host';

const open = (method: AccessRow['method'], path: string): AccessRow => ({ method, path, roles: 'public' });

/** Public here means that the gateway asks for no key; the service behind asks for the one that its own table names. */
export const gatewayAccess = defineAccess([
  open('GET', '/'),
  open('GET', '/page/:file'),
  open('GET', '/docs'),
  open('GET', '/docs/:file'),
  open('GET', '/openapi.json'),
  open('GET', '/asyncapi.json'),
  open('GET', '/v1/parked'),
  open('POST', '/v1/reports/batch'),
  open('GET', '/v1/*'),
  open('POST', '/v1/*'),
  open('PUT', '/v1/*'),
  open('DELETE', '/v1/*'),
  open('GET', '/board'),
  open('GET', '/.well-known/*'),
]);
