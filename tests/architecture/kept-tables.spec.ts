import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { sealedSubjectKeys, type SealedColumn } from '@sejam/privacy';
import { keptSchemas } from '../../deploy/local/src/backup/kept-schemas.js';
import { sealedLogKey } from '../../services/audit/src/log/log-key.js';
import { sealedOfficerNames } from '../../services/intake/src/organisation/officer-names.js';
import { sealedWebhookSecrets } from '../../services/routing/src/platform/webhook-secrets.js';
import { sealedSigningKeys } from '../../services/routing/src/signing-key/signing-keys.js';

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

function migrationsIn(folder: URL): string[] {
  return readdirSync(folder).filter((file) => file.endsWith('.sql')).map((file) => readFileSync(new URL(file, folder), 'utf8'));
}

function tablesIn(sql: string): string[] {
  return [...sql.matchAll(/^CREATE TABLE (\w+)/gm)].map((match) => match[1] as string);
}

/** Each service's own list, by which it seals anew at its start under another master key. */
const sealed: Readonly<Record<string, readonly SealedColumn[]>> = {
  intake: [sealedSubjectKeys, sealedOfficerNames],
  routing: [sealedWebhookSecrets, sealedSigningKeys],
  audit: [sealedLogKey],
};

/** In new tables and in columns that are added later. */
function sealedColumnsIn(sql: string): string[] {
  const created = [...sql.matchAll(/^CREATE TABLE (\w+) \(([^]*?)^\);/gm)].flatMap(([, table, body = '']) => [...body.matchAll(/^ +(sealed\w*) /gm)].map(([, column]) => `${table}.${column}`));
  const added = [...sql.matchAll(/^ALTER TABLE (\w+)([^;]*);/gm)].flatMap(([, table, body = '']) => [...body.matchAll(/\b(?:ADD COLUMN|RENAME \w+ TO) +(sealed\w*)/g)].map(([, column]) => `${table}.${column}`));
  return [...created, ...added];
}

describe('A column that the master key seals', () => {
  it.each(Object.entries(keptSchemas))('of %s lies in a table that is kept, and is sealed anew at the start', (service, { parts, tables, keyTables }) => {
    const found = parts.flatMap(({ folder }) => migrationsIn(folder).flatMap(sealedColumnsIn));
    expect((sealed[service] ?? []).map(({ table, column }) => `${table}.${column}`).sort()).toEqual(found.sort());
    for (const name of found) expect([...tables, ...keyTables]).toContain(name.split('.')[0]);
    const main = readFileSync(new URL(`../../services/${service}/src/main.ts`, import.meta.url), 'utf8');
    expect(main.includes('resealAll(')).toBe(found.length > 0);
  });

  it('is seen wherever a migration brings it', () => {
    expect(sealedColumnsIn('CREATE TABLE a (\n  id int,\n  sealed bytea NOT NULL\n);\nALTER TABLE b\n  ADD COLUMN name text,\n  ADD COLUMN sealed_name bytea;\nALTER TABLE c RENAME secret TO sealed_secret;\n')).toEqual(['a.sealed', 'b.sealed_name', 'c.sealed_secret']);
  });
});

describe('A backup', () => {
  it.each(Object.entries(keptSchemas))('keeps every table of %s that cannot be made again', (_, { parts, tables, keyTables }) => {
    const all = parts.flatMap(({ part, folder }) => migrationsIn(folder).flatMap(tablesIn).map((table) => ({ part, table })));
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
