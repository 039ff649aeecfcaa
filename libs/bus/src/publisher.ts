import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { EventStore, Position, StoredEvent } from '@sejam/event-sourcing';
import { adoptCheckpoint, comparePositions, keepLease, LeaseLost, saveCheckpoint, type Log, type Pool } from '@sejam/postgres';
import type { Bus } from './bus.js';
import { toEnvelope, type BusMessage, type Envelope } from './message.js';

/** An event's message as its owner words it; the rest of the envelope follows from the event. */
export interface Worded {
  /** Such as `sejam.takedown.v1.OrderIssued`. */
  readonly type: string;
  /** ProtoJSON. */
  readonly data: object;
}

export interface PublisherOptions {
  readonly store: EventStore;
  readonly bus: Bus;
  /** Holds lease and checkpoint (`postgresMigrations`). */
  readonly pool: Pool;
  /** Permanent; also the last part of `ce_source`. */
  readonly service: string;
  readonly recordId: string;
  /** The category's prefix, such as `takedown-`, to its topic. Every event of these streams is published, each as one message. */
  readonly topics: Readonly<Record<string, string>>;
  /** Events of one round at most; 500 without it. */
  readonly batchMax?: number;
  /** Wall time between two rounds while events keep coming, so that they are fewer and larger; 0 without it. */
  readonly gatherMs?: number;
  readonly leaseTtlMs?: number;
  readonly log?: Log;
  /** One message per event, in order; fields may be dropped, events not. An error stops publishing until a later try succeeds. */
  word(events: readonly StoredEvent[]): readonly Worded[] | Promise<readonly Worded[]>;
  /** Sent while there is nothing older to tell; its time is wall time. Identity alone needs it. */
  readonly heartbeat?: { readonly topic: string; readonly type: `${string}.Heartbeat`; readonly everyMs: number };
}

export interface Publisher {
  status(): { readonly active: boolean; readonly caughtUp: boolean; readonly after?: Position; readonly failing?: string };
  stop(): Promise<void>;
}

/**
 * Tells a topic every event of the service's own categories: publish, then checkpoint, one active instance by lease. It can only
 * repeat, never omit or reorder within a stream. Without a checkpoint it goes on behind what the topics hold, where the bus knows that,
 * else from the beginning.
 */
export function runPublisher(options: PublisherOptions): Publisher {
  const { store, bus, pool, service, log, heartbeat } = options;
  const name = `publisher ${service}`;
  const source = `sejam://${options.recordId}/${service}`;
  let after: Position | undefined;
  let caughtUp = (): boolean => false;
  let failing: string | undefined;

  const topicOf = (event: StoredEvent): string => {
    const prefix = Object.keys(options.topics).find((prefix) => event.stream.startsWith(prefix));
    return options.topics[prefix ?? ''] ?? ''; // the subscription hands over no others
  };

  /** Per topic the newest event that it has, where the bus knows; and the place before which all topics have everything. */
  async function resume(checkpoint: Position | undefined): Promise<{ from: Position | undefined; has: ReadonlyMap<string, Position> }> {
    if (checkpoint) return { from: checkpoint, has: new Map() };
    const has = new Map<string, Position>();
    const topics = [...new Set(Object.values(options.topics))];
    for (const topic of topics) {
      const last = await bus.lastPosition(topic);
      if (last) has.set(topic, last);
    }
    const from = has.size === topics.length ? [...has.values()].reduce((least, position) => (comparePositions(position, least) < 0 ? position : least)) : undefined;
    return { from, has };
  }

  async function publish(events: readonly StoredEvent[], has: ReadonlyMap<string, Position>): Promise<void> {
    const missing = events.filter((event) => {
      // The store's own notice, in an ordinary stream, that it was deleted: nothing that its owner has said.
      if (event.type === '$streamDeleted') return false;
      const last = has.get(topicOf(event));
      return !last || comparePositions(event.position, last) > 0;
    });
    if (missing.length === 0) return;
    const worded = await options.word(missing);
    if (worded.length !== missing.length) throw new Error(`Publisher ${service} made ${worded.length} messages of ${missing.length} events; it must be one each`);
    const byTopic = new Map<string, Envelope[]>();
    missing.forEach((event, index) => {
      const envelope = toEnvelope(messageOf(event, worded[index]!), event.position);
      const envelopes = byTopic.get(topicOf(event));
      if (envelopes) envelopes.push(envelope);
      else byTopic.set(topicOf(event), [envelope]);
    });
    for (const [topic, envelopes] of byTopic) await bus.publish(topic, envelopes);
  }

  function messageOf(event: StoredEvent, worded: Worded): BusMessage {
    const { metadata } = event;
    return {
      id: event.id,
      type: worded.type,
      source,
      subject: event.stream,
      time: metadata.at,
      sequence: event.revision,
      correlationId: metadata.correlationId,
      causationId: metadata.causationId,
      ...(metadata.traceparent === undefined ? {} : { traceparent: metadata.traceparent }),
      data: worded.data as Record<string, unknown>,
    };
  }

  const keeper = keepLease({
    pool,
    name,
    ...(options.leaseTtlMs === undefined ? {} : { ttlMs: options.leaseTtlMs }),
    ...(log === undefined ? {} : { log }),
    async work({ epoch, signal }) {
      await bus.ensureTopics([...new Set(Object.values(options.topics))]);
      const { from, has } = await resume(await adoptCheckpoint(pool, name, epoch));
      if (signal.aborted) return;
      const over = new AbortController();
      let saved = 0;
      const subscription = store.subscribe({
        name,
        prefixes: Object.keys(options.topics),
        batchMax: options.batchMax ?? 500,
        ...(options.gatherMs === undefined ? {} : { gatherMs: options.gatherMs }),
        ...(from === undefined ? {} : { after: from }),
        async handle(events, checkpoint) {
          if (signal.aborted) throw new LeaseLost(name, epoch);
          try {
            if (events.length > 0) await publish(events, has);
            // Others' events move the place too; keeping that is worth a write now and then.
            if (events.length > 0 || performance.now() - saved > 1_000) {
              await saveCheckpoint(pool, name, epoch, checkpoint, events.at(-1));
              saved = performance.now();
            }
            after = checkpoint;
            failing = undefined;
          } catch (error) {
            failing = String(error);
            if ((error as Error).name === 'LeaseLost') over.abort();
            else log?.error({ publisher: service, first: events[0]?.id, error: failing }, 'Events could not be published; trying again');
            throw error;
          }
        },
      });
      caughtUp = () => subscription.status().caughtUp;
      const beating = heartbeat && beat(heartbeat, AbortSignal.any([signal, over.signal]));
      const either = AbortSignal.any([signal, over.signal]);
      if (!either.aborted) await once(either, 'abort');
      await Promise.all([subscription.stop(), beating]);
      caughtUp = () => false;
    },
  });

  async function beat({ topic, type, everyMs }: NonNullable<PublisherOptions['heartbeat']>, signal: AbortSignal): Promise<void> {
    for (let pauseMs = 0; ; pauseMs = everyMs) {
      await delay(pauseMs, undefined, { signal }).catch(() => {});
      while (!signal.aborted && !caughtUp()) await delay(Math.min(everyMs, 50), undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      const time = new Date().toISOString();
      const message: BusMessage = { id: `heartbeat-${service}-${time}`, type, source, subject: `heartbeat-${service}`, time, data: { at: time } };
      await bus.publish(topic, [toEnvelope(message)]).catch((error: unknown) => log?.warn({ publisher: service, error: String(error) }, 'A heartbeat could not be sent'));
    }
  }

  return {
    status: () => ({
      active: keeper.held() !== undefined,
      caughtUp: caughtUp(),
      ...(after === undefined ? {} : { after }),
      ...(failing === undefined ? {} : { failing }),
    }),
    stop: () => keeper.stop(),
  };
}
