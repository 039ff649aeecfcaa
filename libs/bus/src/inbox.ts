import { createHash } from 'node:crypto';
import { DomainError } from '@sejam/event-sourcing';
import { tx, type Client, type Log, type Pool } from '@sejam/postgres';
import { describe, GenerationChanged, isTransient } from './failure.js';
import type { TopicHandler } from './handlers.js';
import { fromEnvelope, isHeartbeat, sequenceOf, type BusMessage, type ReceivedEnvelope } from './message.js';
import { advance, Parking, type Item, type StreamState } from './parking.js';

export interface InboxOptions {
  /** The consumer's schema: `busMigrations` and, for views, its own tables. */
  readonly pool: Pool;
  /** Permanent: what was handled is remembered under it. */
  readonly consumer: string;
  /** By topic. */
  readonly handlers: Readonly<Record<string, TopicHandler>>;
  /** Subjects that an append handler works on at the same time; 16 without it. */
  readonly concurrency?: number;
  /** Messages that are no events; they pass without being remembered, after what came before them. */
  onHeartbeat?(message: BusMessage): void | Promise<void>;
  readonly log?: Log;
}

/**
 * What stands between a topic and a handler: each event of a stream is handled once, in order. What cannot be handled is parked with
 * its cause and holds its stream, the others go on; what fails for want of a server is tried again by the bus, for ever.
 */
export class Inbox {
  private generation: string | undefined;

  constructor(private readonly options: InboxOptions) {}

  /** Handles all of them or throws an error that is worth retrying. `messages` are of one topic, those of a stream in order. */
  async receive(messages: readonly ReceivedEnvelope[], signal: AbortSignal): Promise<void> {
    const items = messages.map(examine);
    const events = items.filter(({ message }) => !message || !isHeartbeat(message));
    if (events.length > 0) {
      try {
        await this.take(events, false, signal);
      } catch (error) {
        if (isTransient(error) || this.handler(events[0]!.raw.topic).kind !== 'view') throw error;
        // One of them fails in the handler and took the others' transaction with it.
        for (const item of events) await this.take([item], true, signal);
      }
    }
    for (const { message } of items) if (message && isHeartbeat(message)) await this.options.onHeartbeat?.(message);
  }

  /** Tries the waiting messages of a stream again, in order, until one fails or none is left. */
  async replay(stream: string): Promise<void> {
    await this.locked([stream], async (client, states) => {
      const state = states.get(stream);
      if (!state?.held) return;
      await this.parking(client).drain(state);
      await this.save(client, [state]);
    });
  }

  /** Tries every stream that is held: new code may understand what old code did not. */
  async replayAll(signal: AbortSignal): Promise<void> {
    const { rows } = await this.options.pool.query<{ stream: string }>('SELECT stream FROM inbox WHERE consumer = $1 AND held', [this.options.consumer]);
    for (const { stream } of rows) if (!signal.aborted) await this.replay(stream);
  }

  private async take(items: readonly Item[], alone: boolean, signal: AbortSignal): Promise<void> {
    const topic = items[0]!.raw.topic;
    const handler = this.handler(topic);
    const byStream = inStreams(items);
    const place = new Map(items.map((item, index) => [item, index]));
    let unfinished: unknown;
    await this.locked([...byStream.keys()], async (client, states, skipped) => {
      const parking = this.parking(client);
      const together: { index: number; message: BusMessage }[] = [];
      const unblocked: StreamState[] = [];

      const handle = async (item: Item, message: BusMessage): Promise<void> => {
        if (handler.kind === 'append') return handler.handle(message);
        if (alone) return savepoint(client, () => handler.handle(client, [message]));
        together.push({ index: place.get(item)!, message });
      };

      const follow = async (state: StreamState, streamItems: readonly Item[]): Promise<void> => {
        for (const item of streamItems) {
          if (signal.aborted) throw new DOMException('The consumer is being stopped', 'AbortError');
          const verdict = judge(item, state, skipped.has(skipKey(item)));
          if (verdict === 'known') continue;
          if (state.held) {
            const added = await parking.park(item, 'queued', 'Waits behind a parked message of its stream');
            if (added && item.sequence === state.revision + 1 && !unblocked.includes(state)) unblocked.push(state);
            continue;
          }
          if (verdict === 'skipped') {
            advance(state, item);
            continue;
          }
          if (verdict === 'next') {
            try {
              await handle(item, item.message!);
              advance(state, item);
              continue;
            } catch (error) {
              if (isTransient(error)) {
                unfinished ??= error;
                return; // what follows in this stream comes again with it
              }
              await this.park(parking, state, item, 'not-understood', describe(error));
              continue;
            }
          }
          await this.park(parking, state, item, verdict, explain(item, state, verdict));
        }
      };

      // Appends of different streams run side by side; a view takes what is new of all streams in one call, as it came.
      const chains = [...byStream].map(([stream, streamItems]) => () => follow(states.get(stream)!, streamItems));
      await sideBySide(chains, this.options.concurrency ?? 16);
      if (handler.kind === 'view' && together.length > 0) await handler.handle(client, together.sort((a, b) => a.index - b.index).map(({ message }) => message));
      await this.save(client, [...states.values()]);
      for (const state of unblocked) {
        await parking.drainIfNext(state);
        await this.save(client, [state]);
      }
    });
    // What was done is kept; the rest is delivered again and known then.
    if (unfinished !== undefined) throw unfinished;
  }

  private async park(parking: Parking, state: StreamState, item: Item, cause: 'not-understood' | 'gap' | 'history-diverged', detail: string): Promise<void> {
    await parking.park(item, cause, detail);
    state.held = true;
    state.changed = true;
    this.options.log?.error({ consumer: this.options.consumer, stream: item.stream, sequence: item.sequence, eventId: item.eventId, cause, detail }, 'A message is parked; its stream waits');
  }

  private handler(topic: string): TopicHandler {
    const handler = this.options.handlers[topic];
    if (!handler) throw new DomainError('message.unexpected', 'invalid', `Consumer ${this.options.consumer} handles no messages of ${topic}`);
    return handler;
  }

  private parking(client: Client): Parking {
    return new Parking(client, this.options.consumer, {
      examine,
      handle: async (topic, message) => {
        const handler = this.handler(topic);
        await (handler.kind === 'append' ? handler.handle(message) : savepoint(client, () => handler.handle(client, [message])));
      },
    });
  }

  /** Runs `work` while nobody else can handle these streams for this consumer. */
  private async locked(streams: readonly string[], work: (client: Client, states: Map<string, StreamState>, skipped: Set<string>) => Promise<void>): Promise<void> {
    const { pool, consumer } = this.options;
    await tx(pool, async (client) => {
      const { rows } = await client.query<LockedRow>(
        `SELECT g.id AS generation, i.stream, i.revision, i.event_id, i.held,
           (SELECT json_agg(json_build_object('stream', stream, 'sequence', sequence, 'eventId', event_id)) FROM skipped_message WHERE consumer = $1 AND stream = ANY($2)) AS skipped
         FROM inbox_generation AS g
         LEFT JOIN (SELECT * FROM inbox WHERE consumer = $1 AND stream = ANY($2) ORDER BY stream FOR UPDATE) AS i ON true`,
        [consumer, streams],
      );
      const generation = rows[0]?.generation;
      this.generation ??= generation;
      if (generation !== this.generation) throw new GenerationChanged(`The tables of ${pool.schema} were rebuilt`);
      const states = new Map<string, StreamState>(streams.map((stream) => [stream, { stream, revision: -1, eventId: '', held: false, stored: false, changed: false }]));
      for (const { stream, revision, event_id: eventId, held } of rows) if (stream !== null) states.set(stream, { stream, revision, eventId, held, stored: true, changed: false });
      const skipped = new Set((rows[0]?.skipped ?? []).map(skipKey));
      await work(client, states, skipped);
    });
  }

  private async save(client: Client, states: readonly StreamState[]): Promise<void> {
    const changed = states.filter((state) => state.changed);
    if (changed.length === 0) return;
    // `ANY` looks each stream up, also in a plan that was made while the table was small. A new row is inserted and never replaces another: two consumers that begin the same stream at once are told apart by that.
    await client.query(
      `WITH new AS (SELECT * FROM unnest($2::text[], $3::bigint[], $4::text[], $5::boolean[], $6::boolean[]) AS new (stream, revision, event_id, held, stored)),
       updated AS (UPDATE inbox SET revision = new.revision, event_id = new.event_id, held = new.held FROM new
         WHERE new.stored AND inbox.consumer = $1 AND inbox.stream = ANY($2) AND inbox.stream = new.stream)
       INSERT INTO inbox (consumer, stream, revision, event_id, held) SELECT $1, stream, revision, event_id, held FROM new WHERE NOT stored`,
      [this.options.consumer, changed.map(({ stream }) => stream), changed.map(({ revision }) => revision), changed.map(({ eventId }) => eventId), changed.map(({ held }) => held), changed.map(({ stored }) => stored)],
    );
    for (const state of changed) {
      state.changed = false;
      state.stored = true;
    }
  }
}

interface LockedRow {
  readonly generation: string;
  /** Null in the only row when none of the streams is known. */
  readonly stream: string | null;
  readonly revision: number;
  readonly event_id: string;
  readonly held: boolean;
  readonly skipped: readonly Pick<Item, 'stream' | 'sequence' | 'eventId'>[] | null;
}

type Verdict = 'known' | 'skipped' | 'next' | 'not-understood' | 'gap' | 'history-diverged';

function judge(item: Item, state: StreamState, isSkipped: boolean): Verdict {
  const { sequence } = item;
  if (sequence >= 0 && sequence < state.revision) return 'known';
  if (sequence >= 0 && sequence === state.revision) return item.eventId === state.eventId || isSkipped ? 'known' : 'history-diverged';
  if (isSkipped) return 'skipped';
  if (sequence > state.revision + 1) return 'gap';
  return item.message ? 'next' : 'not-understood';
}

function explain(item: Item, state: StreamState, verdict: 'not-understood' | 'gap' | 'history-diverged'): string {
  if (verdict === 'gap') return `Revision ${item.sequence} came while ${state.revision + 1} is missing`;
  if (verdict === 'history-diverged') return `Revision ${item.sequence} was event ${state.eventId} before and is ${item.eventId} now`;
  return item.fault ?? 'The message cannot be understood';
}

/** A message that is not understood is still filed under what it says of itself, as far as it says it. */
export function examine(raw: ReceivedEnvelope): Item {
  const claimed = (): number => {
    try {
      return sequenceOf(raw.headers) ?? -1;
    } catch {
      return -1;
    }
  };
  const place = `${raw.topic}/${raw.partition}`;
  try {
    const message = fromEnvelope(raw);
    return { raw, message, stream: filed(message.subject), sequence: message.sequence ?? -1, eventId: filed(message.id) };
  } catch (error) {
    return { raw, fault: describe(error), stream: filed(raw.key || raw.headers['ce_subject'] || place), sequence: claimed(), eventId: filed(raw.headers['ce_id'] || `${place}/${raw.offset}`) };
  }
}

/** A name that an index can hold, whatever somebody has put in its place. */
function filed(name: string): string {
  const text = name.replaceAll('\0', '\uFFFD');
  return text.length <= 300 ? text : `${text.slice(0, 200)}…${createHash('sha256').update(text).digest('hex')}`;
}

function inStreams(items: readonly Item[]): Map<string, Item[]> {
  const streams = new Map<string, Item[]>();
  for (const item of items) {
    const before = streams.get(item.stream);
    if (before) before.push(item);
    else streams.set(item.stream, [item]);
  }
  return streams;
}

const skipKey = ({ stream, sequence, eventId }: Pick<Item, 'stream' | 'sequence' | 'eventId'>): string => `${stream}\n${sequence}\n${eventId}`;

/** An error of `work` undoes its statements and no others. */
async function savepoint(client: Client, work: () => Promise<void>): Promise<void> {
  await client.query('SAVEPOINT handler');
  try {
    await work();
  } catch (error) {
    if (!isTransient(error)) await client.query('ROLLBACK TO SAVEPOINT handler');
    throw error;
  }
  await client.query('RELEASE SAVEPOINT handler');
}

async function sideBySide(chains: readonly (() => Promise<void>)[], most: number): Promise<void> {
  let next = 0;
  const workers = Array.from({ length: Math.min(most, chains.length) }, async () => {
    while (next < chains.length) await chains[next++]!();
  });
  // All settle before the transaction around them goes on or back.
  const failed = (await Promise.allSettled(workers)).find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
}
