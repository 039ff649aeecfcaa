import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { DomainError, type EventStore, type NewEvent, type Position, type StoredEvent } from '@sejam/event-sourcing';
import { isDatabaseUnavailable, keepLease, type Log, type Pool } from '@sejam/postgres';
import { backOff } from '../back-off.js';
import type { Bus, ConsumeOptions, Consumption, ReadTopicOptions } from '../bus.js';
import type { Envelope, ReceivedEnvelope } from '../message.js';

/** Well below what an event store accepts in one append (1 MiB). */
const APPEND_BYTES = 400_000;
const APPEND_EVENTS = 500;

/** What a topic's event keeps of its message beside the data. */
interface Carried {
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The value itself when it is no JSON object, or one in another hand; the event's data are empty then. */
  readonly value?: string;
  readonly position?: Position;
}

/** How often a group's offsets are kept. What is handed over again after a crash, the inbox knows. */
const KEEP_OFFSETS_MS = 250;

const streamOf = (topic: string): string => `topic-${topic}`;
const topicOf = (stream: string): string => stream.slice('topic-'.length);

/**
 * The bus without a broker: a topic is the stream `topic-<name>` of the store that holds the record, an offset is its revision. One
 * partition, so one consumer of a group is active at a time; the others stand by. How far a group has read lies in the consumer's own
 * PostgreSQL. Topics are the one thing that is appended with `any`: several publishers may repeat, none is refused.
 */
export function logBus({ store }: { readonly store: EventStore }): Bus {
  const closing = new AbortController();
  const consumptions = new Set<Consumption>();

  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw translate(error);
    }
  };

  return {
    kind: 'log',
    async ensureTopics() {}, // a stream begins with its first message
    async publish(topic, messages) {
      for (const events of chunks(messages)) await guarded(() => store.append(streamOf(topic), events, 'any'));
    },
    consume(options) {
      const consumption = consume(store, options, closing.signal);
      consumptions.add(consumption);
      return consumption;
    },
    readTopic: (topic, options = {}) => readTopic(store, topic, options),
    lastPosition: (topic) =>
      guarded(async () => {
        for await (const event of store.read(streamOf(topic), { direction: 'backwards' })) {
          const { position } = carried(event);
          if (position) return position; // a heartbeat has none
        }
        return undefined;
      }),
    ping: () => guarded(() => store.ping()),
    async close() {
      closing.abort();
      await Promise.all([...consumptions].map((consumption) => consumption.stop()));
    },
  };
}

function consume(store: EventStore, options: ConsumeOptions, closing: AbortSignal): Consumption {
  const { pool, group, log } = options;
  const batchMax = options.batchMax ?? 500;
  /** Standing by for another consumer of the group is no fault. */
  let connected = true;
  /** By topic, while this consumer is the active one of its group. */
  let next = new Map<string, number>();

  const keeper = keepLease({
    pool,
    name: `consumer ${group}`,
    ...(log === undefined ? {} : { log }),
    async work({ signal: held }) {
      const signal = AbortSignal.any([held, closing]);
      connected = false;
      // Before the offsets are read: whatever is appended to a topic from here on reaches the subscription below.
      const head = await newestPosition(store);
      const offsets = await readOffsets(pool, group);
      next = new Map(options.topics.map((topic) => [topic, offsets.next.get(topic) ?? 0]));
      const keeping = keepOffsets(pool, group, { generation: offsets.generation, next, log });
      // Topics side by side, since no consumer needs an order between them: while the database works for one, another is read.
      const caughtUp = options.topics.map(async (topic) => {
        for await (const batch of ahead(store.read(streamOf(topic), { from: next.get(topic) ?? 0 }), batchMax)) {
          connected = true;
          await handle(topic, batch);
        }
        connected = true;
      });
      try {
        await allEnded(caughtUp);
      } catch (error) {
        await keeping.stop();
        throw error;
      }
      if (signal.aborted) return keeping.stop();
      const subscription = store.subscribe({
        name: `consumer ${group}`,
        prefixes: options.topics.map(streamOf),
        batchMax,
        ...(options.gatherMs === undefined ? {} : { gatherMs: options.gatherMs }),
        ...(head === undefined ? {} : { after: head }),
        async handle(events) {
          await allEnded([...next].map(async ([topic, offset]) => {
            const batch = events.filter((event) => event.stream === streamOf(topic) && event.revision >= offset);
            if (batch.length > 0) await handle(topic, batch);
          }));
        },
      });
      const watching = setInterval(() => (connected = subscription.status().connected), 500);
      if (!signal.aborted) await once(signal, 'abort');
      clearInterval(watching);
      await subscription.stop();
      await keeping.stop();
      connected = true;

      async function handle(topic: string, batch: readonly StoredEvent[]): Promise<void> {
        const messages = batch.map((event) => new FromEvent(event));
        const end = (batch.at(-1)?.revision ?? -1) + 1;
        for (let failures = 0; !signal.aborted; ) {
          try {
            await options.handle(messages, signal);
            next.set(topic, end);
            return;
          } catch (error) {
            failures++;
            log?.warn({ group, topic, offset: batch[0]?.revision, failures, error: String(error) }, 'Messages could not be handled; trying again');
            await backOff(failures, signal);
          }
        }
        throw new Error(`Consumer ${group} is being stopped`);
      }
    },
  });

  return {
    status: () => ({ connected }),
    async lag() {
      try {
        const handled = keeper.held() === undefined ? (await readOffsets(pool, group)).next : next;
        const behind = options.topics.map(async (topic) => {
          return [topic, Math.max(0, (await newestRevision(store, topic)) + 1 - (handled.get(topic) ?? 0))] as const;
        });
        return Object.fromEntries(await Promise.all(behind));
      } catch (error) {
        throw translate(error);
      }
    },
    stop: () => keeper.stop(),
  };
}

async function* readTopic(store: EventStore, topic: string, { after, follow = false, signal }: ReadTopicOptions): AsyncGenerator<ReceivedEnvelope & { cursor: string }> {
  let next = after === undefined ? 0 : Number(after) + 1;
  if (!Number.isSafeInteger(next) || next < 0) throw new DomainError('topic.cursor-unknown', 'invalid', 'The cursor is none of this topic');
  const head = follow ? await newestPosition(store) : undefined;
  for await (const event of store.read(streamOf(topic), { from: next })) {
    if (signal?.aborted) return;
    yield withCursor(event);
    next = event.revision + 1;
  }
  if (!follow || signal?.aborted) return;

  // A slow reader holds the subscription back, one batch at a time: nothing piles up here.
  let offered: { events: readonly StoredEvent[]; taken(): void } | undefined;
  let wake = (): void => {};
  const ended = new AbortController();
  const subscription = store.subscribe({
    name: `reader of ${topic}`,
    prefixes: [streamOf(topic)],
    ...(head === undefined ? {} : { after: head }),
    handle: (events) =>
      new Promise((taken) => {
        if (ended.signal.aborted) return taken();
        offered = { events, taken };
        wake();
      }),
  });
  const stop = (): void => {
    ended.abort();
    offered?.taken();
    wake();
  };
  signal?.addEventListener('abort', stop, { once: true });
  try {
    while (!signal?.aborted) {
      if (!offered) await new Promise<void>((resolve) => (wake = resolve));
      const { events, taken } = offered ?? { events: [], taken: () => {} };
      for (const event of events) {
        if (signal?.aborted) return;
        if (event.stream !== streamOf(topic) || event.revision < next) continue;
        yield withCursor(event);
        next = event.revision + 1;
      }
      offered = undefined;
      taken();
    }
  } finally {
    signal?.removeEventListener('abort', stop);
    stop();
    await subscription.stop();
  }
}

/** Throws the first failure once nothing is running any more: a lease is not given up while somebody works under it. */
async function allEnded(work: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(work)).find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
}

/** Batches, of which the next is read while the caller works on one. */
async function* ahead(events: AsyncIterable<StoredEvent>, batchMax: number): AsyncGenerator<StoredEvent[]> {
  const reading = events[Symbol.asyncIterator]();
  const batch = async (): Promise<StoredEvent[]> => {
    const read: StoredEvent[] = [];
    for (let event = await reading.next(); !event.done; event = await reading.next()) {
      read.push(event.value);
      if (read.length === batchMax) break;
    }
    return read;
  };
  try {
    for (let coming = batch(); ; ) {
      const read = await coming;
      if (read.length === 0) return;
      coming = batch();
      coming.catch(() => {}); // heard when it is its turn
      yield read;
    }
  } finally {
    await reading.return?.();
  }
}

/** -1 for a topic without messages. */
export async function newestRevision(store: EventStore, topic: string): Promise<number> {
  const [newest] = await collect(store.read(streamOf(topic), { direction: 'backwards', limit: 1 }));
  return newest?.revision ?? -1;
}

async function newestPosition(store: EventStore): Promise<Position | undefined> {
  const [newest] = await collect(store.readAll({ direction: 'backwards', limit: 1 }));
  return newest?.position;
}

/** How far a group has read, by topic, in the life of the tables that is now. */
async function readOffsets(pool: Pool, group: string): Promise<{ generation: string | undefined; next: Map<string, number> }> {
  const { rows } = await pool.query<{ id: string; topic: string | null; next: number }>(
    'SELECT g.id, o.topic, o.next FROM inbox_generation AS g LEFT JOIN topic_offset AS o ON o.consumer_group = $1',
    [group],
  );
  return { generation: rows[0]?.id, next: new Map(rows.flatMap(({ topic, next }) => (topic === null ? [] : [[topic, next] as const]))) };
}

/**
 * Keeps now and then, and at the end, how far a group has read. Never backwards: a consumer that lost its lease while handling may keep
 * late; and never in tables that were rebuilt meanwhile, which have read another part of the topics.
 */
function keepOffsets(pool: Pool, group: string, { generation, next, log }: { generation: string | undefined; next: ReadonlyMap<string, number>; log: Log | undefined }): { stop(): Promise<void> } {
  const kept = new Map(next);
  const ended = new AbortController();

  async function keep(): Promise<void> {
    const moved = [...next].filter(([topic, offset]) => kept.get(topic) !== offset);
    if (moved.length === 0) return;
    await pool.query(
      `INSERT INTO topic_offset AS kept (consumer_group, topic, next)
       SELECT $1, moved.topic, moved.next FROM unnest($2::text[], $3::bigint[]) AS moved (topic, next) WHERE EXISTS (SELECT FROM inbox_generation WHERE id = $4)
       ON CONFLICT (consumer_group, topic) DO UPDATE SET next = greatest(kept.next, excluded.next)`,
      [group, moved.map(([topic]) => topic), moved.map(([, offset]) => offset), generation],
    );
    for (const [topic, offset] of moved) kept.set(topic, offset);
  }
  const quietly = (): Promise<void> => keep().catch((error: unknown) => log?.warn({ group, error: String(error) }, 'How far a group has read could not be kept; trying again'));

  const keeping = (async () => {
    while (!ended.signal.aborted) {
      await delay(KEEP_OFFSETS_MS, undefined, { signal: ended.signal }).catch(() => {});
      await quietly();
    }
  })();
  return {
    async stop() {
      ended.abort();
      await keeping;
    },
  };
}

function toEvent({ key, headers, value, position }: Envelope): NewEvent {
  const data = jsonObject(value);
  const kept: Carried = { key, headers, ...(data ? {} : { value }), ...(position ? { position } : {}) };
  return {
    id: randomUUID(), // not the message's: a batch that repeats in part would be refused as a contradiction
    type: headers['ce_type'] || 'Message',
    data: data ?? {},
    metadata: {
      at: headers['ce_time'] ?? new Date().toISOString(),
      by: { organisation: 'sejam', holder: 'system:bus' },
      causationId: `event:${headers['ce_id'] ?? key}`,
      correlationId: headers['ce_correlationid'] ?? headers['ce_id'] ?? key,
      carried: kept,
    },
  };
}

const carried = (event: StoredEvent): Carried => event.metadata['carried'] as Carried;

/** A message as its event holds it. Most messages are understood and their text is never looked at, so it is not written before. */
class FromEvent implements ReceivedEnvelope {
  readonly topic: string;
  readonly partition = 0;
  readonly offset: string;
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly json: object | undefined;
  readonly #text: string | undefined;

  constructor({ stream, revision, data, metadata }: StoredEvent) {
    const { key, headers, value } = metadata['carried'] as Carried;
    this.topic = topicOf(stream);
    this.offset = String(revision);
    this.key = key;
    this.headers = headers;
    this.#text = value;
    this.json = value === undefined ? data : undefined;
  }

  get value(): string {
    return this.#text ?? JSON.stringify(this.json);
  }
}

function withCursor(event: StoredEvent): ReceivedEnvelope & { cursor: string } {
  const { topic, partition, offset, key, headers, value } = new FromEvent(event);
  return { topic, partition, offset, key, headers, value, cursor: offset };
}

/** Undefined unless writing the parsed value gives the same text again: what is handed over must be what was published. */
function jsonObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) && JSON.stringify(value) === text ? value : undefined;
  } catch {
    return undefined;
  }
}

function* chunks(messages: readonly Envelope[]): Generator<NewEvent[]> {
  let chunk: NewEvent[] = [];
  let bytes = 0;
  for (const message of messages) {
    const event = toEvent(message);
    const size = Buffer.byteLength(message.value) + Buffer.byteLength(JSON.stringify(event.metadata)) + 200;
    if (chunk.length > 0 && (bytes + size > APPEND_BYTES || chunk.length === APPEND_EVENTS)) {
      yield chunk;
      [chunk, bytes] = [[], 0];
    }
    chunk.push(event);
    bytes += size;
  }
  if (chunk.length > 0) yield chunk;
}

async function collect<T>(from: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of from) all.push(one);
  return all;
}

function translate(error: unknown): unknown {
  if ((error as Error | undefined)?.name !== 'StoreUnavailable' && !isDatabaseUnavailable(error)) return error;
  const unavailable = new DomainError('bus.unavailable', 'unavailable', 'The bus cannot be reached now', { retryAfterSeconds: 2 });
  unavailable.cause = error;
  return unavailable;
}
