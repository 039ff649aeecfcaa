import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import type { AccessRow, Method } from './access.js';
import { describeInputs } from './describe-input.js';

const problemAnswers: Readonly<Record<string, string>> = {
  '400': 'Malformed',
  '401': 'No key, or one that is not known',
  '403': 'A key without the role',
  '404': 'Nothing there, or nothing that this key may see',
  '409': 'Contradicts what is recorded',
  '422': 'Well-formed, but not acceptable',
  '429': 'Too many requests; see Retry-After',
  '503': 'Cannot be stored now; see Retry-After',
};

/** One service's part of the API, from its controllers, their classes' validation rules, and the access table. */
export function openApiOf(app: INestApplication, { service, access }: { service: string; access: readonly AccessRow[] }): OpenAPIObject {
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
  document.components = { ...document.components, schemas: { ...document.components?.schemas, Problem: problemSchema } };
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
      for (const [status, description] of Object.entries(problemAnswers)) {
        operation.responses[status] ??= { description, content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } } };
      }
    }
  }
  return document;
}

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
