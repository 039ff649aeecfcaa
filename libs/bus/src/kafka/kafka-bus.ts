import { setTimeout as delay } from 'node:timers/promises';
import { Kafka, logLevel, Partitioners, type Admin, type KafkaConfig, type Producer } from 'kafkajs';
import type { Log } from '@sejam/postgres';
import type { Bus, Consumption } from '../bus.js';
import type { Envelope } from '../message.js';
import { kafkaConsumption } from './kafka-consumption.js';
import { readKafkaTopic } from './kafka-reader.js';
import { unavailable } from './kafka-faults.js';
import { topicEnds } from './topic-ends.js';

/** Fixed for ever: another number would send a key to another partition and break its order. */
const PARTITIONS = 12;
/** Below a broker's default limit of 1 MB for what one request brings to one partition. */
const REQUEST_BYTES = 800_000;

export interface KafkaBusOptions {
  /** `host:port` each. */
  readonly brokers: readonly string[];
  /** Shown in the broker's logs and quotas. */
  readonly clientId: string;
  readonly ssl?: KafkaConfig['ssl'];
  readonly sasl?: KafkaConfig['sasl'];
  /** Copies of each new topic; the broker's default without it. */
  readonly replicationFactor?: number;
  readonly log?: Log;
}

/**
 * The bus on Apache Kafka. Sends wait for all in-sync replicas, one at a time, so that a retry inside the client can repeat but never
 * reorder. The client's experimental idempotent mode is not used: consumers know repetitions by revision.
 */
export function kafkaBus(options: KafkaBusOptions): Bus {
  const { log } = options;
  // The client says so once per producer otherwise; the partitioner is chosen below.
  process.env['KAFKAJS_NO_PARTITIONER_WARNING'] ??= '1';
  const kafka = new Kafka({
    clientId: options.clientId,
    brokers: [...options.brokers],
    ...(options.ssl === undefined ? {} : { ssl: options.ssl }),
    ...(options.sasl === undefined ? {} : { sasl: options.sasl }),
    connectionTimeout: 3_000,
    requestTimeout: 15_000,
    // Whoever calls tries again for ever and says so; the client itself gives up soon.
    retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries: 3 },
    logLevel: logLevel.WARN,
    logCreator: () => ({ namespace, log: { message, ...fields } }) => {
      const { timestamp: _, logger: __, stack: ___, ...rest } = fields as Record<string, unknown>;
      log?.warn({ kafka: namespace, ...rest }, message);
    },
  });
  const consumptions = new Set<Consumption>();
  let admin: Promise<Admin> | undefined;
  let producer: Promise<Producer> | undefined;
  let sending: Promise<unknown> = Promise.resolve();

  /** Connected once; a failed try is forgotten so that the next call tries again. */
  const connectedAdmin = (): Promise<Admin> =>
    (admin ??= connect(kafka.admin()).catch((error: unknown) => {
      admin = undefined;
      throw unavailable(error);
    }));
  const connectedProducer = (): Promise<Producer> =>
    (producer ??= connect(kafka.producer({ allowAutoTopicCreation: false, maxInFlightRequests: 1, createPartitioner: Partitioners.DefaultPartitioner })).catch((error: unknown) => {
      producer = undefined;
      throw unavailable(error);
    }));

  async function send(topic: string, messages: readonly Envelope[]): Promise<void> {
    const connected = await connectedProducer();
    for (const part of requests(messages)) {
      await connected
        .send({ topic, acks: -1, timeout: 10_000, messages: part.map(({ key, headers, value }) => ({ key, headers: { ...headers }, value })) })
        .catch((error: unknown) => {
          throw unavailable(error);
        });
    }
  }

  return {
    kind: 'kafka',

    async ensureTopics(topics) {
      const connected = await connectedAdmin();
      try {
        const created = await connected.createTopics({
          waitForLeaders: true,
          topics: topics.map((topic) => ({
            topic,
            numPartitions: PARTITIONS,
            replicationFactor: options.replicationFactor ?? -1,
            configEntries: [
              { name: 'retention.ms', value: '-1' },
              { name: 'retention.bytes', value: '-1' },
              { name: 'cleanup.policy', value: 'delete' },
            ],
          })),
        });
        const metadata = await connected.fetchTopicMetadata({ topics: [...topics] });
        for (const { name, partitions } of metadata.topics) {
          if (partitions.length !== PARTITIONS) throw new Error(`Topic ${name} has ${partitions.length} partitions and must have ${PARTITIONS}: its keys' order depends on it`);
        }
        if (created) for (const topic of topics) await topicEnds(connected, topic);
      } catch (error) {
        throw unavailable(error);
      }
    },

    publish(topic, messages) {
      const turn = sending.then(() => send(topic, messages));
      sending = turn.catch(() => {});
      return turn;
    },

    consume(consumeOptions) {
      const consumption = kafkaConsumption(kafka, connectedAdmin, consumeOptions);
      consumptions.add(consumption);
      return consumption;
    },

    readTopic: (topic, readOptions = {}) => readKafkaTopic(kafka, connectedAdmin, topic, readOptions),

    lastPosition: async () => undefined,

    async ping() {
      const answer = connectedAdmin().then((connected) => connected.describeCluster());
      const late = delay(5_000, undefined, { ref: false }).then(() => {
        throw new Error('Kafka did not answer within 5 s');
      });
      await Promise.race([answer, late]).catch((error: unknown) => {
        throw unavailable(error, true);
      });
    },

    async close() {
      await Promise.all([...consumptions].map((consumption) => consumption.stop()));
      await sending;
      const open = await Promise.allSettled([producer, admin]);
      await Promise.allSettled(open.map(async (result) => (result.status === 'fulfilled' ? result.value?.disconnect() : undefined)));
    },
  };
}

async function connect<Connectable extends { connect(): Promise<void> }>(client: Connectable): Promise<Connectable> {
  await client.connect();
  return client;
}

function* requests(messages: readonly Envelope[]): Generator<Envelope[]> {
  let part: Envelope[] = [];
  let bytes = 0;
  for (const message of messages) {
    const size = Buffer.byteLength(message.value) + 600; // headers and framing, generously
    if (part.length > 0 && bytes + size > REQUEST_BYTES) {
      yield part;
      [part, bytes] = [[], 0];
    }
    part.push(message);
    bytes += size;
  }
  if (part.length > 0) yield part;
}
