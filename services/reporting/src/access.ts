import { defineAccess, parkedAccess } from '@sejam/service-host';

const readers = ['reporter', 'reviewer', 'issuer', 'auditor'] as const;
/** Platforms and partners find what is theirs. */
const boardReaders = [...readers, 'operator', 'platform'] as const;
const statisticsReaders = [...readers, 'operator'] as const;
const notPartners = ['agency', 'auditor', 'operator'] as const;

/** Who may read what at reporting. It changes nothing in the record; an operator decides what becomes of messages that wait. */
export const reportingAccess = defineAccess([
  { method: 'GET', path: '/board', roles: 'public' },
  { method: 'GET', path: '/v1/board', roles: boardReaders },
  { method: 'GET', path: '/v1/board/stream', roles: boardReaders },
  { method: 'GET', path: '/v1/reports/:id/outcome', roles: readers },
  { method: 'GET', path: '/v1/statistics/compliance', roles: statisticsReaders, kinds: notPartners },
  { method: 'GET', path: '/v1/statistics/volume', roles: statisticsReaders, kinds: notPartners },
  { method: 'GET', path: '/v1/exports/takedowns.csv', roles: [...readers, 'platform'] },
  { method: 'GET', path: '/v1/exports/takedowns.ndjson', roles: [...readers, 'platform'] },
  { method: 'GET', path: '/v1/transparency/:period', roles: 'public' },
  { method: 'GET', path: '/v1/events', roles: ['consumer'] },
  ...parkedAccess,
]);
