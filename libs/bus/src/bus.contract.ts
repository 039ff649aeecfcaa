import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Pool } from '@sejam/postgres';
import { eventually, testDatabase, type TestDatabase } from '@sejam/testkit';
import { postgresMigrations } from '@sejam/postgres';
import { busMigrations, toEnvelope, type Bus, type BusMessage, type Envelope, type ReceivedEnvelope } from './index.js';

/** What both adapters promise. `open` gives one more bus on the same broker or store; each is closed by the suite. */
export function busContract(kind: Bus['kind'], open: () => Promise<Bus>): void {
  describe(`A ${kind} bus`, () => {
    let database: TestDatabase;
    let bus: Bus;
    const buses: Bus[] = [];
    const another = async (): Promise<Bus> => {
      const one = await open();
      buses.push(one);
      return one;
    };
    const newTopic = async (): Promise<string> => {
      const topic = `test.${randomUUID()}.v1`;
      await bus.ensureTopics([topic]);
      return topic;
    };
    let schemas = 0;
    const newPool = (): Promise<Pool> => database.pool(`consumer_${++schemas}`, [postgresMigrations, busMigrations]);

    beforeAll(async () => {
      database = await testDatabase();
      bus = await another();
    }, 120_000);
    afterAll(async () => {
      await Promise.all(buses.map((one) => one.close()));
      await database?.drop();
    });

    it('gives to a reader what was published, in the order of each key, byte for byte', async () => {
      const topic = await newTopic();
      const sent = [message('a', 0), message('b', 0), message('a', 1, { text: 'ä 👍 \u0000 "quoted"' }), message('b', 1), message('a', 2)].map((one) => toEnvelope(one));
      await bus.publish(topic, sent.slice(0, 3));
      await bus.publish(topic, sent.slice(3));
      const received = await all(bus.readTopic(topic));
      for (const key of ['a', 'b']) {
        expect(received.filter((one) => one.key === key).map(({ key, headers, value }) => ({ key, headers, value }))).toEqual(
          sent.filter((one) => one.key === key).map(({ key, headers, value }) => ({ key, headers, value })),
        );
      }
      expect(received).toHaveLength(5);
    });

    it('carries what is no event at all unchanged, so that the inbox can judge it', async () => {
      const topic = await newTopic();
      const strange: Envelope[] = ['{ not json', '', 'null', '[1]', '{"b": 1.0, "a": 1, "a": 2}'].map((value) => ({ key: 'x', headers: { what: 'ever' }, value }));
      await bus.publish(topic, strange);
      expect(await all(bus.readTopic(topic))).toMatchObject(strange);
    });

    it('publishes more at once than one request may hold', async () => {
      const topic = await newTopic();
      const text = 'x'.repeat(2_000);
      await bus.publish(topic, Array.from({ length: 1_200 }, (_, sequence) => toEnvelope(message(`s${sequence % 7}`, Math.floor(sequence / 7), { text }))));
      const received = await all(bus.readTopic(topic));
      expect(received).toHaveLength(1_200);
      const ofOne = received.filter((one) => one.key === 's3').map((one) => Number(one.headers['ce_sequence']));
      expect(ofOne).toEqual(ofOne.map((_, index) => index));
    });

    it('hands over everything from the first offset to a consumer that begins late, and goes on live', async () => {
      const topic = await newTopic();
      await bus.publish(topic, [toEnvelope(message('a', 0)), toEnvelope(message('a', 1))]);
      const seen: string[] = [];
      const consumption = bus.consume({ group: 'late', topics: [topic], pool: await newPool(), handle: async (messages) => void seen.push(...messages.map(label)) });
      await eventually(() => expect(seen).toEqual(['a0', 'a1']));
      await bus.publish(topic, [toEnvelope(message('a', 2))]);
      await eventually(() => expect(seen).toEqual(['a0', 'a1', 'a2']));
      await eventually(async () => expect(await consumption.lag()).toEqual({ [topic]: 0 }));
      await eventually(() => expect(consumption.status()).toEqual({ connected: true }));
      await consumption.stop();
    });

    it('brings the same messages again when they could not be handled, and nothing behind them before', async () => {
      const topic = await newTopic();
      await bus.publish(topic, [toEnvelope(message('a', 0))]);
      const seen: string[] = [];
      let failures = 2;
      const consumption = bus.consume({
        group: 'stubborn',
        topics: [topic],
        pool: await newPool(),
        async handle(messages) {
          seen.push(...messages.map(label));
          if (failures-- > 0) throw new Error('not now');
        },
      });
      await eventually(() => seen.length >= 1);
      await bus.publish(topic, [toEnvelope(message('a', 1))]);
      await eventually(() => expect(seen.at(-1)).toBe('a1'));
      expect(seen.slice(0, 3)).toEqual(['a0', 'a0', 'a0']);
      await consumption.stop();
    });

    it('goes on where the group was, in another process', async () => {
      const topic = await newTopic();
      const pool = await newPool();
      await bus.publish(topic, [toEnvelope(message('a', 0))]);
      const seen: string[] = [];
      const options = { group: 'resuming', topics: [topic], pool, handle: async (messages: readonly ReceivedEnvelope[]) => void seen.push(...messages.map(label)) };
      const first = (await another()).consume(options);
      await eventually(() => expect(seen).toEqual(['a0']));
      await eventually(async () => expect(await first.lag()).toEqual({ [topic]: 0 }));
      await first.stop();
      await bus.publish(topic, [toEnvelope(message('a', 1))]);
      const second = (await another()).consume(options);
      await eventually(() => expect(seen).toEqual(['a0', 'a1']));
      await second.stop();
    });

    it('begins at the first offset for a schema that is new, whatever an older one of the same group has read', async () => {
      const topic = await newTopic();
      await bus.publish(topic, [toEnvelope(message('a', 0))]);
      for (let life = 0; life < 2; life++) {
        const seen: string[] = [];
        const consumption = bus.consume({ group: 'rebuilt', topics: [topic], pool: await newPool(), handle: async (messages) => void seen.push(...messages.map(label)) });
        await eventually(() => expect(seen).toEqual(['a0']));
        await consumption.stop();
      }
    });

    it('lets another consumer of the group take over what one leaves, without losing any', async () => {
      const topic = await newTopic();
      const pool = await newPool();
      const seen = new Set<string>();
      const options = { group: 'shared', topics: [topic], pool, handle: async (messages: readonly ReceivedEnvelope[]) => messages.forEach((one) => seen.add(label(one))) };
      const [first, second] = [(await another()).consume(options), (await another()).consume(options)];
      const sent: string[] = [];
      const send = async (from: number): Promise<void> => {
        const messages = Array.from({ length: 40 }, (_, index) => message(`s${index}`, from));
        sent.push(...messages.map((one) => `${one.subject}${one.sequence}`));
        await bus.publish(topic, messages.map((one) => toEnvelope(one)));
      };
      await send(0);
      await eventually(() => expect(seen.size).toBe(40));
      await first.stop();
      await send(1);
      await eventually(() => expect([...seen].sort()).toEqual([...sent].sort()), { withinMs: 30_000 });
      await second.stop();
    });

    it('reads a topic on from a cursor, and follows it when asked', async () => {
      const topic = await newTopic();
      await bus.publish(topic, [0, 1, 2].map((sequence) => toEnvelope(message('a', sequence))));
      const [first] = await all(bus.readTopic(topic));
      expect((await all(bus.readTopic(topic, { after: first!.cursor }))).map(label)).toEqual(['a1', 'a2']);

      const stop = new AbortController();
      const seen: string[] = [];
      const following = (async () => {
        for await (const one of bus.readTopic(topic, { after: first!.cursor, follow: true, signal: stop.signal })) seen.push(label(one));
      })();
      await eventually(() => expect(seen).toEqual(['a1', 'a2']));
      await bus.publish(topic, [toEnvelope(message('a', 3))]);
      await eventually(() => expect(seen).toEqual(['a1', 'a2', 'a3']));
      stop.abort();
      await following;
    });

    it('refuses a cursor that it never gave', async () => {
      const topic = await newTopic();
      await expect(all(bus.readTopic(topic, { after: 'nonsense' }))).rejects.toMatchObject({ code: 'topic.cursor-unknown', kind: 'invalid' });
    });

    it('reads an empty topic to its end at once', async () => {
      expect(await all(bus.readTopic(await newTopic()))).toEqual([]);
    });

    it('knows the place of the newest event, or does not claim to', async () => {
      const topic = await newTopic();
      const position = { commit: '18446744073709551614', prepare: '18446744073709551613' };
      await bus.publish(topic, [toEnvelope(message('a', 0), { commit: '1', prepare: '1' }), toEnvelope(message('a', 1), position)]);
      expect(await bus.lastPosition(topic)).toEqual(kind === 'log' ? position : undefined);
    });

    it('answers a ping', async () => {
      await expect(bus.ping()).resolves.toBeUndefined();
    });
  });
}

export function message(subject: string, sequence: number, data: Record<string, unknown> = {}): BusMessage {
  return { id: randomUUID(), type: 'sejam.test.v1.Happened', source: 'sejam://test/test', subject, time: '2024-11-27T00:00:00.000Z', sequence, data };
}

export function label({ key, headers }: ReceivedEnvelope): string {
  return `${key}${Number(headers['ce_sequence'])}`;
}

export async function all<T>(from: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of from) items.push(item);
  return items;
}
