import { readFileSync } from 'node:fs';
import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import type { AccessRow, Method } from './access.js';
import { describeInputs } from './describe-input.js';

type Schema = Readonly<Record<string, unknown>>;

/** What each address answers where all goes well, made of the code by `npm run generate`. */
export interface Answers {
  /** By `Controller.method`: media type → schema. */
  readonly operations: Readonly<Record<string, Readonly<Record<string, Schema>>>>;
  readonly schemas: Readonly<Record<string, Schema>>;
}

export function readAnswers(file: URL): Answers {
  return JSON.parse(readFileSync(file, 'utf8')) as Answers;
}

interface Asked {
  readonly isWrite: boolean;
  readonly hasBody: boolean;
  readonly hasId: boolean;
  readonly needsKey: boolean;
  readonly isLimited: boolean;
}

/** Problems by status, and where they may be met. */
const problemAnswers: readonly (readonly [status: string, description: string, when: (asked: Asked) => boolean])[] = [
  ['400', 'Malformed', () => true],
  ['401', 'No key, or one that is not known; of a webhook: no signature that holds', ({ isLimited }) => isLimited],
  ['403', 'A key without the role', ({ needsKey }) => needsKey],
  ['404', 'Nothing there, or nothing that this key may see', ({ hasId }) => hasId],
  ['409', 'Contradicts what is recorded', ({ isWrite }) => isWrite],
  ['413', 'Larger than it may be', ({ hasBody }) => hasBody],
  ['415', 'Not JSON', ({ hasBody }) => hasBody],
  ['422', 'Well-formed, but not acceptable', () => true],
  ['429', 'Too many requests; see Retry-After', ({ isLimited }) => isLimited],
  ['503', 'Cannot be done now; see Retry-After', () => true],
];

/** One service's part of the API, from its controllers, their classes' validation rules, and the access table. */
export function openApiOf(app: INestApplication, { service, access, answers }: { service: string; access: readonly AccessRow[]; answers?: Answers }): OpenAPIObject {
  describeInputs();
  const builder = new DocumentBuilder()
    .setTitle(`Sejam: ${service}`)
    .setDescription('Times are RFC 3339 UTC. Errors are RFC 9457 problem documents with a stable `code`.')
    .setVersion('1')
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'A key, sjm_…' }, 'key')
    .build();
  const document = SwaggerModule.createDocument(app, builder, {
    autoTagControllers: false,
    operationIdFactory: (controller, method) => `${service}.${controller.replace(/Controller$/, '')}.${method}`,
  });
  document.components = { ...document.components, schemas: { ...answers?.schemas, ...document.components?.schemas, Problem: problemSchema } };
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const method of ['get', 'post', 'put', 'delete'] as const) {
      const operation = operations[method];
      if (operation === undefined) continue;
      operation.tags = [service];
      const row = access.find((one) => one.method === (method.toUpperCase() as Method) && openApiPath(one.path) === path);
      if (row !== undefined && Array.isArray(row.roles)) {
        operation.security = [{ key: [] }];
        operation.description = [operation.description, `Roles: ${row.roles.join(', ')}.`].filter((part) => part !== undefined && part !== '').join('\n\n');
        if (method !== 'get') operation.parameters = [...(operation.parameters ?? []), idempotencyParameter];
      }
      const content = answers?.operations[(operation.operationId ?? '').slice(service.length + 1)];
      for (const [status, answer] of Object.entries(operation.responses)) {
        if (content !== undefined && status.startsWith('2')) operation.responses[status] = { ...answer, description: 'As asked', content: mediaTypes(content) };
      }
      const asked: Asked = {
        isWrite: method !== 'get', hasBody: operation.requestBody !== undefined, hasId: path.includes('{'),
        needsKey: Array.isArray(row?.roles), isLimited: row !== undefined && row.roles !== 'public',
      };
      for (const [status, description, when] of problemAnswers) {
        if (when(asked)) operation.responses[status] ??= { description, content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } } };
      }
    }
  }
  return document;
}

const mediaTypes = (content: Answers['operations'][string]): Record<string, { schema: Schema }> => Object.fromEntries(Object.entries(content).map(([media, schema]) => [media, { schema }]));

const openApiPath = (path: string): string => path.replaceAll(/:(\w+)/g, '{$1}');

const idempotencyParameter = {
  name: 'Idempotency-Key',
  in: 'header' as const,
  required: false,
  description: 'Makes a retry answer what the first request did',
  schema: { type: 'string', minLength: 1, maxLength: 64 },
};

const problemSchema = {
  type: 'object',
  required: ['type', 'title', 'status', 'code', 'detail', 'requestId'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    code: { type: 'string', description: 'Stable' },
    detail: { type: 'string' },
    errors: {
      type: 'array',
      items: {
        type: 'object',
        required: ['pointer', 'code', 'detail'],
        properties: { pointer: { type: 'string', description: 'RFC 6901, into the body' }, code: { type: 'string' }, detail: { type: 'string' } },
      },
    },
    requestId: { type: 'string' },
  },
};
