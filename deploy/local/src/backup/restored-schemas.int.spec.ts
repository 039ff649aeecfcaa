import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { listParked, logBus, runConsumer, toEnvelope, type Bus, type Consumer } from '@sejam/bus';
import { memoryEventStore } from '@sejam/event-sourcing/testing';
import { tx, type Pool } from '@sejam/postgres';
import { eventually, testDatabase, type TestDatabase } from '@sejam/testkit';
import type { Manifest } from './backup-folder.js';
import { keptSchemas } from './kept-schemas.js';
import { writeRows } from './kept-rows.js';
import { buildSchemas, refuseSchemas, sealedUnderIds, swapSchemas } from './restored-schemas.js';

const TOPIC = 'sejam.test.v1';

describe('Schemas that are put back', () => {
  let from: string;
  let source: TestDatabase;
  let target: TestDatabase;
  const consumers: Consumer[] = [];

  beforeEach(async () => {
    from = mkdtempSync(join(tmpdir(), 'sejam-put-back-'));
    mkdirSync(join(from, 'tables'));
    [source, target] = await Promise.all([testDatabase(), testDatabase()]);
  });
  afterEach(async () => {
    await Promise.all(consumers.splice(0).map((consumer) => consumer.stop()));
    await Promise.all([source.drop(), target.drop()]);
    rmSync(from, { recursive: true });
  });

  const keep = (pool: Pool, ...tables: string[]): Promise<void> =>
    tx(pool, async (client) => {
      for (const table of tables) await writeRows(client, pool.schema, table, join(from, 'tables', `${pool.schema}.${table}.ndjson`));
    });
  const build = (events = 0): Promise<number> => {
    const main: Manifest = { format: 'sejam-backup@1', part: 'record', backupId: 'b', recordId: 'r', takenAt: '2024-11-27T05:00:00.000Z', store: 'copied', schemas: {}, files: [] };
    return buildSchemas(target.url, { from, keysFrom: from, main, events, keepRecord: false });
  };
  const putBack = async (events = 0): Promise<number> => {
    const rows = await build(events);
    await swapSchemas(target.url, '20241127T050000Z');
    return rows;
  };

  it('have every kept row as it was, whatever it holds, and number new ones behind them', async () => {
    const pool = await source.pool('routing', keptSchemas.routing.parts);
    const odd = 'line\nnext\r\n\u2028 "quoted" \\ ✓ 🗳️ \u0001';
    for (let n = 0; n < 2_500; n += 1) {
      await pool.query(
        `INSERT INTO refused_webhook (platform, webhook_id, code, status, detail, body, first_at, last_at) VALUES ('tiktok', $1, 'answer.too-late', 409, $2, $2, '2024-11-27 05:00:00.123456+00', 'infinity')`,
        [String(n), odd],
      );
    }
    await pool.query(
      `INSERT INTO parked_message (consumer, stream, sequence, event_id, topic, partition, "offset", key, headers, value, cause, detail)
       VALUES ('c', 's', 9007199254740991, 'e', 't', 0, '1', NULL, '{ "zero": "\\u0000",\n "b": 1, "a": 2 }', NULL, 'gap', 'd')`,
    );
    await keep(pool, 'refused_webhook', 'parked_message');
    expect(await putBack()).toBe(2_501);

    const restored = await target.pool('routing');
    const rows = async (from: Pool, table: string) => (await from.query<{ row: string }>(`SELECT (t.*)::text AS row FROM ${table} AS t ORDER BY id`)).rows.map(({ row }) => row);
    for (const table of ['refused_webhook', 'parked_message']) expect(await rows(restored, table)).toEqual(await rows(pool, table));
    const { rows: next } = await restored.query<{ id: number }>(
      `INSERT INTO refused_webhook (platform, webhook_id, code, status, detail, body, first_at, last_at) VALUES ('meta', 'new', 'c', 409, '', '', now(), now()) RETURNING id`,
    );
    expect(next).toEqual([{ id: 2_501 }]);
    expect((await restored.query('SELECT record_id FROM part_of_record')).rows).toEqual([{ record_id: 'r' }]);
  });

  it('hold what an operator has to decide about, and handle what stands before it', async () => {
    const bus: Bus = logBus({ store: memoryEventStore() });
    let beyond = new Set(['a 1']);
    const listen = (pool: Pool): { consumer: Consumer; handled: string[] } => {
      const handled: string[] = [];
      const consumer = runConsumer({
        bus, pool, consumer: 'test',
        handlers: {
          [TOPIC]: {
            kind: 'append',
            async handle({ subject, sequence }) {
              if (beyond.has(`${subject} ${sequence}`)) throw new Error('beyond me');
              handled.push(`${subject} ${sequence}`);
            },
          },
        },
      });
      consumers.push(consumer);
      return { consumer, handled };
    };
    const message = (subject: string, sequence: number) =>
      toEnvelope({ id: `${subject}-${sequence}`, type: 'sejam.test.v1.Happened', source: 'sejam://r/test', subject, time: '2024-11-27T05:00:00.000Z', sequence, correlationId: 'c', causationId: 'c', data: {} });
    const parked = async (pool: Pool) => (await listParked(pool)).map(({ stream, sequence, cause }) => `${stream} ${sequence} ${cause}`).sort();
    await bus.publish(TOPIC, [message('a', 0), message('a', 1), message('b', 0), message('a', 2), message('g', 0), message('g', 2)]);

    const pool = await source.pool('sla', keptSchemas.sla.parts);
    const first = listen(pool);
    await eventually(async () => expect(await parked(pool)).toEqual(['a 1 not-understood', 'a 2 queued', 'g 2 gap']));
    await first.consumer.stop();
    await keep(pool, 'parked_message', 'skipped_message');
    await putBack();

    const restored = await target.pool('sla');
    const second = listen(restored);
    await eventually(() => expect([...second.handled].sort()).toEqual(['a 0', 'b 0', 'g 0']));
    await eventually(async () => expect(await parked(restored)).toEqual(['a 1 not-understood', 'a 2 queued', 'g 2 gap']));
    beyond = new Set();
    await second.consumer.replay((await listParked(restored)).find(({ stream }) => stream === 'a')?.id ?? '');
    await bus.publish(TOPIC, [message('g', 1)]);
    await eventually(async () => expect(await parked(restored)).toEqual([]));
    expect([...second.handled].sort()).toEqual(['a 0', 'a 1', 'a 2', 'b 0', 'g 0', 'g 1', 'g 2']);
    await bus.close();
  });

  it('let the log begin again, with the checkpoints that the record still covers; the newest of the others stands in an alarm', async () => {
    const pool = await source.pool('audit', keptSchemas.audit.parts);
    await pool.query(`INSERT INTO log (origin, vkey, sealed_secret, size, commit_position, prepare_position) VALUES ('sejam/r', 'v', 's', 12, '900', '900')`);
    for (const size of [5, 10, 11, 12]) await pool.query('INSERT INTO signed_checkpoint (size, note) VALUES ($1, $2)', [size, `note of ${size}`]);
    for (const size of [5, 11]) await pool.query(`INSERT INTO cosignature (size, vkey, line) VALUES ($1, 'w', 'l')`, [size]);
    await pool.query(`INSERT INTO witness (vkey, size) VALUES ('w', 11)`);
    await keep(pool, ...keptSchemas.audit.tables);
    await putBack(10);

    const restored = await target.pool('audit');
    expect((await restored.query('SELECT size, commit_position, prepare_position, sealed_secret FROM log')).rows).toEqual([{ size: 0, commit_position: null, prepare_position: null, sealed_secret: 's' }]);
    expect((await restored.query('SELECT size FROM signed_checkpoint ORDER BY size')).rows).toEqual([{ size: 5 }, { size: 10 }]);
    expect((await restored.query('SELECT size FROM cosignature')).rows).toEqual([{ size: 5 }]);
    expect((await restored.query('SELECT size FROM witness')).rows).toEqual([{ size: 11 }]);
    expect((await restored.query<{ detail: string }>('SELECT kind, detail FROM alarm')).rows).toEqual([
      { kind: 'record-restored', detail: 'The record was put back from a backup of 2024-11-27T05:00:00.000Z, with 10 events; 2 checkpoints had been signed over more, the newest of them:\nnote of 12' },
    ]);
  });

  it('tell under which master keys they are sealed before they take their names, whatever those that answer say', async () => {
    const [intake, routing] = [await source.pool('intake', keptSchemas.intake.parts), await source.pool('routing', keptSchemas.routing.parts)];
    await intake.query(`INSERT INTO subject_key VALUES ('s1', 'k1.x'), ('s2', 'k2.x')`);
    await routing.query(`INSERT INTO signing_key VALUES ('sejam-1', 'k1.y')`);
    await keep(intake, 'subject_key');
    await keep(routing, 'signing_key');
    await (await target.pool('routing', keptSchemas.routing.parts)).query(`INSERT INTO signing_key VALUES ('sejam-1', 'k3.y')`);
    await build();
    expect(await sealedUnderIds(target.url)).toEqual(new Set(['k1', 'k2']));
  });

  it('are refused where there are some already, or take their place while those are set aside', async () => {
    const pool = await target.pool('sla', keptSchemas.sla.parts);
    await pool.query(`INSERT INTO skipped_message (consumer, stream, sequence, event_id, operator, reason) VALUES ('c', 's', 1, 'e', 'o', 'r')`);
    await expect(refuseSchemas(target.url)).rejects.toThrow('The database has a schema sla already');
    await putBack();
    expect(await (await target.pool('sla')).query('SELECT FROM skipped_message')).toMatchObject({ rowCount: 0 });
    expect(await (await target.pool('sla_replaced_20241127t050000z')).query('SELECT FROM skipped_message')).toMatchObject({ rowCount: 1 });
  });
});
