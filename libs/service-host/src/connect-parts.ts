import { setTimeout as delay } from 'node:timers/promises';
import { busMigrations, kafkaBus, logBus, refuseLostOffsets, type Bus, type BusTransport, type Consumer } from '@sejam/bus';
import { topics } from '@sejam/contracts';
import { domainClock, isDomainError, readRecord, transactor, type DomainClock, type EventStore, type OpenedRecord, type Transact } from '@sejam/event-sourcing';
import { connectEventStore } from '@sejam/eventstoredb';
import { createPool, HistoryLost, isDatabaseUnavailable, migrate, postgresMigrations, refuseLostHistory, type Migrations, type Pool } from '@sejam/postgres';
import { list, optional, url, type Config } from './config.js';
import { newEventId } from './event-id.js';
import { StartFault, type ServiceContext } from './run-service.js';

/** A few kilobytes each, so some tens of megabytes at most. */
const REMEMBERED_EVENTS = 20_000;

export interface PartsOptions {
  readonly name: string;
  readonly config: Config<ReturnType<typeof partSettings>>;
  readonly migrations: readonly Migrations[];
  /** See TransactorOptions; 20 000 without it. None where a stream is hardly ever written twice within minutes, and many begin: keeping them costs more than a later read. */
  readonly rememberedEvents?: number;
}

/** Where the three servers are. Without Kafka the conversation goes through topic streams of the store. */
export function partSettings() {
  return {
    eventStoreUrl: url('EVENTSTORE_URL', { protocols: ['esdb:', 'esdb+discover:', 'kurrentdb:', 'kurrentdb+discover:'] }),
    databaseUrl: url('DATABASE_URL', { protocols: ['postgres:', 'postgresql:'] }),
    kafkaBrokers: list('KAFKA_BROKERS'),
    /** Where checkpoints of the record are read from, to be given along with answers and messages. */
    auditUrl: optional(url('SEJAM_AUDIT_URL', { protocols: ['http:', 'https:'] })),
  } as const;
}

export interface Connections {
  readonly store: EventStore;
  /** Of the service's own schema. */
  readonly pool: Pool;
  readonly bus: Bus;
}

/** Of one record, the schema migrated. */
export interface Parts extends Connections {
  readonly record: OpenedRecord;
  readonly clock: DomainClock;
  readonly transact: Transact;
}

/**
 * Connects to the three servers, when they are first asked; each connection is closed at the end. Enough for a thread of a service whose
 * own start has looked at what lies there, see `connectParts`.
 */
export function connect({ name, config }: Pick<PartsOptions, 'name' | 'config'>, { log, onClose }: Pick<ServiceContext, 'log' | 'onClose'>): Connections {
  const store = connectEventStore(config.eventStoreUrl, { logger: log });
  onClose(() => store.close());
  const pool = createPool({ url: config.databaseUrl, schema: name, log });
  onClose(() => pool.end());
  const bus = config.kafkaBrokers.length > 0 ? kafkaBus({ brokers: config.kafkaBrokers, clientId: `sejam-${name}`, log }) : logBus({ store });
  onClose(() => bus.close());
  return { store, pool, bus };
}

/**
 * Connects a service to the record, its schema and the bus, waiting for whatever is not there yet. Throws StartFault when they belong to
 * different records, or PostgreSQL follows from what the record does not hold.
 */
export async function connectParts(options: PartsOptions, context: Pick<ServiceContext, 'log' | 'closing' | 'onClose'>): Promise<Parts> {
  const { migrations, rememberedEvents = REMEMBERED_EVENTS } = options;
  const { store, pool, bus } = connect(options, context);
  const record = await patiently('the record to be opened', context, () => readRecord(store));
  await patiently('PostgreSQL', context, async () => {
    await migrate(pool, [postgresMigrations, ...migrations]);
    await refuseOtherRecord(pool, record.recordId);
    return true;
  });
  await patiently('the record', context, async () => {
    try {
      await refuseLostHistory(pool, store, pool.schema);
      if (bus.kind === 'log' && migrations.includes(busMigrations)) await refuseLostOffsets(pool, store);
      return true;
    } catch (error) {
      throw error instanceof HistoryLost ? new StartFault(error.message) : error;
    }
  });
  const clock = domainClock(record, Date.now);
  return { store, record, clock, transact: transactor(store, clock, { newId: newEventId, rememberedEvents }), pool, bus };
}

/**
 * Looks at the topics as soon as the bus is there, however long that takes, and ends the process when they belong to another record. Call
 * before anything is published or consumed; it waits for nothing itself.
 */
export function refuseOtherRecordsTopics(bus: Bus, recordId: string, context: Pick<ServiceContext, 'log' | 'closing' | 'fail'>): void {
  const look = async (): Promise<true> => {
    await bus.ensureTopics(Object.keys(topics));
    for (const topic of Object.keys(topics)) {
      for await (const { headers } of bus.readTopic(topic)) {
        const theirs = /^sejam:\/\/([^/]+)\//.exec(headers['ce_source'] ?? '')?.[1];
        if (theirs !== undefined && theirs !== recordId) throw otherRecord(`topic ${topic}`, theirs, recordId);
        break;
      }
    }
    return true;
  };
  void patiently('the topics', context, look, (error) => !(error instanceof StartFault)).catch((error: unknown) => {
    if (!context.closing.aborted) context.fail(error as Error);
  });
}

/** For health: whether the bus is listened to, and how many messages wait. */
export async function busState(transport: BusTransport): Promise<{ connected: boolean; lag: number }> {
  const consumer = transport.unwrap<Consumer>();
  const { connected } = consumer.status();
  if (!connected) return { connected, lag: 0 };
  return { connected, lag: Object.values(await consumer.lag()).reduce((sum, lag) => sum + lag, 0) };
}

async function refuseOtherRecord(pool: Pool, recordId: string): Promise<void> {
  await pool.query('INSERT INTO part_of_record (record_id) VALUES ($1) ON CONFLICT DO NOTHING', [recordId]);
  const { rows } = await pool.query<{ record_id: string }>('SELECT record_id FROM part_of_record');
  const theirs = rows[0]?.record_id;
  if (theirs !== recordId) throw otherRecord(`PostgreSQL's schema ${pool.schema}`, theirs ?? 'none', recordId);
}

function otherRecord(what: string, theirs: string, recordId: string): StartFault {
  return new StartFault(`The record is ${recordId}, but ${what} belongs to record ${theirs}: parts of two records are never mixed`);
}

/**
 * Repeats `get` until it gives something: a service that starts waits for what it needs, as long as that is away. Throws what is no
 * outage, and StartFault when the process is to end before.
 */
export async function patiently<T>(
  what: string,
  { log, closing }: Pick<ServiceContext, 'log' | 'closing'>,
  get: () => Promise<T | undefined>,
  mayPass: (error: unknown) => boolean = isOutage,
): Promise<T> {
  for (let pauseMs = 50, said = false; ; pauseMs = Math.min(pauseMs * 2, 1_000)) {
    let cause = 'it is not there yet';
    try {
      const found = await get();
      if (found !== undefined) return found;
    } catch (error) {
      if (!mayPass(error)) throw error;
      cause = (error as Error).message;
    }
    if (closing.aborted) throw new StartFault(`It was ended while it waited for ${what}`);
    if (!said && pauseMs >= 1_000) {
      said = true;
      log.warn({ cause }, `Waiting for ${what}`);
    }
    await delay(pauseMs, undefined, { signal: closing }).catch(() => undefined);
  }
}

function isOutage(error: unknown): boolean {
  const { name } = (error ?? {}) as { name?: string };
  return name === 'StoreUnavailable' || (isDomainError(error) && error.kind === 'unavailable') || isDatabaseUnavailable(error);
}
