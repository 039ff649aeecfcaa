import type { OpenApi } from './merge-openapi.js';

const json = (description: string, properties = {}) => ({ description, content: { 'application/json': { schema: { type: 'object', properties } } } });
const problem = (description: string) => ({ description, content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } } });

/** What the gateway answers itself, and what is said of the whole. The services' own documents are merged into it. */
export const gatewayOpenApi: OpenApi = {
  openapi: '3.0.0',
  info: {
    title: 'Sejam',
    version: '1',
    description:
      'Reports of election-related content become signed orders to the platform that carries it, a clock runs, and every step stays on the record.\n\n' +
      'Send a key as `Authorization: Bearer sjm_…`. Times are RFC 3339 UTC. Errors are RFC 9457 problem documents with a stable `code`. Lists answer `{items, next?}`; give `next` back as `cursor`. ' +
      '`Idempotency-Key` on any POST, PUT or DELETE makes a retry answer what the first request did. Bodies are at most 1 MiB, a batch 8 MiB. Topics and webhooks: `/asyncapi.json`.',
    license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
  },
  tags: [
    { name: 'intake', description: 'Reports, decisions, organisations and keys' },
    { name: 'routing', description: 'Takedowns, orders, platforms and their webhooks' },
    { name: 'sla', description: 'Clocks and policies' },
    { name: 'reporting', description: 'Board, statistics, exports and the events feed' },
    { name: 'audit', description: 'Checkpoints, proofs and replay' },
    { name: 'gateway', description: 'The address in front of all of them' },
  ],
  paths: {
    '/health/live': { get: { operationId: 'gateway.live', tags: ['gateway'], summary: 'The gateway runs', responses: { '200': json('It does') } } },
    '/health/ready': {
      get: {
        operationId: 'gateway.ready',
        tags: ['gateway'],
        summary: 'Whether every service can answer requests now; `parts` says what each said of itself',
        responses: { '200': json('Ready, or `degraded`: late, but able'), '503': json('Not ready; `missing` says why') },
      },
    },
    '/v1/parked': {
      get: {
        operationId: 'gateway.parked',
        tags: ['gateway'],
        summary: 'Messages that could not be handled, of every service; ids are `<service>:<id>`',
        security: [{ key: [] }],
        parameters: [
          { name: 'cursor', in: 'query', required: false, schema: { type: 'string' } },
          { name: 'limit', in: 'query', required: false, description: 'Of each service', schema: { type: 'integer', minimum: 1, maximum: 200 } },
        ],
        responses: {
          '200': json('`items`, `next` where there are more, `unavailable` where services did not answer', {
            items: { type: 'array', items: { $ref: '#/components/schemas/ParkedMessage' } }, next: { type: 'string' }, unavailable: { type: 'array', items: { type: 'string' } },
          }),
          '401': problem('No key, or one that is not known'),
          '403': problem('A key without the role'),
        },
      },
    },
  },
  components: {
    schemas: {},
    securitySchemes: { key: { type: 'http', scheme: 'bearer', description: 'A key, sjm_…' } },
  },
};
