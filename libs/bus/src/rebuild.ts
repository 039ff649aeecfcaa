import { setTimeout as delay } from 'node:timers/promises';
import { createPool, migrate, tx, type Client, type Migrations, type Pool } from '@sejam/postgres';
import { isTransient } from './failure.js';
import { runConsumer, type Consumer, type ConsumerOptions } from './consumer.js';

export interface RebuildOptions extends Pick<ConsumerOptions, 'bus' | 'consumer' | 'handlers' | 'batchMax' | 'log'> {
  /** The schema that answers now. All its tables must follow from the topics, save the skipped messages and what `carryOver` takes along. */
  readonly pool: Pool;
  /** Of the database, for a second pool of the same kind. */
  readonly url: string;
  /** What the schema is built of. */
  readonly parts: readonly Migrations[];
  /** Gives up and leaves everything as it is. */
  readonly signal?: AbortSignal;
  /** Takes along what does not follow from these topics, from one schema to the other; within the transaction that puts the new one in place. */
  carryOver?(client: Client, from: string, to: string): Promise<void>;
  /** How many messages wait, now and then. */
  onProgress?(waiting: number): void;
}

/**
 * Builds the views of a schema anew from the first offset of their topics, in a second schema, while the old one goes on answering and
 * following; then the new one takes its name in one transaction, and consumers of the old, in any instance, begin with the new by
 * themselves. Resolves with the number of messages handled. For view handlers alone. Two rebuilds at once are refused.
 */
export async function rebuild(options: RebuildOptions): Promise<{ readonly messages: number }> {
  const { pool: live, signal, log, onProgress } = options;
  const [schema, nextSchema, oldSchema] = [live.schema, `${live.schema}_next`, `${live.schema}_old`];
  for (const [topic, handler] of Object.entries(options.handlers)) {
    if (handler.kind !== 'view') throw new Error(`A rebuild of ${schema} would append again because of ${topic}`);
  }
  const next = createPool({ url: options.url, schema: nextSchema, statementTimeoutMs: 0, planEachTime: true, applicationName: `sejam rebuild ${schema}` });
  const guard = await live.checkout();
  let consumer: Consumer | undefined;
  let messages = 0;
  try {
    const { rows } = await guard.query<{ free: boolean }>(`SELECT pg_try_advisory_lock(hashtextextended('sejam rebuild ' || $1, 0)) AS free`, [schema]);
    if (!rows[0]?.free) throw new Error(`Schema ${schema} is being rebuilt already`);
    await live.query(`DROP SCHEMA IF EXISTS ${nextSchema}, ${oldSchema} CASCADE`);
    await migrate(next, options.parts);
    await carrySkips(live, schema, nextSchema);
    const counted = Object.entries(options.handlers).map(([topic, handler]) => {
      if (handler.kind !== 'view') throw new Error('unreachable: refused above');
      const handle = async (client: Client, batch: Parameters<typeof handler.handle>[1]): Promise<void> => {
        await handler.handle(client, batch);
        messages += batch.length;
      };
      return [topic, { kind: 'view', handle }] as const;
    });
    consumer = runConsumer({ ...options, pool: next, handlers: Object.fromEntries(counted) });
    const current = consumer;
    log?.info({ schema }, 'Rebuilding views from the first offset');
    await readToEnd(current, signal, onProgress);

    await tx(live, async (client) => {
      // Consumers of the old tables wait here, then see that the generation has changed; so nothing is told to the old in vain.
      await client.query(`LOCK TABLE ${schema}.inbox_generation IN ACCESS EXCLUSIVE MODE`);
      await readToEnd(current, signal);
      await current.stop();
      await carrySkips(client, schema, nextSchema);
      await options.carryOver?.(client, schema, nextSchema);
      await client.query(`ALTER SCHEMA ${schema} RENAME TO ${oldSchema}`);
      await client.query(`ALTER SCHEMA ${nextSchema} RENAME TO ${schema}`);
    });
    await live.query(`DROP SCHEMA ${oldSchema} CASCADE`);
    log?.info({ schema, messages }, 'Rebuilt views answer now');
    return { messages };
  } finally {
    await consumer?.stop();
    await next.end();
    // Should this fail, the connection goes and the lock with it, only a little later.
    await guard.query(`SELECT pg_advisory_unlock_all()`).catch(() => {});
    guard.release(true);
  }
}

/** What operators have decided belongs to no schema's life. */
async function carrySkips(client: Client, from: string, to: string): Promise<void> {
  await client.query(`INSERT INTO ${to}.skipped_message SELECT * FROM ${from}.skipped_message ON CONFLICT DO NOTHING`);
}

/** What keeps coming while others publish, and follows in the new tables within a moment. */
const momentsWorth = 100;
const patienceMs = 1_000;

/** To the very end; or, where others publish so steadily that there is no such moment, to within a moment's worth of messages of it. */
async function readToEnd(consumer: Consumer, signal: AbortSignal | undefined, onProgress?: (waiting: number) => void): Promise<void> {
  for (const startedAt = performance.now(); ; ) {
    signal?.throwIfAborted();
    const behind = await consumer.lag().catch((error: unknown) => {
      if (!isTransient(error)) throw error;
      return { unknown: Number.NaN };
    });
    onProgress?.(Object.values(behind).reduce((sum, count) => sum + count, 0));
    const near = performance.now() - startedAt > patienceMs ? momentsWorth : 0;
    if (Object.values(behind).every((count) => count <= near)) return;
    await delay(50);
  }
}
