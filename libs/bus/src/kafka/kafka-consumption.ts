import { setTimeout as delay } from 'node:timers/promises';
import type { Admin, Batch, Consumer, EachBatchPayload, Kafka, KafkaMessage } from 'kafkajs';
import { backOff } from '../back-off.js';
import type { ConsumeOptions, Consumption } from '../bus.js';
import type { ReceivedEnvelope } from '../message.js';
import { unavailable } from './kafka-faults.js';
import { topicEnds } from './topic-ends.js';

/** The client does not end a fetch early: stopping waits this long at most for one. */
const FETCH_WAIT_MS = 300;
/** All that one fetch can bring. */
const PARTITIONS_AT_ONCE = 100;
/** How often a group's offsets are kept. What is handed over again after a crash, the inbox knows. */
const KEEP_OFFSETS_MS = 250;

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
    const offsets = keepOffsets(consumer);
    const over = new Promise<unknown>((done) => {
      stopping.signal.addEventListener('abort', () => done(undefined), { once: true });
      consumer.on(consumer.events.CRASH, ({ payload }) => {
        connected = false;
        if (!payload.restart) done(payload.error);
      });
      consumer.on(consumer.events.GROUP_JOIN, () => {
        connected = true;
        offsets.forget();
      });
      consumer.on(consumer.events.DISCONNECT, () => (connected = false));
    });
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: [...topics], fromBeginning: true });
      const polled = joined((payloads) => handlePoll(payloads, offsets));
      await consumer.run({ autoCommit: false, eachBatchAutoResolve: false, partitionsConsumedConcurrently: PARTITIONS_AT_ONCE, eachBatch: polled });
      const fault = await over;
      if (fault) throw fault;
    } finally {
      connected = false;
      await offsets.stop();
      await leave(consumer);
    }
  }

  /** What one fetch has brought of a topic, in calls of their own size. */
  async function handlePoll(payloads: readonly EachBatchPayload[], offsets: Offsets): Promise<void> {
    const ending = new AbortController();
    const signal = AbortSignal.any([stopping.signal, ending.signal]);
    let lost: unknown;
    const mayGoOn = (): boolean => payloads.every(({ isRunning, isStale }) => isRunning() && !isStale());
    // A handler may take longer than a session: the group must hear of us all the same. When it answers that it is rebalancing, another
    // member may get these partitions: end soon.
    const beating = setInterval(() => {
      if (!mayGoOn()) ending.abort();
      else payloads[0]?.heartbeat().catch((error: unknown) => {
        lost = error;
        ending.abort();
      });
    }, 500);
    try {
      const fetched = payloads.flatMap((payload) => payload.batch.messages.map((message) => ({ payload, message })));
      const batchMax = options.batchMax ?? 500;
      for (let from = 0; from < fetched.length && !signal.aborted && mayGoOn(); from += batchMax) {
        const part = fetched.slice(from, from + batchMax);
        if (!(await handleForEver(part.map(({ payload: { batch }, message }) => received(batch.topic, batch.partition, message)), signal))) break;
        for (const { payload, message } of part) {
          payload.resolveOffset(message.offset);
          offsets.handled(payload.batch, message);
        }
      }
      // Rethrown, so that the client joins again; a handler that hides it would be thrown out of the group.
      if (lost) throw lost;
    } finally {
      clearInterval(beating);
    }
    // The next fetch brings the more.
    if (options.gatherMs !== undefined) await delay(options.gatherMs, undefined, { signal: stopping.signal }).catch(() => {});
  }

  /** False when it was stopped before it worked. */
  async function handleForEver(messages: readonly ReceivedEnvelope[], signal: AbortSignal): Promise<boolean> {
    for (let failures = 0; !signal.aborted; ) {
      try {
        await options.handle(messages, signal);
        return true;
      } catch (error) {
        failures++;
        const { topic, partition, offset } = messages[0]!;
        log?.warn({ group, topic, partition, offset, failures, error: String(error) }, 'Messages could not be handled; trying again');
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

interface Offsets {
  handled(of: Pick<Batch, 'topic' | 'partition'>, message: KafkaMessage): void;
  /** Others may have these partitions by now. */
  forget(): void;
  stop(): Promise<void>;
}

/** Tells the group now and then, and at the end, how far it has read, in one request for all partitions. */
function keepOffsets(consumer: Consumer): Offsets {
  const unkept = new Map<string, { topic: string; partition: number; offset: string }>();
  const ended = new AbortController();
  const keep = async (): Promise<void> => {
    const kept = [...unkept.entries()];
    if (kept.length === 0) return;
    await consumer.commitOffsets(kept.map(([, offset]) => offset));
    for (const [partition, offset] of kept) if (unkept.get(partition) === offset) unkept.delete(partition);
  };
  const keeping = (async () => {
    while (!ended.signal.aborted) {
      await delay(KEEP_OFFSETS_MS, undefined, { signal: ended.signal }).catch(() => {});
      // A group that is rebalancing, or a broker that is away, takes them later or has them repeated.
      await keep().catch(() => {});
    }
  })();
  return {
    handled({ topic, partition }, { offset }) {
      unkept.set(`${topic}/${partition}`, { topic, partition, offset: String(BigInt(offset) + 1n) });
    },
    forget: () => unkept.clear(),
    async stop() {
      ended.abort();
      await keeping;
    },
  };
}

/** The client hands over what one fetch has brought partition by partition, all at once; here a topic's are brought together again. */
function joined(handle: (payloads: readonly EachBatchPayload[]) => Promise<void>): (payload: EachBatchPayload) => Promise<void> {
  const coming = new Map<string, { payloads: EachBatchPayload[]; done: Promise<void> }>();
  return (payload) => {
    const { topic } = payload.batch;
    const known = coming.get(topic);
    if (known) {
      known.payloads.push(payload);
      return known.done;
    }
    const payloads = [payload];
    const done = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
      coming.delete(topic);
      return handle(payloads);
    });
    coming.set(topic, { payloads, done });
    return done;
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
