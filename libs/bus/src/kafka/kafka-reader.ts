import { randomUUID } from 'node:crypto';
import type { Admin, Batch, Kafka } from 'kafkajs';
import { DomainError } from '@sejam/event-sourcing';
import type { ReadTopicOptions } from '../bus.js';
import type { ReceivedEnvelope } from '../message.js';
import { leave, received } from './kafka-consumption.js';
import { unavailable } from './kafka-faults.js';
import { topicEnds } from './topic-ends.js';

/** A reader that is to come to an end gives up at last; one that follows does not. */
const RESTARTS = 5;

/** Per partition the offset that comes next. */
type Places = number[];

const toCursor = (places: Places): string => Buffer.from(places.join('.')).toString('base64url');

function fromCursor(cursor: string, partitions: number): Places {
  const places = Buffer.from(cursor, 'base64url').toString().split('.');
  if (places.length !== partitions || !places.every((place) => /^\d{1,15}$/.test(place))) {
    throw new DomainError('topic.cursor-unknown', 'invalid', 'The cursor is none of this topic');
  }
  return places.map(Number);
}

/** A reader of its own: a group that nobody shares and that leaves no offsets behind. */
export async function* readKafkaTopic(
  kafka: Kafka,
  admin: () => Promise<Admin>,
  topic: string,
  { after, follow = false, signal }: ReadTopicOptions,
): AsyncGenerator<ReceivedEnvelope & { cursor: string }> {
  const ends = await admin()
    .then((client) => topicEnds(client, topic))
    .catch((error: unknown) => {
      throw unavailable(error);
    });
  const high = ends.map((end) => end.high);
  const places: Places = after === undefined ? high.map(() => 0) : fromCursor(after, high.length);
  const atEnd = (): boolean => !follow && high.every((end, partition) => places[partition]! >= end);
  if (atEnd() || signal?.aborted) return;

  let offered: { batch: Batch; taken(): void } | undefined;
  let wake = (): void => {};
  let fault: unknown;
  let ended = false;
  let restarts = 0;
  const consumer = kafka.consumer({
    groupId: `sejam-reader-${randomUUID()}`,
    sessionTimeout: 6_000,
    rebalanceTimeout: 10_000,
    maxWaitTimeInMs: 300,
    allowAutoTopicCreation: false,
    retry: { initialRetryTime: 100, maxRetryTime: 5_000, retries: Number.MAX_SAFE_INTEGER, restartOnFailure: async () => !ended && (follow || ++restarts <= RESTARTS) },
  });
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (payload.restart) return;
    fault = payload.error;
    wake();
  });
  const stop = (): void => {
    ended = true;
    offered?.taken();
    wake();
  };
  signal?.addEventListener('abort', stop, { once: true });
  try {
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      // A slow reader holds the next fetch back: nothing piles up here.
      async eachBatch({ batch, resolveOffset, heartbeat }) {
        if (ended) return;
        const beating = setInterval(() => void heartbeat().catch(() => {}), 1_000);
        await new Promise<void>((taken) => {
          offered = { batch, taken };
          wake();
        });
        clearInterval(beating);
        resolveOffset(batch.lastOffset());
      },
    });
    if (after !== undefined) places.forEach((place, partition) => consumer.seek({ topic, partition, offset: String(place) }));
    while (!ended && !atEnd()) {
      if (!offered && !fault) await new Promise<void>((resolve) => (wake = resolve));
      if (fault) throw fault;
      if (!offered) continue;
      const { batch, taken } = offered;
      for (const message of batch.messages) {
        if (ended) return;
        const offset = Number(message.offset);
        if (offset < places[batch.partition]!) continue; // fetched before the seek took effect
        if (!follow && offset >= high[batch.partition]!) break; // came after reading began
        places[batch.partition] = offset + 1;
        yield { ...received(topic, batch.partition, message), cursor: toCursor(places) };
      }
      offered = undefined;
      taken();
    }
  } catch (error) {
    throw unavailable(error);
  } finally {
    signal?.removeEventListener('abort', stop);
    stop();
    await leave(consumer);
  }
}
