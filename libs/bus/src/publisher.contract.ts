import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import type { NewEvent } from '@sejam/event-sourcing';
import { createPool, postgresMigrations, readCheckpoint, type Pool } from '@sejam/postgres';
import { eventually, testDatabase, testEventStore, type TestDatabase, type TestEventStore } from '@sejam/testkit';
import { all, label } from './bus.contract.js';
import { fromEnvelope, isHeartbeat, runPublisher, type Bus, type Publisher, type PublisherOptions, type ReceivedEnvelope } from './index.js';

let topics = 0;

/** What a publisher promises on either adapter; `open` gives a bus on the same broker or on `record`. */
export function publisherContract(kind: Bus['kind'], open: (record: TestEventStore) => Promise<Bus>): void {
  describe(`A publisher on a ${kind} bus`, () => {
    let database: TestDatabase;
    let record: TestEventStore;
    let bus: Bus;
    let pool: Pool;
    let topic: string;
    let prefix: string;
    const publishers: Publisher[] = [];

    beforeAll(async () => {
      [database, record] = await Promise.all([testDatabase(), testEventStore()]);
      bus = await open(record);
    }, 120_000);
    afterAll(async () => {
      await bus?.close();
      await Promise.all([record?.stop(), database?.drop()]);
    });
    beforeEach(async () => {
      const n = ++topics;
      topic = `test.publisher-${process.pid}-${Date.now()}-${n}.v1`;
      prefix = `thing${n}-`;
      pool = await database.pool(`publisher_${n}`, [postgresMigrations]);
      await bus.ensureTopics([topic]);
    });
    afterEach(async () => {
      await Promise.all(publishers.splice(0).map((publisher) => publisher.stop()));
    });

    const start = (further: Partial<PublisherOptions> = {}): Publisher => {
      const publisher = runPublisher({
        store: record.store,
        bus,
        pool,
        service: 'things',
        recordId: 'r1',
        topics: { [prefix]: topic },
        leaseTtlMs: 1_500,
        word: (events) => events.map(({ type, data }) => ({ type: `sejam.things.v1.${type}`, data })),
        ...further,
      });
      publishers.push(publisher);
      return publisher;
    };
    const happen = async (subject: string, from: number, count = 1): Promise<void> => {
      const events = Array.from({ length: count }, (_, index) => happened(from + index));
      await record.store.append(`${prefix}${subject}`, events, from === 0 ? 'no-stream' : from - 1);
    };
    const told = (): Promise<ReceivedEnvelope[]> => all(bus.readTopic(topic));
    const ofStream = async (subject: string): Promise<number[]> =>
      (await told()).filter(({ key }) => key === `${prefix}${subject}`).map(({ headers }) => Number(headers['ce_sequence']));

    it('tells every event of its categories once, in order, as a CloudEvent, and no others', async () => {
      await happen('a', 0, 3);
      await record.store.append(`foreign-${uuidv7()}`, [happened(0)], 'no-stream');
      start();
      await happen('b', 0, 2);
      await eventually(async () => expect(await told()).toHaveLength(5));
      await happen('a', 3);
      await eventually(async () => expect(await told()).toHaveLength(6));
      expect(await ofStream('a')).toEqual([0, 1, 2, 3]);
      expect(await ofStream('b')).toEqual([0, 1]);
      const first = (await told()).find((one) => label(one) === `${prefix}a0`)!;
      expect(fromEnvelope(first)).toMatchObject({
        type: 'sejam.things.v1.Happened',
        source: 'sejam://r1/things',
        subject: `${prefix}a`,
        time: '2024-11-27T05:00:00.000Z',
        sequence: 0,
        correlationId: 'correlation',
        causationId: 'request:kpu:0',
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        data: { number: 0 },
      });
      expect(first.headers).toMatchObject({ ce_specversion: '1.0', ce_sequence: '00000000000000000000', 'content-type': 'application/json' });
      const [stored] = await all(record.store.read(`${prefix}a`, { limit: 1 }));
      expect(first.headers['ce_id']).toBe(stored?.id);
    });

    it('only repeats when it is cut down between publishing and its checkpoint', async () => {
      const url = new URL(database.url);
      const doomed = createPool({ url: url.href, schema: pool.schema, applicationName: `doomed ${pool.schema}` });
      let kills = 3;
      const cutAfterPublishing: Bus = {
        ...bus,
        async publish(...told) {
          await bus.publish(...told);
          if (kills-- > 0) await pool.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1', [`doomed ${pool.schema}`]);
        },
      };
      await happen('a', 0, 40);
      start({ bus: cutAfterPublishing, pool: doomed, batchMax: 10 });
      await happen('b', 0, 5);
      await eventually(async () => expect(new Set(await ofStream('b')).size).toBe(5), { withinMs: 30_000 });
      const sequences = await ofStream('a');
      expect(new Set(sequences)).toEqual(new Set(Array.from({ length: 40 }, (_, n) => n)));
      // A repetition goes back; it never runs ahead of what was told.
      sequences.forEach((sequence, index) => expect(sequence).toBeLessThanOrEqual(Math.max(-1, ...sequences.slice(0, index)) + 1));
      await Promise.all(publishers.splice(0).map((publisher) => publisher.stop()));
      await doomed.end();
    }, 40_000);

    it('is active in one instance; another takes over when that one stops', async () => {
      const [first, second] = [start(), start()];
      const active = (): Publisher[] => [first, second].filter((one) => one.status().active);
      await eventually(() => expect(active()).toHaveLength(1));
      await happen('a', 0, 20);
      await eventually(async () => expect(await told()).toHaveLength(20));
      const [leader] = active();
      await leader!.stop();
      await happen('a', 20, 20);
      await eventually(async () => expect(await ofStream('a')).toEqual(Array.from({ length: 40 }, (_, n) => n)));
      expect(active()).toHaveLength(1);
      expect(active()[0]).not.toBe(leader);
    });

    it('cannot move a checkpoint that a newer epoch owns', async () => {
      let delayed: (() => void) | undefined;
      const slow: Bus = { ...bus, publish: (...told) => new Promise((done, fail) => (delayed = () => void bus.publish(...told).then(done, fail))) };
      await happen('a', 0);
      start({ bus: slow });
      await eventually(() => expect(delayed).toBeDefined());
      await pool.query(`UPDATE lease SET expires = '-infinity'`);
      start();
      await eventually(async () => expect(await ofStream('a')).toEqual([0]));
      await happen('a', 1);
      await eventually(async () => expect(await ofStream('a')).toEqual([0, 1]));
      const before = await eventually(async () => (await readCheckpoint(pool, 'publisher things')) ?? false);
      delayed!();
      await eventually(async () => expect(await ofStream('a')).toEqual([0, 1, 0]));
      expect(await readCheckpoint(pool, 'publisher things')).toEqual(before);
    });

    it('tells everything although its checkpoint is lost, and repeats only what the bus does not know', async () => {
      await happen('a', 0, 30);
      await start().stop();
      start();
      await eventually(async () => expect(await told()).toHaveLength(30));
      await Promise.all(publishers.splice(0).map((publisher) => publisher.stop()));
      await pool.query('TRUNCATE checkpoint, lease');
      await happen('a', 30, 5);
      start();
      await eventually(async () => expect((await ofStream('a')).at(-1)).toBe(34));
      expect(await ofStream('a')).toHaveLength(kind === 'log' ? 35 : 65);
    });

    it('waits out a record that restarts', async () => {
      const publisher = start();
      await happen('a', 0);
      await eventually(async () => expect(await ofStream('a')).toEqual([0]));
      await record.restart();
      await eventually(() => happen('a', 1));
      await eventually(async () => expect((await ofStream('a')).at(-1)).toBe(1), { withinMs: 30_000 });
      expect(publisher.status()).toMatchObject({ active: true });
    }, 40_000);

    it('says what it cannot put into words, and goes on when it can', async () => {
      let broken = true;
      const publisher = start({
        word(events) {
          if (broken) throw new Error('no word for this');
          return events.map(({ type, data }) => ({ type, data }));
        },
      });
      await happen('a', 0);
      await eventually(() => expect(publisher.status().failing).toContain('no word for this'));
      expect(await told()).toEqual([]);
      broken = false;
      await eventually(async () => expect(await ofStream('a')).toEqual([0]));
      await eventually(() => expect(publisher.status().failing).toBeUndefined());
    });

    it('sends heartbeats at once and then regularly, which say that there is nothing older to tell', async () => {
      await happen('a', 0);
      start({ heartbeat: { topic, type: 'sejam.things.v1.Heartbeat', everyMs: 100 } });
      const heartbeats = async () => (await told()).filter(({ key }) => key === 'heartbeat-things').map((one) => fromEnvelope(one));
      await eventually(async () => expect((await heartbeats()).length).toBeGreaterThan(1));
      const [beat] = await heartbeats();
      expect(isHeartbeat(beat!)).toBe(true);
      expect(Math.abs(Date.parse(String(beat!.data['at'])) - Date.now())).toBeLessThan(60_000);
      expect(await ofStream('a')).toEqual([0]);
    });
  });
}

function happened(number: number): NewEvent {
  return {
    id: uuidv7(),
    type: 'Happened',
    data: { number },
    metadata: {
      at: '2024-11-27T05:00:00.000Z',
      by: { organisation: 'kpu', holder: 'officer' },
      causationId: `request:kpu:${number}`,
      correlationId: 'correlation',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    },
  };
}
