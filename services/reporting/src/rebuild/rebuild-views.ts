import { busMigrations, rebuild, type Bus } from '@sejam/bus';
import { postgresMigrations, type Client, type Log, type Migrations, type Pool } from '@sejam/postgres';
import { identityMigrations } from '@sejam/service-host';
import { viewHandlers } from '../follow-topics.js';
import { viewMigrations } from './view-migrations.js';

export const reportingMigrations: readonly Migrations[] = [postgresMigrations, viewMigrations, busMigrations, identityMigrations];

export interface Rebuilt {
  readonly events: number;
  readonly seconds: number;
}

/** Builds the views anew beside the old ones, which answer meanwhile, as `rebuild` promises. Throws when another rebuild is running. */
export async function rebuildViews({ pool, url, bus, log, onProgress }: { pool: Pool; url: string; bus: Bus; log: Log; onProgress?: (waiting: number) => void }): Promise<Rebuilt> {
  const startedAt = performance.now();
  const { messages } = await rebuild({
    pool, url, bus, log, parts: reportingMigrations, consumer: 'reporting', handlers: viewHandlers, batchMax: 4_000, carryOver,
    ...(onProgress === undefined ? {} : { onProgress }),
  });
  return { events: messages, seconds: (performance.now() - startedAt) / 1_000 };
}

/** Keys, and how far they were read, are no views of these topics and go over as they are. */
async function carryOver(client: Client, from: string, to: string): Promise<void> {
  await copy(client, from, to, ['part_of_record', 'identity_event', 'identity_heartbeat']);
  const identity = `${from}-identity`;
  await client.query(`SELECT setval('${to}.identity_event_seq_seq', greatest(1, (SELECT coalesce(max(seq), 1) FROM ${from}.identity_event)))`);
  await client.query(`INSERT INTO ${to}.inbox SELECT * FROM ${from}.inbox WHERE consumer = $1`, [identity]);
  await client.query(`INSERT INTO ${to}.topic_offset SELECT * FROM ${from}.topic_offset WHERE consumer_group = $1`, [identity]);
  const waiting = 'consumer, stream, sequence, event_id, topic, partition, "offset", key, headers, value, cause, detail, attempts, parked_at';
  await client.query(`INSERT INTO ${to}.parked_message (${waiting}) SELECT ${waiting} FROM ${from}.parked_message WHERE consumer = $1`, [identity]);
}

async function copy(client: Client, from: string, to: string, tables: readonly string[]): Promise<void> {
  for (const table of tables) await client.query(`INSERT INTO ${to}.${table} SELECT * FROM ${from}.${table} ON CONFLICT DO NOTHING`);
}
