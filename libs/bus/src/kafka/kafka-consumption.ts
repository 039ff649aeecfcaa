import type { Admin, Batch, Consumer, EachBatchPayload, Kafka, KafkaMessage } from 'kafkajs';
import { backOff } from '../back-off.js';
import type { ConsumeOptions, Consumption } from '../bus.js';
import type { ReceivedEnvelope } from '../message.js';
import { unavailable } from './kafka-faults.js';
import { topicEnds } from './topic-ends.js';

/** The client does not end a fetch early: stopping waits this long at most for one. */
const FETCH_WAIT_MS = 300;

/**
 * One member of a consumer group, for ever: whatever the client takes as a reason to give up only makes a new member. The group's name
 * carries the generation of the consumer's tables, since the offsets lie in Kafka: tables that are new or were wiped must not go on at
 * the end.
 */
export function kafkaConsumption(kafka: Kafka, admin: () => Promise<Admin>, options: ConsumeOptions): Consumption {
  const { topics, log } = options;
  const stopping = new AbortController();
  let connected = false;
  let group: string | undefined;

  async function groupId(): Promise<string> {
    if (group) return group;
    const { rows } = await options.pool.query<{ id: string }>('SELECT id FROM inbox_generation');
    if (!rows[0]) throw new Error('The consumer\'s schema lacks its inbox_generation');
    return (group = `sejam-${options.group}-${rows[0].id}`);
  }

  /** From joining to a crash that the client does not mend itself, or to the stop. */
  async function member(): Promise<void> {
    const consumer = kafka.consumer({
      groupId: await groupId(),
      sessionTimeout: 6_000,
      heartbeatInterval: 1_000,
      rebalanceTimeout: 30_000,
      maxWaitTimeInMs: FETCH_WAIT_MS,
      allowAutoTopicCreation: false,
      retry: { initialRetryTime: 100, maxRetryTime: 5_000, retries: Number.MAX_SAFE_INTEGER, restartOnFailure: async () => !stopping.signal.aborted },
    });
    const over = new Promise<unknown>((done) => {
      stopping.signal.addEventListener('abort', () => done(undefined), { once: true });
      consumer.on(consumer.events.CRASH, ({ payload }) => {
        connected = false;
        if (!payload.restart) done(payload.error);
      });
      consumer.on(consumer.events.GROUP_JOIN, () => (connected = true));
      consumer.on(consumer.events.DISCONNECT, () => (connected = false));
    });
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: [...topics], fromBeginning: true });
      await consumer.run({ eachBatchAutoResolve: false, partitionsConsumedConcurrently: 4, eachBatch: (payload) => handleBatch(payload) });
      const fault = await over;
      if (fault) throw fault;
    } finally {
      connected = false;
      await leave(consumer);
    }
  }

  async function handleBatch(payload: EachBatchPayload): Promise<void> {
    const { batch, resolveOffset, heartbeat, isRunning, isStale } = payload;
    const ending = new AbortController();
    const signal = AbortSignal.any([stopping.signal, ending.signal]);
    let lost: unknown;
    // A handler may take longer than a session: the group must hear of us all the same. When it answers that it is rebalancing, another
    // member may get this partition: end soon.
    const beating = setInterval(() => {
      if (!isRunning() || isStale()) ending.abort();
      else heartbeat().catch((error: unknown) => {
        lost = error;
        ending.abort();
      });
    }, 500);
    try {
      const batchMax = options.batchMax ?? 500;
      for (let from = 0; from < batch.messages.length && !signal.aborted; from += batchMax) {
        if (!isRunning() || isStale()) return;
        const part = batch.messages.slice(from, from + batchMax);
        if (!(await handleForEver(batch, part, signal))) break;
        resolveOffset(part.at(-1)!.offset);
        await payload.commitOffsetsIfNecessary();
      }
      // Rethrown, so that the client joins again; a handler that hides it would be thrown out of the group.
      if (lost) throw lost;
    } finally {
      clearInterval(beating);
    }
  }

  /** False when it was stopped before it worked. */
  async function handleForEver(batch: Batch, part: readonly KafkaMessage[], signal: AbortSignal): Promise<boolean> {
    const messages = part.map((message) => received(batch.topic, batch.partition, message));
    for (let failures = 0; !signal.aborted; ) {
      try {
        await options.handle(messages, signal);
        return true;
      } catch (error) {
        failures++;
        log?.warn({ group, topic: batch.topic, partition: batch.partition, offset: part[0]?.offset, failures, error: String(error) }, 'Messages could not be handled; trying again');
        await backOff(failures, signal);
      }
    }
    return false;
  }

  const running = (async () => {
    for (let failures = 0; !stopping.signal.aborted; ) {
      const begun = performance.now();
      try {
        await member();
      } catch (error) {
        failures = performance.now() - begun > 60_000 ? 1 : failures + 1;
        log?.warn({ group, topics, failures, error: String(error) }, 'A Kafka consumer ended; joining again');
        await backOff(failures, stopping.signal);
      }
    }
  })();

  return {
    status: () => ({ connected }),
    async lag() {
      try {
        const client = await admin();
        const kept = await client.fetchOffsets({ groupId: await groupId(), topics: [...topics] });
        const behind = topics.map(async (topic) => {
          const done = new Map(kept.find((one) => one.topic === topic)?.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
          const ends = await topicEnds(client, topic);
          return [topic, ends.reduce((sum, { partition, high, low }) => sum + Math.max(0, high - Math.max(low, done.get(partition) ?? 0)), 0)] as const;
        });
        return Object.fromEntries(await Promise.all(behind));
      } catch (error) {
        throw unavailable(error);
      }
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

export function received(topic: string, partition: number, { key, headers, value, offset }: KafkaMessage): ReceivedEnvelope {
  const texts = Object.entries(headers ?? {}).map(([name, header]) => [name, String((Array.isArray(header) ? header[0] : header) ?? '')] as const);
  return { topic, partition, offset, key: key?.toString() ?? null, headers: Object.fromEntries(texts), value: value?.toString() ?? null };
}

export async function leave(consumer: Consumer): Promise<void> {
  // The broker may be what was lost; then it ends the membership by itself.
  await consumer.disconnect().catch(() => {});
}
