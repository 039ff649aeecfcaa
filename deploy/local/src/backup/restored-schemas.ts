import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createPool, migrate, tx, type Client, type Pool } from '@sejam/postgres';
import { countSealed } from '@sejam/privacy';
import { StartFault } from '@sejam/service-host';
import { services } from '../services.js';
import type { Manifest } from './backup-folder.js';
import { keptSchemas } from './kept-schemas.js';
import { readRows } from './kept-rows.js';

const nextOf = (schema: string): string => `${schema}_restoring`;

export interface BuildOptions {
  readonly from: string;
  readonly keysFrom: string;
  readonly main: Manifest;
  /** Of the record, that was put back or kept. */
  readonly events: number;
  readonly keepRecord: boolean;
}

/** Throws StartFault when the database holds schemas of ours. */
export async function refuseSchemas(url: string): Promise<void> {
  await connected(url, 'public', async (pool) => {
    const [schema] = await present(pool);
    if (schema !== undefined) throw new StartFault(`The database has a schema ${schema} already: restore into an empty one, or set aside what is there by --replace`);
  });
}

/**
 * Builds every service's schema beside the one that answers, as it was built when the backup was made, with the kept rows and nothing else. What is
 * left of a restore that was killed is removed first. Resolves with the number of rows.
 */
export async function buildSchemas(url: string, { from, keysFrom, main, events, keepRecord }: BuildOptions): Promise<number> {
  let rows = 0;
  for (const service of services) {
    const { parts, tables, keyTables } = keptSchemas[service];
    const schema = nextOf(service);
    const builtOf = main.schemas[service] ?? {};
    const unknown = Object.keys(builtOf).find((part) => !parts.some((known) => known.part === part));
    if (unknown !== undefined) throw new StartFault(`The backup was made by another version: its schema ${service} has a part ${unknown}, which this one does not know`);
    await connected(url, schema, async (pool) => {
      await pool.query(`DROP SCHEMA IF EXISTS ${schema} CASCADE`);
      await migrate(pool, parts, builtOf);
      rows += await tx(pool, async (client) => {
        let count = 0;
        for (const [folder, names] of [[from, tables], [keysFrom, keyTables]] as const) {
          for (const table of names) {
            const file = join(folder, 'tables', `${service}.${table}.ndjson`);
            if (existsSync(file)) count += await readRows(client, schema, table, file);
          }
        }
        await client.query('INSERT INTO part_of_record (record_id) VALUES ($1)', [main.recordId]);
        if (tables.includes('parked_message')) await holdParked(client);
        if (service === 'audit') await beginLogAgain(client, events, keepRecord ? `The kept tables were put back from a backup of ${main.takenAt} to the record that was there` : `The record was put back from a backup of ${main.takenAt}`);
        return count;
      });
    });
  }
  return rows;
}

/** Under which master keys that lies which was built. */
export async function sealedUnderIds(url: string): Promise<ReadonlySet<string>> {
  return connected(url, 'public', async (pool) => new Set((await countSealed(pool, services.map(nextOf))).map(({ id }) => id)));
}

/** Gives the built schemas their names, all in one transaction, and those that bore them others; resolves with these. */
export async function swapSchemas(url: string, stamp: string): Promise<string[]> {
  return connected(url, 'public', (pool) =>
    tx(pool, async (client) => {
      const old = await present(client);
      const aside = (schema: string): string => `${schema}_replaced_${stamp.toLowerCase()}`;
      for (const schema of old) await client.query(`ALTER SCHEMA ${schema} RENAME TO ${aside(schema)}`);
      for (const service of services) await client.query(`ALTER SCHEMA ${nextOf(service)} RENAME TO ${service}`);
      return old.map((schema) => `schema ${aside(schema)}`);
    }),
  );
}

/** The topics are read again from their first message; a stream that waits for an operator goes on waiting where it did, its earlier messages first. */
async function holdParked(client: Client): Promise<void> {
  await client.query(
    `INSERT INTO inbox (consumer, stream, revision, event_id, held)
     SELECT consumer, stream, -1, '', true FROM parked_message GROUP BY consumer, stream HAVING NOT bool_or(cause = 'history-diverged')`,
  );
}

/**
 * The tree is made again from the record and compared with every checkpoint on the way. Checkpoints over more than the record holds speak of events
 * that are lost: they would stop the log for ever, so they become an alarm that names the newest of them, for whoever holds another piece.
 */
async function beginLogAgain(client: Client, events: number, what: string): Promise<void> {
  await client.query('UPDATE log SET size = 0, commit_position = NULL, prepare_position = NULL');
  await client.query('DELETE FROM cosignature WHERE size > $1', [events]);
  const { rows } = await client.query<{ size: number; note: string }>('WITH gone AS (DELETE FROM signed_checkpoint WHERE size > $1 RETURNING size, note) SELECT size, note FROM gone ORDER BY size DESC', [events]);
  const lost = rows[0] === undefined ? '' : `; ${rows.length} checkpoints had been signed over more, the newest of them:\n${rows[0].note}`;
  await client.query(`INSERT INTO alarm (kind, subject, detail) VALUES ('record-restored', $1, $2)`, [
    new Date().toISOString(),
    `${what}, with ${events} events${lost}`,
  ]);
}

async function present(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>('SELECT nspname AS name FROM pg_namespace WHERE nspname = ANY($1) ORDER BY nspname', [services]);
  return rows.map(({ name }) => name);
}

async function connected<T>(url: string, schema: string, work: (pool: Pool) => Promise<T>): Promise<T> {
  const pool = createPool({ url, schema, max: 2, statementTimeoutMs: 0, applicationName: 'sejam restore' });
  try {
    return await work(pool);
  } finally {
    await pool.end();
  }
}
