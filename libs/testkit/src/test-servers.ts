import { randomBytes } from 'node:crypto';
import { createPool, migrate, type Migrations, type Pool, type PoolOptions } from '@sejam/postgres';

async function ask<Answer>(path: string): Promise<Answer> {
  const address = process.env['SEJAM_TEST_SERVERS'];
  if (!address) throw new Error('There are no test servers: this must be an *.int.spec.ts or a test under tests/e2e, tests/fault or tests/browser');
  const response = await fetch(`${address}${path}`);
  if (!response.ok) throw new Error(`The test servers cannot give ${path}: ${await response.text()}`);
  return (await response.json()) as Answer;
}

export interface TestDatabase {
  /** With user, password and database. */
  readonly url: string;
  /** A pool on it, with the parts migrated when some are named; ended by `drop`. */
  pool(schema: string, parts?: readonly Migrations[], options?: Partial<PoolOptions>): Promise<Pool>;
  /** Ends the pools and removes the database, whoever is still connected. */
  drop(): Promise<void>;
}

/** A fresh database of the run's PostgreSQL server, for one test file alone: `beforeAll(async () => { database = await testDatabase(); })`. */
export async function testDatabase(): Promise<TestDatabase> {
  const server = await ask<{ url: string }>('/postgres');
  const name = `test_${randomBytes(6).toString('hex')}`;
  const admin = createPool({ url: server.url, schema: 'public', max: 1 });
  await admin.query(`CREATE DATABASE ${name}`);
  const url = new URL(server.url);
  url.pathname = `/${name}`;
  const pools: Pool[] = [];
  return {
    url: url.href,
    async pool(schema, parts, options = {}) {
      const pool = createPool({ url: url.href, schema, ...options });
      pools.push(pool);
      if (parts) await migrate(pool, parts);
      return pool;
    },
    async drop() {
      await Promise.all(pools.splice(0).map((pool) => pool.end()));
      await admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      await admin.end();
    },
  };
}

/**
 * The run's Kafka, started by the first who asks; undefined where this machine can have none, which is said once and is a failure when
 * CI=true: `const kafka = await testKafka(); const onKafka = kafka ? describe : describe.skip` is the one allowed skip.
 */
export async function testKafka(): Promise<{ readonly brokers: readonly string[]; readonly from: string } | undefined> {
  const answer = await ask<{ brokers: string[]; from: string } | { skipped: string }>('/kafka');
  if (!('skipped' in answer)) return answer;
  if (process.env['CI'] === 'true') throw new Error(`In CI Kafka may not be skipped, but ${answer.skipped}`);
  process.stderr.write(`Skipped on Kafka: ${answer.skipped}\n`);
  return undefined;
}

export interface CrashingKafka {
  readonly brokers: readonly string[];
  /** Kills the broker and starts it again on its data after this long; resolves when it answers again. */
  crash(awayMs: number): Promise<void>;
}

/**
 * A Kafka of the test's own that may be killed, from Maven's jars; undefined where these cannot be had, which is said. Skipped without
 * failing in CI where Docker gives the other tests a broker: what it tests is the client, and one machine that tests it is enough.
 */
export async function testCrashingKafka(): Promise<CrashingKafka | undefined> {
  const answer = await ask<{ brokers: string[]; own: number } | { skipped: string }>('/kafka/own');
  if ('skipped' in answer) {
    process.stderr.write(`Skipped on a crashing Kafka: ${answer.skipped}\n`);
    return undefined;
  }
  return { brokers: answer.brokers, crash: async (awayMs) => void (await ask(`/kafka/own/${answer.own}/crash/${awayMs}`)) };
}
