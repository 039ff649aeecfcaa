import { DomainError } from '@sejam/event-sourcing';
import { tx, type Client, type Pool } from '@sejam/postgres';
import { describe, isTransient } from './failure.js';
import type { BusMessage, ReceivedEnvelope } from './message.js';

export type ParkedCause = 'not-understood' | 'gap' | 'history-diverged' | 'queued';

/** A received message as the inbox files it. */
export interface Item {
  readonly raw: ReceivedEnvelope;
  /** Missing when it is not understood; `fault` says why. */
  readonly message?: BusMessage;
  readonly fault?: string;
  readonly stream: string;
  /** -1: it does not say it. */
  readonly sequence: number;
  readonly eventId: string;
}

/** A row of the inbox while its stream is locked. */
export interface StreamState {
  readonly stream: string;
  revision: number;
  eventId: string;
  held: boolean;
  stored: boolean;
  changed: boolean;
}

export function advance(state: StreamState, { sequence, eventId }: Pick<Item, 'sequence' | 'eventId'>): void {
  state.changed = true;
  if (sequence <= state.revision) return;
  state.revision = sequence;
  state.eventId = eventId;
}

/** What operators see of a message that waits. */
export interface ParkedMessage {
  readonly id: string;
  readonly consumer: string;
  readonly topic: string;
  readonly stream: string;
  readonly sequence?: number;
  readonly eventId: string;
  readonly type?: string;
  /** `queued`: it waits behind an earlier one of its stream. */
  readonly cause: ParkedCause;
  readonly detail: string;
  readonly attempts: number;
  readonly parkedAt: Date;
  readonly headers: Readonly<Record<string, string>>;
  readonly value: string | null;
}

interface Row {
  readonly id: number;
  readonly consumer: string;
  readonly stream: string;
  readonly sequence: number;
  readonly event_id: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly key: string | null;
  readonly headers: Record<string, string>;
  readonly value: string | null;
  readonly cause: ParkedCause;
  readonly detail: string;
  readonly attempts: number;
  readonly parked_at: Date;
}

/** What waits in this schema, oldest first, for every consumer of the service. `after` is the id of the last one seen. */
export async function listParked(pool: Pool, { limit = 50, after = '0' }: { limit?: number; after?: string } = {}): Promise<ParkedMessage[]> {
  const { rows } = await pool.query<Row>('SELECT * FROM parked_message WHERE id > $1 ORDER BY id LIMIT $2', [parkedId(after), limit]);
  return rows.map((row) => ({
    id: String(row.id),
    consumer: row.consumer,
    topic: row.topic,
    stream: row.stream,
    ...(row.sequence < 0 ? {} : { sequence: row.sequence }),
    eventId: row.event_id,
    ...(row.headers['ce_type'] === undefined ? {} : { type: row.headers['ce_type'] }),
    cause: row.cause,
    detail: row.detail,
    attempts: row.attempts,
    parkedAt: row.parked_at,
    headers: row.headers,
    value: row.value,
  }));
}

/** Streams that wait, for metrics. */
export async function countHeldStreams(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ held: number }>('SELECT count(*) AS held FROM inbox WHERE held');
  return rows[0]?.held ?? 0;
}

/** The stream a parked message holds or waits in; throws DomainError `parked.not-found`. */
export async function parkedStream(pool: Pool, id: string): Promise<{ readonly consumer: string; readonly stream: string }> {
  const { rows } = await pool.query<Row>('SELECT consumer, stream FROM parked_message WHERE id = $1', [parkedId(id)]);
  if (!rows[0]) throw new DomainError('parked.not-found', 'not-found', 'No such message is parked; it may have been replayed or skipped meanwhile');
  return rows[0];
}

/** Remembers for ever that this message is done without. Takes effect when its stream is replayed. */
export async function rememberSkip(pool: Pool, id: string, { operator, reason }: { operator: string; reason: string }): Promise<void> {
  await tx(pool, async (client) => {
    const { rowCount } = await client.query(
      `INSERT INTO skipped_message (consumer, stream, sequence, event_id, operator, reason)
       SELECT consumer, stream, sequence, event_id, $2, $3 FROM parked_message WHERE id = $1
       ON CONFLICT (consumer, stream, sequence, event_id) DO UPDATE SET operator = excluded.operator, reason = excluded.reason`,
      [parkedId(id), operator, reason],
    );
    if (rowCount === 0) throw new DomainError('parked.not-found', 'not-found', 'No such message is parked; it may have been replayed or skipped meanwhile');
  });
}

function parkedId(text: string): string {
  if (!/^\d{1,18}$/.test(text)) throw new DomainError('parked.not-found', 'not-found', 'No such message is parked');
  return text;
}

/** The waiting messages of one consumer, inside a transaction that has locked their streams. */
export class Parking {
  constructor(
    private readonly client: Client,
    private readonly consumer: string,
    private readonly inbox: { examine(raw: ReceivedEnvelope): Item; handle(topic: string, message: BusMessage): Promise<void> },
  ) {}

  /** False when it waits already: a redelivery. */
  async park(item: Item, cause: ParkedCause, detail: string): Promise<boolean> {
    const { raw } = item;
    const { rowCount } = await this.client.query(
      `INSERT INTO parked_message (consumer, stream, sequence, event_id, topic, partition, "offset", key, headers, value, cause, detail)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING`,
      [this.consumer, item.stream, item.sequence, item.eventId, raw.topic, raw.partition, raw.offset, raw.key, JSON.stringify(raw.headers), raw.value, cause, detail].map(storable),
    );
    return rowCount === 1;
  }

  /** A held stream got the message it may have waited for: drains if that is now the first in line. */
  async drainIfNext(state: StreamState): Promise<void> {
    const head = await this.head(state);
    if (head?.sequence === state.revision + 1) await this.drain(state);
  }

  /** Handles the waiting messages in order, until one fails (its cause is updated, the stream stays held) or none is left. */
  async drain(state: StreamState): Promise<void> {
    for (;;) {
      const row = await this.head(state);
      if (!row) {
        state.held = false;
        state.changed = true;
        return;
      }
      const item = this.inbox.examine({ topic: row.topic, partition: row.partition, offset: row.offset, key: row.key, headers: row.headers, value: row.value });
      const stays = (await this.isSkipped(row)) ? this.pass(state, row) : await this.tryOne(state, row, item);
      if (stays) {
        await this.client.query('UPDATE parked_message SET cause = $2, detail = $3, attempts = attempts + 1 WHERE id = $1', [row.id, stays.cause, storable(stays.detail)]);
        return;
      }
      await this.client.query('DELETE FROM parked_message WHERE id = $1', [row.id]);
    }
  }

  private pass(state: StreamState, row: Row): undefined {
    advance(state, { sequence: row.sequence, eventId: row.event_id });
    return undefined;
  }

  /** Undefined when it is done; else why it stays. */
  private async tryOne(state: StreamState, row: Row, item: Item): Promise<{ cause: ParkedCause; detail: string } | undefined> {
    const { sequence, eventId } = item;
    if (sequence < 0) return { cause: 'not-understood', detail: item.fault ?? row.detail };
    if (sequence < state.revision) return undefined;
    if (sequence === state.revision) return eventId === state.eventId ? undefined : { cause: 'history-diverged', detail: `Revision ${sequence} was event ${state.eventId} before and is ${eventId} now` };
    if (sequence > state.revision + 1) return { cause: 'gap', detail: `Revision ${sequence} came while ${state.revision + 1} is missing` };
    if (!item.message) return { cause: 'not-understood', detail: item.fault ?? row.detail };
    try {
      await this.inbox.handle(item.raw.topic, item.message);
    } catch (error) {
      if (isTransient(error)) throw error;
      return { cause: 'not-understood', detail: describe(error) };
    }
    advance(state, item);
    return undefined;
  }

  private async head(state: StreamState): Promise<Row | undefined> {
    const { rows } = await this.client.query<Row>('SELECT * FROM parked_message WHERE consumer = $1 AND stream = $2 ORDER BY sequence, id LIMIT 1', [this.consumer, state.stream]);
    return rows[0];
  }

  private async isSkipped(row: Row): Promise<boolean> {
    const { rowCount } = await this.client.query('SELECT 1 FROM skipped_message WHERE consumer = $1 AND stream = $2 AND sequence = $3 AND event_id = $4', [
      this.consumer,
      row.stream,
      row.sequence,
      row.event_id,
    ]);
    return rowCount > 0;
  }
}

/** PostgreSQL's text cannot hold a zero character, and a poisoned message may be made of them. */
function storable(value: unknown): unknown {
  return typeof value === 'string' ? value.replaceAll('\0', '\uFFFD') : value;
}
