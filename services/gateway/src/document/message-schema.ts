import { ScalarType, type DescField, type DescMessage } from '@bufbuild/protobuf';

export type JsonSchema = { readonly [keyword: string]: unknown };

/** ProtoJSON of each scalar kind: 64-bit numbers are strings, bytes are base64. */
const scalars: Readonly<Partial<Record<ScalarType, JsonSchema>>> = {
  [ScalarType.STRING]: { type: 'string' },
  [ScalarType.BOOL]: { type: 'boolean' },
  [ScalarType.INT32]: { type: 'integer' },
  [ScalarType.UINT32]: { type: 'integer', minimum: 0 },
  [ScalarType.INT64]: { type: 'string', pattern: '^-?[0-9]+$' },
  [ScalarType.UINT64]: { type: 'string', pattern: '^[0-9]+$' },
  [ScalarType.DOUBLE]: { type: 'number' },
  [ScalarType.FLOAT]: { type: 'number' },
  [ScalarType.BYTES]: { type: 'string', contentEncoding: 'base64' },
};

/**
 * The JSON Schema of a message as the topics carry it: ProtoJSON in which every field without presence is written out, so it is required. Fields
 * that a later version adds are no fault, so more are allowed. Throws on a kind of field that no message of ours has yet.
 */
export function schemaOfMessage(message: DescMessage): JsonSchema {
  const required = message.fields.filter((field) => field.fieldKind === 'list' || (field.fieldKind === 'scalar' && !field.proto.proto3Optional)).map(({ jsonName }) => jsonName);
  return {
    type: 'object',
    ...(required.length === 0 ? {} : { required }),
    properties: Object.fromEntries(message.fields.map((field) => [field.jsonName, schemaOfField(field)])),
  };
}

function schemaOfField(field: DescField): JsonSchema {
  if (field.fieldKind === 'scalar') return schemaOfScalar(field, field.scalar);
  if (field.fieldKind === 'message') return schemaOfMessage(field.message);
  if (field.fieldKind === 'list' && field.listKind === 'scalar') return { type: 'array', items: schemaOfScalar(field, field.scalar) };
  if (field.fieldKind === 'list' && field.listKind === 'message') return { type: 'array', items: schemaOfMessage(field.message) };
  throw new Error(`${field.toString()} is of a kind that the AsyncAPI document does not describe`);
}

function schemaOfScalar(field: DescField, scalar: ScalarType): JsonSchema {
  const schema = scalars[scalar];
  if (schema === undefined) throw new Error(`${field.toString()} is of a kind that the AsyncAPI document does not describe`);
  return schema;
}
