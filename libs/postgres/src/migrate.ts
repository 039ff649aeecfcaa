import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { tx, type Pool } from './pool.js';

/** A folder of `NNN-what.sql` files that build one part of a schema; several parts live in one schema beside each other. */
export interface Migrations {
  /** Permanent: what was applied is remembered under it. */
  readonly part: string;
  readonly folder: URL;
}

/** Leases and checkpoints: part of every service's schema. */
export const postgresMigrations: Migrations = { part: 'postgres', folder: new URL('../migrations/', import.meta.url) };

interface Step {
  readonly number: number;
  readonly file: string;
  readonly sql: string;
  readonly checksum: string;
}

async function steps({ part, folder }: Migrations): Promise<Step[]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.sql')).sort();
  return Promise.all(
    files.map(async (file, index) => {
      const number = Number(/^(\d{3})-[a-z0-9-]+\.sql$/.exec(file)?.[1] ?? Number.NaN);
      if (number !== index + 1) throw new Error(`Migrations of ${part}: ${fileURLToPath(new URL(file, folder))} breaks the numbering 001, 002, …`);
      const sql = (await readFile(new URL(file, folder), 'utf8')).replaceAll('\r\n', '\n');
      return { number, file, sql, checksum: createHash('sha256').update(sql).digest('hex') };
    }),
  );
}

/**
 * Brings the pool's schema up to date, creating it if need be; all or nothing per call, and safe for any number of instances at once.
 * Refuses when a file that was applied has changed since, or when the schema is newer than this program's files. `upTo`: stops there in each part
 * that it names, for rows of an older schema.
 */
export async function migrate(pool: Pool, parts: readonly Migrations[], upTo: Readonly<Record<string, number>> = {}): Promise<void> {
  const wanted = await Promise.all(parts.map(async (migrations) => ({ part: migrations.part, steps: await steps(migrations) })));
  await tx(pool, async (client) => {
    await client.query(`SELECT pg_advisory_xact_lock(hashtextextended('sejam migrate ' || $1, 0))`, [pool.schema]);
    await client.query(`CREATE SCHEMA IF NOT EXISTS ${pool.schema}`);
    await client.query(`CREATE TABLE IF NOT EXISTS migration (
      part text NOT NULL, number int NOT NULL, file text NOT NULL, checksum text NOT NULL, applied timestamptz NOT NULL DEFAULT clock_timestamp(),
      PRIMARY KEY (part, number))`);
    const { rows } = await client.query<{ part: string; number: number; file: string; checksum: string }>('SELECT part, number, file, checksum FROM migration');
    const applied = new Map(rows.map((row) => [`${row.part}/${row.number}`, row]));
    for (const { part, steps } of wanted) {
      const newest = Math.max(0, ...rows.filter((row) => row.part === part).map((row) => row.number));
      if (newest > steps.length) throw new Error(`Schema ${pool.schema} was built by a newer version: ${part} is at ${newest}, this program knows ${steps.length}`);
      for (const step of steps.slice(0, upTo[part])) {
        const before = applied.get(`${part}/${step.number}`);
        if (before) {
          if (before.checksum !== step.checksum) throw new Error(`Migration ${part}/${step.file} was changed after it had been applied to schema ${pool.schema}`);
          continue;
        }
        await client.query(step.sql);
        await client.query('INSERT INTO migration (part, number, file, checksum) VALUES ($1, $2, $3, $4)', [part, step.number, step.file, step.checksum]);
      }
    }
  });
}
