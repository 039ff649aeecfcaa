import type { Position } from '@sejam/event-sourcing';
import type { Log, Pool } from '@sejam/postgres';
import type { Envelope, ReceivedEnvelope } from './message.js';

export interface ConsumeOptions {
  /** Consumers of one group share the topics: each message is handled by one of them. Permanent. */
  readonly group: string;
  readonly topics: readonly string[];
  /**
   * The consumer's own schema (`busMigrations`). How far the group has read belongs to these tables: another schema, or one that was
   * wiped, reads from the first offset.
   */
  readonly pool: Pool;
  /** Messages of one call at most; 500 without it. */
  readonly batchMax?: number;
  /** Wall time between two calls while messages keep coming, so that they are fewer and larger; 0 without it. */
  readonly gatherMs?: number;
  readonly log?: Log;
  /**
   * Messages of one topic, in order within each partition; the next call for those partitions waits. A rejection is logged and the same messages come
   * again after a back-off, for ever. Should end soon after `signal` aborts: then another consumer may be handling them.
   */
  handle(messages: readonly ReceivedEnvelope[], signal: AbortSignal): Promise<void>;
}

export interface Consumption {
  readonly status: () => { readonly connected: boolean };
  /** Messages not yet handled by the group, per topic. Asks the bus; throws DomainError `bus.unavailable`. */
  lag(): Promise<Readonly<Record<string, number>>>;
  /** Resolves when no handler is running and what was handled is remembered. */
  stop(): Promise<void>;
}

export interface ReadTopicOptions {
  /** A cursor of an earlier message; exclusive. Without it: from the first message. */
  readonly after?: string;
  /** Go on for ever with what comes; else end at what was there when reading began. */
  readonly follow?: boolean;
  readonly signal?: AbortSignal;
}

/**
 * The conversation between services. At least once, in order per key, kept for ever. Exactly two adapters: Kafka, and topics as streams
 * of the record's store. What is published is never changed by the bus.
 */
export interface Bus {
  readonly kind: 'kafka' | 'log';
  /** Creates what is missing, with 12 partitions and without expiry; the rest of the bus's methods want it called first. */
  ensureTopics(topics: readonly string[]): Promise<void>;
  /**
   * Resolves when all are durable; the order of one key is the order given. When it rejects with DomainError `bus.unavailable`, any
   * part of them may be there: repeat all. One call at a time per process and topic, else the order between the calls is undefined.
   */
  publish(topic: string, messages: readonly Envelope[]): Promise<void>;
  /** Never silently stops: reconnects for ever. */
  consume(options: ConsumeOptions): Consumption;
  /** Every message of a topic, for one reader alone: no group, nothing remembered. `cursor` is opaque and fits `after`. */
  readTopic(topic: string, options?: ReadTopicOptions): AsyncIterable<ReceivedEnvelope & { readonly cursor: string }>;
  /**
   * Where in the record the newest message of the topic was taken from, if the bus keeps that: a publisher that lost its checkpoint
   * goes on behind it. Undefined: publish from the beginning, consumers skip what they know.
   */
  lastPosition(topic: string): Promise<Position | undefined>;
  /** Resolves when the bus answers; throws DomainError `bus.unavailable`. */
  ping(): Promise<void>;
  /** Stops every consumption and publisher. */
  close(): Promise<void>;
}
