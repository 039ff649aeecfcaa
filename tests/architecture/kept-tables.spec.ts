import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { keptSchemas } from '../../deploy/local/src/backup/kept-schemas.js';

/** Made again from the record, or of no worth to a service that starts anew. A table stands here or among the kept ones, never in neither. */
const derived: Readonly<Record<string, readonly string[]>> = {
  postgres: ['lease', 'checkpoint', 'part_of_record'],
  bus: ['inbox_generation', 'inbox', 'topic_offset'],
  identity: ['identity_event', 'identity_heartbeat'],
  intake: ['report', 'idempotency_key', 'organisation', 'api_key', 'erasure'],
  takedown: ['takedown', 'takedown_order', 'takedown_request', 'sla_policy'],
  delivery: ['delivery', 'endpoint_sign'],
  'short-link': ['short_link_hold'],
  approval: ['approved_content'],
  sla: ['clock', 'clock_stream', 'sla_policy'],
  reporting: ['takedown', 'placed_order', 'report', 'unroutable_report', 'clock'],
  audit: ['leaf', 'node'],
};

function tablesOf(folder: URL): string[] {
  const sql = readdirSync(folder).filter((file) => file.endsWith('.sql')).map((file) => readFileSync(new URL(file, folder), 'utf8'));
  return sql.flatMap((text) => [...text.matchAll(/^CREATE TABLE (\w+)/gm)].map((match) => match[1] as string));
}

describe('A backup', () => {
  it.each(Object.entries(keptSchemas))('keeps every table of %s that cannot be made again', (_, { parts, tables, keyTables }) => {
    const all = parts.flatMap(({ part, folder }) => tablesOf(folder).map((table) => ({ part, table })));
    expect(all.length).toBeGreaterThan(5);
    const toKeep = all.filter(({ part, table }) => !derived[part]?.includes(table)).map(({ table }) => table);
    expect([...tables, ...keyTables].sort()).toEqual(toKeep.sort());
  });

  it('knows every folder of migrations that a service has', () => {
    for (const [service, { parts }] of Object.entries(keptSchemas)) {
      const folder = new URL(`../../services/${service}/migrations/`, import.meta.url);
      const entries = readdirSync(folder, { withFileTypes: true });
      const own = entries.some((entry) => entry.isFile()) ? [folder] : entries.map((entry) => new URL(`${entry.name}/`, folder));
      expect(parts.map((one) => fileURLToPath(one.folder)).filter((path) => path.startsWith(fileURLToPath(folder))).sort()).toEqual(own.map((url) => fileURLToPath(url)).sort());
    }
  });
});
