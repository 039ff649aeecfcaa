import { fold, type StoredEvent } from '@sejam/event-sourcing';
import type { Client } from '@sejam/postgres';
import type { SlaPolicyEvent } from '../policy/policy.js';
import { clock, warningAt, type Clock, type ClockEvent, type Clocks } from './clock.js';

/** When the watchdog has to look at a clock next, and at which: the warning first, then the due time. */
export interface Appointment {
  readonly id: string;
  readonly clock: Clock['clock'];
  readonly run: number;
  readonly at: Date;
}

export function nextAt(state: Clocks, one: Clock): Date | undefined {
  if (one.status !== 'running') return undefined;
  return warningAt(state, one) ?? (one.reached === one.due ? undefined : new Date(one.due));
}

/** Rows of clocks and policies; an event that a row has seen changes nothing, an event type that this code does not know is skipped. */
export async function applySlaEvents(client: Client, events: readonly StoredEvent[]): Promise<void> {
  await applyClockEvents(client, events.filter(({ stream }) => stream.startsWith('clock-')));
  for (const event of events.filter(({ type }) => type === 'SlaPolicySet') as StoredEvent<SlaPolicyEvent>[]) {
    const { policy, version } = event.data;
    await client.query('INSERT INTO sla_policy (policy, version, set_at, terms) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING', [policy, version, event.metadata.at, JSON.stringify(event.data)]);
  }
}

interface Decision {
  by?: string;
  at?: string;
}

interface Kept {
  revision: number;
  state: Clocks;
  decisions: Record<string, Decision>;
}

async function applyClockEvents(client: Client, events: readonly StoredEvent[]): Promise<void> {
  if (events.length === 0) return;
  const streams = [...new Set(events.map(({ stream }) => stream))];
  const { rows } = await client.query<{ stream: string; revision: number; state: Omit<Kept, 'revision'> }>('SELECT stream, revision, state FROM clock_stream WHERE stream = ANY($1) FOR UPDATE', [streams]);
  const kept = new Map<string, Kept>(rows.map(({ stream, revision, state }) => [stream, { revision, ...state }]));
  for (const event of events) {
    const before = kept.get(event.stream) ?? { revision: -1, state: clock.initialState, decisions: {} };
    if (event.revision <= before.revision) continue;
    if (!isKnown(event)) {
      kept.set(event.stream, { ...before, revision: event.revision });
      continue;
    }
    kept.set(event.stream, { revision: event.revision, state: fold(clock, [event], before.state), decisions: { ...before.decisions, ...decisionOf(event) } });
  }
  await save(client, kept);
}

function decisionOf(event: StoredEvent<ClockEvent>): Record<string, Decision> {
  const { type, data } = event;
  const name = `${data.clock}/${data.run}`;
  if (type === 'DeadlineMet') return { [name]: { by: data.metBy, at: data.metAt } };
  if (type === 'DeadlineMissed') return { [name]: { by: data.seen, at: data.seenAt } };
  return {};
}

async function save(client: Client, kept: ReadonlyMap<string, Kept>): Promise<void> {
  const streams = [...kept];
  await client.query(
    `INSERT INTO clock_stream (stream, revision, state) SELECT * FROM unnest($1::text[], $2::bigint[], $3::jsonb[])
     ON CONFLICT (stream) DO UPDATE SET revision = excluded.revision, state = excluded.state`,
    [streams.map(([stream]) => stream), streams.map(([, { revision }]) => revision), streams.map(([, { state, decisions }]) => JSON.stringify({ state, decisions }))],
  );
  const rows = streams.flatMap(([stream, { revision, state, decisions }]) => state.clocks.map((one) => ({ stream, revision, state, one, decision: decisions[`${one.clock}/${one.run}`] })));
  type Row = (typeof rows)[number];
  const column = <Value>(value: (row: Row) => Value): Value[] => rows.map(value);
  await client.query(
    `INSERT INTO clock (stream, clock, run, revision, order_id, report_id, takedown_id, platform, status, paused, started_at, due_at, next_at, decided_by, decided_at, terms)
     SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::boolean[],
       $11::timestamptz[], $12::timestamptz[], $13::timestamptz[], $14::text[], $15::timestamptz[], $16::jsonb[])
     ON CONFLICT (stream, clock, run) DO UPDATE SET revision = excluded.revision, status = excluded.status, paused = excluded.paused, due_at = excluded.due_at,
       next_at = excluded.next_at, decided_by = excluded.decided_by, decided_at = excluded.decided_at`,
    [
      column(({ stream }) => stream), column(({ one }) => one.clock), column(({ one }) => one.run), column(({ revision }) => revision), column(({ one }) => one.orderId ?? null),
      column(({ one }) => one.reportId ?? null), column(({ state }) => state.takedownId ?? null), column(({ state }) => state.platform ?? null), column(({ one }) => one.status),
      column(({ one }) => one.paused), column(({ one }) => one.startedAt), column(({ one }) => one.due), column(({ state, one }) => nextAt(state, one)?.toISOString() ?? null),
      column(({ decision }) => decision?.by ?? null), column(({ decision }) => decision?.at ?? null), column(({ state }) => (state.terms === undefined ? null : JSON.stringify(state.terms))),
    ],
  );
}

function isKnown(event: StoredEvent): event is StoredEvent<ClockEvent> {
  return clock.eventTypes.includes(event.type as ClockEvent['type']);
}

/** What the watchdog has to do next, soonest first, from the rows alone. */
export async function appointmentsUntil(client: Client, until: Date, limit: number): Promise<Appointment[]> {
  const { rows } = await client.query<{ stream: string; clock: Clock['clock']; run: number; next_at: Date }>(
    'SELECT stream, clock, run, next_at FROM clock WHERE next_at <= $1 ORDER BY next_at LIMIT $2',
    [until, limit],
  );
  return rows.map(({ stream, clock: kind, run, next_at: at }) => ({ id: stream.slice('clock-'.length), clock: kind, run, at }));
}
