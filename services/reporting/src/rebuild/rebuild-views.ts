import { setTimeout as delay } from 'node:timers/promises';
import { busMigrations, runConsumer, type Bus } from '@sejam/bus';
import { createPool, migrate, postgresMigrations, tx, type Log, type Migrations, type Pool } from '@sejam/postgres';
import { identityMigrations } from '@sejam/service-host';
import { viewHandlers } from '../follow-topics.js';
import { viewMigrations } from './view-migrations.js';

export const reportingMigrations: readonly Migrations[] = [postgresMigrations, viewMigrations, busMigrations, identityMigrations];

export interface Rebuilt {
  readonly events: number;
  readonly seconds: number;
}

/**
 * Builds the views anew from the first offset in a schema beside the old one, which answers meanwhile, and puts it in its place in one
 * transaction. Running instances notice and go on with the new tables. What an operator has skipped stays skipped. Ended at any moment it
 * leaves the old views as they were; the next one begins anew. Throws when another rebuild is running.
 */
export async function rebuildViews({ pool, url, bus, log, onProgress }: { pool: Pool; url: string; bus: Bus; log: Log; onProgress?: (waiting: number) => void }): Promise<Rebuilt> {
  const [live, next, old] = [pool.schema, `${pool.schema}_next`, `${pool.schema}_old`];
  const guard = await pool.checkout();
  const building = createPool({ url, schema: next, statementTimeoutMs: 0, log });
  const startedAt = performance.now();
  try {
    const { rows } = await guard.query<{ got: boolean }>(`SELECT pg_try_advisory_lock(hashtextextended('sejam rebuild ' || $1, 0)) AS got`, [live]);
    if (rows[0]?.got !== true) throw new Error(`Schema ${live} is being rebuilt already`);
    await guard.query(`DROP SCHEMA IF EXISTS ${next} CASCADE`);
    await guard.query(`DROP SCHEMA IF EXISTS ${old} CASCADE`);
    await migrate(building, reportingMigrations);
    await copy(guard, live, next, ['part_of_record', 'skipped_message']);

    const consumer = runConsumer({ bus, pool: building, consumer: 'reporting', handlers: viewHandlers, batchMax: 4_000, log });
    const level = async (): Promise<void> => {
      for (let waiting = Number.NaN; waiting !== 0; ) {
        waiting = Object.values(await consumer.lag()).reduce((sum, lag) => sum + lag, 0);
        onProgress?.(waiting);
        if (waiting !== 0) await delay(100);
      }
    };
    try {
      await level();
      await tx(pool, async (client) => {
        // Whoever handles messages reads this table first, in its transaction: from here on nobody is in the middle of one.
        await client.query('LOCK TABLE inbox_generation IN ACCESS EXCLUSIVE MODE');
        await level();
        await consumer.stop();
        await copyKept(client, live, next);
        await client.query(`ALTER SCHEMA ${live} RENAME TO ${old}`);
        await client.query(`ALTER SCHEMA ${next} RENAME TO ${live}`);
      });
    } finally {
      await consumer.stop();
    }
    await guard.query(`DROP SCHEMA ${old} CASCADE`);
    const handled = await pool.query<{ events: number }>(`SELECT coalesce(sum(revision + 1), 0)::bigint AS events FROM inbox WHERE consumer = 'reporting'`);
    return { events: handled.rows[0]?.events ?? 0, seconds: (performance.now() - startedAt) / 1_000 };
  } finally {
    await building.end();
    // Should this fail, the connection goes and the lock with it, only a little later.
    await guard.query('SELECT pg_advisory_unlock_all()').catch(() => undefined);
    guard.release(true);
  }
}

/** Keys, and how far they were read, are no views of these topics and go over as they are. */
async function copyKept(client: Pick<Pool, 'query'>, from: string, to: string): Promise<void> {
  await copy(client, from, to, ['identity_event', 'identity_heartbeat', 'skipped_message']);
  const identity = `${from}-identity`;
  await client.query(`SELECT setval('${to}.identity_event_seq_seq', greatest(1, (SELECT coalesce(max(seq), 1) FROM ${from}.identity_event)))`);
  await client.query(`INSERT INTO ${to}.inbox SELECT * FROM ${from}.inbox WHERE consumer = $1`, [identity]);
  await client.query(`INSERT INTO ${to}.topic_offset SELECT * FROM ${from}.topic_offset WHERE consumer_group = $1`, [identity]);
  const waiting = 'consumer, stream, sequence, event_id, topic, partition, "offset", key, headers, value, cause, detail, attempts, parked_at';
  await client.query(`INSERT INTO ${to}.parked_message (${waiting}) SELECT ${waiting} FROM ${from}.parked_message WHERE consumer = $1`, [identity]);
}

async function copy(client: Pick<Pool, 'query'>, from: string, to: string, tables: readonly string[]): Promise<void> {
  for (const table of tables) await client.query(`INSERT INTO ${to}.${table} SELECT * FROM ${from}.${table} ON CONFLICT DO NOTHING`);
}
