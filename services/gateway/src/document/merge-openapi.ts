import { isDeepStrictEqual } from 'node:util';

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
type JsonObject = { [name: string]: Json };

/** The parts of an OpenAPI document that are merged. */
export interface OpenApi {
  openapi: string;
  info: JsonObject;
  paths: { [path: string]: JsonObject };
  components: { schemas: JsonObject; securitySchemes?: JsonObject };
  tags?: JsonObject[];
}

/**
 * One document of many. Two services may give one name to two schemas: then the later one's is `<service>.<name>`, with every reference to it.
 * `reaches` says whether a path of a service is reached by way of this address; others are left out, since they would not be answered.
 */
export function mergeOpenApi(base: OpenApi, parts: Readonly<Record<string, OpenApi>>, reaches: (service: string, path: string) => boolean): OpenApi {
  const merged = structuredClone(base);
  for (const [service, part] of Object.entries(parts)) {
    const renamed = new Map<string, string>();
    for (const [name, schema] of Object.entries(part.components.schemas)) {
      const taken = merged.components.schemas[name];
      if (taken !== undefined && !isDeepStrictEqual(taken, schema)) renamed.set(`#/components/schemas/${name}`, `${service}.${name}`);
    }
    const rewritten = (value: Json): Json => rewriteReferences(value, renamed);
    for (const [name, schema] of Object.entries(part.components.schemas)) {
      merged.components.schemas[renamed.get(`#/components/schemas/${name}`) ?? name] = rewritten(schema);
    }
    merged.components.securitySchemes = { ...part.components.securitySchemes, ...merged.components.securitySchemes };
    for (const [path, operations] of Object.entries(part.paths)) {
      if (reaches(service, path)) merged.paths[path] = { ...merged.paths[path], ...(rewritten(operations) as JsonObject) };
    }
  }
  merged.paths = Object.fromEntries(Object.entries(merged.paths).sort(([one], [other]) => (one < other ? -1 : 1)));
  return merged;
}

function rewriteReferences(value: Json, renamed: ReadonlyMap<string, string>): Json {
  if (renamed.size === 0 || typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((one) => rewriteReferences(one, renamed));
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => {
      const target = name === '$ref' && typeof inner === 'string' ? renamed.get(inner) : undefined;
      return [name, target === undefined ? rewriteReferences(inner, renamed) : `#/components/schemas/${target}`];
    }),
  );
}
