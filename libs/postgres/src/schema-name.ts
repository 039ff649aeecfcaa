/**
 * A schema name that needs no quoting, so that it can stand in SQL text and in connection options.
 * Throws on anything else: the name comes from configuration, never from a request.
 */
export function schemaName(name: string): string {
  if (!/^[a-z][a-z0-9_]{0,50}$/.test(name)) throw new Error(`"${name}" is no schema name: lower-case letters, digits and _, at most 51`);
  return name;
}
