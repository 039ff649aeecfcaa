import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { postgresMigrations } from '@sejam/postgres';
import { eventually, testCrashingKafka, testDatabase, type TestDatabase } from '@sejam/testkit';
import { all, label, message } from '../bus.contract.js';
import { busMigrations, toEnvelope } from '../index.js';
import { kafkaBus } from './kafka-bus.js';

const kafka = await testCrashingKafka();

// eslint-disable-next-line no-restricted-syntax -- said by testCrashingKafka, and a failure in CI
if (!kafka) describe('A Kafka that crashes', () => it.todo('is tested where this machine can have one'));
else
  describe('A Kafka that crashes', () => {
    let database: TestDatabase;
    const bus = kafkaBus({ brokers: kafka.brokers, clientId: 'sejam-test' });
    beforeAll(async () => {
      database = await testDatabase();
    });
    afterAll(async () => {
      await bus.close();
      await database.drop();
    });

    it('loses nothing that was published, is unavailable meanwhile, and finds its readers and consumers back without help', async () => {
      const topic = 'sejam.outage.v1';
      await bus.ensureTopics([topic]);
      const pool = await database.pool('outage', [postgresMigrations, busMigrations]);
      const consumed = new Set<string>();
      const consumption = bus.consume({ group: 'outage', topics: [topic], pool, handle: async (messages) => messages.forEach((one) => consumed.add(label(one))) });
      const stop = new AbortController();
      const read = new Set<string>();
      const reading = (async () => {
        for await (const one of bus.readTopic(topic, { follow: true, signal: stop.signal })) read.add(label(one));
      })();

      const expected: string[] = [];
      const publish = async (sequence: number): Promise<void> => {
        const messages = Array.from({ length: 20 }, (_, n) => message(`s${n}`, sequence));
        await bus.publish(topic, messages.map((one) => toEnvelope(one)));
        expected.push(...messages.map((one) => `${one.subject}${one.sequence}`));
      };
      const everything = (): void => {
        expect([...consumed].sort()).toEqual([...expected].sort());
        expect([...read].sort()).toEqual([...expected].sort());
      };
      await publish(0);
      await eventually(everything);

      for (let crash = 1; crash <= 2; crash++) {
        const back = kafka.crash(3_000);
        await eventually(async () => {
          await expect(bus.ping()).rejects.toMatchObject({ code: 'bus.unavailable', kind: 'unavailable' });
        });
        await expect(publish(crash)).rejects.toMatchObject({ code: 'bus.unavailable', kind: 'unavailable' });
        await back;
        await eventually(() => publish(crash), { withinMs: 60_000 });
        await eventually(everything, { withinMs: 60_000 });
      }
      expect((await all(bus.readTopic(topic))).length).toBeGreaterThanOrEqual(expected.length);
      stop.abort();
      await reading;
      await consumption.stop();
    }, 180_000);
  });
