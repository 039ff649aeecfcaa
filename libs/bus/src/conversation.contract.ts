import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import type { NewEvent } from '@sejam/event-sourcing';
import { postgresMigrations, type Migrations, type Pool } from '@sejam/postgres';
import { eventually, testDatabase, testEventStore, type TestDatabase, type TestEventStore } from '@sejam/testkit';
import { busMigrations, countHeldStreams, listParked, rebuild, runConsumer, runPublisher, toEnvelope, type Bus, type Consumer, type ConsumerOptions, type ViewHandler } from './index.js';
import { message } from './bus.contract.js';

let rounds = 0;

/** From the record of one service to the rows of another, over either bus, with what goes wrong on the way. */
export function conversationContract(kind: Bus['kind'], open: (record: TestEventStore) => Promise<Bus>): void {
  describe(`A conversation over a ${kind} bus`, () => {
    let database: TestDatabase;
    let record: TestEventStore;
    let folder: string;
    let parts: Migrations[];
    let pool: Pool;
    let topic: string;
    let prefix: string;
    const buses: Bus[] = [];
    const running: { stop(): Promise<void> }[] = [];
    const poison = new Set<string>();

    const another = async (): Promise<Bus> => {
      const bus = await open(record);
      buses.push(bus);
      return bus;
    };
    beforeAll(async () => {
      [database, record, folder] = await Promise.all([testDatabase(), testEventStore(), mkdtemp(join(tmpdir(), 'sejam-conversation-'))]);
      await writeFile(join(folder, '001-thing.sql'), 'CREATE TABLE thing (stream text, number int, PRIMARY KEY (stream, number))');
      parts = [postgresMigrations, busMigrations, { part: 'thing', folder: pathToFileURL(`${folder}/`) }];
    }, 120_000);
    afterAll(async () => {
      await Promise.all(buses.map((bus) => bus.close()));
      await Promise.all([record.stop(), database.drop(), rm(folder, { recursive: true })]);
    });
    beforeEach(async () => {
      poison.clear();
      const n = ++rounds;
      topic = `test.conversation-${process.pid}-${Date.now()}-${n}.v1`;
      prefix = `thing${n}-`;
      pool = await database.pool(`listener_${n}`, parts);
      const teller = await database.pool(`teller_${n}`, [postgresMigrations]);
      const bus = await another();
      await bus.ensureTopics([topic]);
      running.push(
        runPublisher({
          store: record.store,
          bus,
          pool: teller,
          service: 'things',
          recordId: 'r1',
          topics: { [prefix]: topic },
          leaseTtlMs: 1_500,
          word: (events) => events.map(({ type, data }) => ({ type: `sejam.things.v1.${type}`, data })),
        }),
      );
    });
    afterEach(async () => {
      await Promise.all(running.splice(0).map((one) => one.stop()));
    });

    /** Fails on a message that was handled before: the rows themselves check that each counts once. */
    const view: ViewHandler = {
      kind: 'view',
      async handle(client, messages) {
        const rows = messages.map(({ subject, data }) => ({ stream: subject.slice(prefix.length), number: Number(data['number']) }));
        await client.query('INSERT INTO thing SELECT * FROM unnest($1::text[], $2::int[])', [rows.map(({ stream }) => stream), rows.map(({ number }) => number)]);
        const bad = rows.find(({ stream, number }) => poison.has(`${stream} ${number}`));
        if (bad) throw new Error(`${bad.stream} ${bad.number} is beyond me`);
      },
    };
    const listen = async (further: Partial<ConsumerOptions> = {}): Promise<Consumer> => {
      const consumer = runConsumer({ bus: await another(), pool, consumer: 'listener', handlers: { [topic]: view }, ...further });
      running.push(consumer);
      return consumer;
    };
    const happen = async (stream: string, from: number, count = 1): Promise<void> => {
      const events = Array.from({ length: count }, (_, index) => happened(from + index));
      await record.store.append(`${prefix}${stream}`, events, from === 0 ? 'no-stream' : from - 1);
    };
    const rows = async (): Promise<string[]> => {
      const found = await pool.query<{ stream: string; number: number }>('SELECT * FROM thing ORDER BY stream, number');
      return found.rows.map(({ stream, number }) => `${stream} ${number}`);
    };
    const expected = (streams: Record<string, number>): string[] =>
      Object.entries(streams).sort().flatMap(([stream, count]) => Array.from({ length: count }, (_, number) => `${stream} ${number}`));

    it('brings every event into the rows once, with two listeners and a record that restarts', async () => {
      await listen();
      await listen();
      for (const stream of ['a', 'b', 'c', 'd', 'e']) await happen(stream, 0, 20);
      await eventually(async () => expect(await rows()).toEqual(expected({ a: 20, b: 20, c: 20, d: 20, e: 20 })), { withinMs: 30_000 });
      await record.restart();
      for (const stream of ['a', 'b', 'c', 'd', 'e']) await eventually(() => happen(stream, 20, 5));
      await eventually(async () => expect(await rows()).toEqual(expected({ a: 25, b: 25, c: 25, d: 25, e: 25 })), { withinMs: 30_000 });
      expect(await listParked(pool)).toEqual([]);
    }, 70_000);

    it('counts each event once although the listeners\' database connections break again and again', async () => {
      await listen({ batchMax: 7 });
      await listen({ batchMax: 7 });
      for (let round = 0; round < 8; round++) {
        for (const stream of ['a', 'b', 'c']) await happen(stream, round * 5, 5);
        await pool.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND pid <> pg_backend_pid()', [`sejam ${pool.schema}`]);
      }
      await eventually(async () => expect(await rows()).toEqual(expected({ a: 40, b: 40, c: 40 })), { withinMs: 40_000 });
      expect(await listParked(pool)).toEqual([]);
    }, 60_000);

    it('holds the stream of a poisoned message alone, and replay repairs it', async () => {
      poison.add('b 2');
      const consumer = await listen();
      for (const stream of ['a', 'b', 'c']) await happen(stream, 0, 5);
      await eventually(async () => expect(await rows()).toEqual(expected({ a: 5, b: 2, c: 5 })), { withinMs: 30_000 });
      await eventually(async () => expect(await listParked(pool)).toHaveLength(3));
      expect(await countHeldStreams(pool)).toBe(1);
      poison.clear();
      await consumer.replay((await listParked(pool))[0]!.id);
      expect(await rows()).toEqual(expected({ a: 5, b: 5, c: 5 }));
      await happen('b', 5);
      await eventually(async () => expect(await rows()).toEqual(expected({ a: 5, b: 6, c: 5 })));
    }, 40_000);

    it('is made up for in order, by itself, when a listener starts that knows what an older one did not', async () => {
      const knowing = (types: readonly string[]): ViewHandler => ({
        kind: 'view',
        async handle(client, messages) {
          for (const { type } of messages) if (!types.includes(type)) throw new Error(`${type} is news to me`);
          await view.handle(client, messages);
        },
      });
      const older = await listen({ handlers: { [topic]: knowing(['sejam.things.v1.Happened']) } });
      for (const stream of ['a', 'b']) await happen(stream, 0, 2);
      await record.store.append(`${prefix}b`, [{ ...happened(2), type: 'HappenedOtherwise' }], 1);
      for (const stream of ['a', 'b']) await happen(stream, stream === 'a' ? 2 : 3, 2);
      await eventually(async () => expect((await listParked(pool)).map(({ stream, sequence, cause }) => `${stream} ${sequence} ${cause}`)).toEqual([`${prefix}b 2 not-understood`, `${prefix}b 3 queued`, `${prefix}b 4 queued`]), { withinMs: 30_000 });
      await eventually(async () => expect(await rows()).toEqual(expected({ a: 4, b: 2 })));
      await older.replay((await listParked(pool))[0]!.id);
      expect(await listParked(pool)).toMatchObject([{ sequence: 2, cause: 'not-understood', attempts: 2 }, { sequence: 3 }, { sequence: 4 }]);
      await older.stop();

      await happen('b', 5);
      await listen({ handlers: { [topic]: knowing(['sejam.things.v1.Happened', 'sejam.things.v1.HappenedOtherwise']) } });
      await eventually(async () => expect(await rows()).toEqual(expected({ a: 4, b: 6 })), { withinMs: 30_000 });
      expect(await listParked(pool)).toEqual([]);
      expect(await countHeldStreams(pool)).toBe(0);
    }, 60_000);

    it('is read from the first offset again by a listener that lost its tables', async () => {
      const consumer = await listen();
      await happen('a', 0, 10);
      await eventually(async () => expect(await rows()).toHaveLength(10), { withinMs: 30_000 });
      await consumer.stop();
      await pool.query(`DROP SCHEMA ${pool.schema} CASCADE`);
      pool = await database.pool(pool.schema, parts);
      await listen();
      await happen('a', 10);
      await eventually(async () => expect(await rows()).toEqual(expected({ a: 11 })), { withinMs: 30_000 });
    }, 50_000);

    it('can be rebuilt into a second schema while the first answers and events go on, obeying what operators have skipped', async () => {
      const consumer = await listen();
      await happen('a', 0, 60);
      await happen('b', 0, 60);
      await eventually(async () => expect(await rows()).toHaveLength(120), { withinMs: 30_000 });
      poison.add('c 1');
      await happen('c', 0, 3);
      const [parked] = await eventually(async () => {
        const waiting = await listParked(pool);
        return waiting.length === 2 ? waiting : (false as const);
      });
      await consumer.skip(parked!.id, { operator: 'sejam:operator', reason: 'Never needed' });
      await pool.query(`INSERT INTO thing VALUES ('made up', 1)`);

      let number = 60;
      let going = true;
      const happening = (async () => {
        while (going) await happen('a', number++);
      })();
      const { messages } = await rebuild({ bus: await another(), pool, url: database.url, parts, consumer: 'listener', handlers: { [topic]: view } });
      going = false;
      await happening;
      expect(messages).toBeGreaterThanOrEqual(122);
      await eventually(async () => expect(await rows()).toEqual([...expected({ a: number, b: 60 }), 'c 0', 'c 2']), { withinMs: 30_000 });
      await happen('b', 60);
      await eventually(async () => expect(await rows()).toContain('b 60'));
      expect(await listParked(pool)).toEqual([]);
      expect((await pool.query('SELECT nspname FROM pg_namespace WHERE nspname LIKE $1', [`${pool.schema}%`])).rows).toEqual([{ nspname: pool.schema }]);
    }, 90_000);

    it('lets the others go on when somebody writes rubbish into the topic', async () => {
      await listen();
      const bus = await another();
      await bus.publish(topic, [{ key: 'rubbish', headers: {}, value: 'x' }, toEnvelope({ ...message('nobody', 0), type: '' })]);
      await happen('a', 0, 3);
      await eventually(async () => expect(await rows()).toEqual(expected({ a: 3 })), { withinMs: 30_000 });
      await eventually(async () => expect((await listParked(pool)).map(({ stream, cause }) => `${stream} ${cause}`).sort()).toEqual(['nobody not-understood', 'rubbish not-understood']));
    }, 40_000);
  });
}

function happened(number: number): NewEvent {
  return {
    id: uuidv7(),
    type: 'Happened',
    data: { number },
    metadata: { at: '2024-11-27T05:00:00.000Z', by: { organisation: 'kpu', holder: 'officer' }, causationId: `request:kpu:${number}`, correlationId: 'correlation' },
  };
}
