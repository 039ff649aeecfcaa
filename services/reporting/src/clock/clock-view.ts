import type { BusMessage } from '@sejam/bus';
import { understand } from '@sejam/contracts';
import type { Client } from '@sejam/postgres';
import { columns } from '../takedown/takedown-view.js';

/** A clock as sla tells of it. */
export interface ClockRow {
  subject: string;
  clock: string;
  run: number;
  dueAt: string;
  startedAt?: string;
  outcome?: 'met' | 'missed' | 'stopped';
  decidedAt?: string;
}

/** Takes the messages of `sejam.sla.v1` into `clock`. Policies are sla's own page; an order carries the terms it was issued under. */
export async function applyClockMessages(client: Client, messages: readonly BusMessage[]): Promise<void> {
  const clocks = new Map<string, ClockRow>();
  for (const message of messages) {
    const known = understand('sejam.sla.v1', message.type, message.data);
    if (known === undefined || known.type === 'SlaPolicySet') continue;
    const { clock, run } = known.data;
    const subject = known.data.orderId ?? known.data.reportId;
    if (subject === undefined) throw new Error(`${message.type} names neither an order nor a report`);
    const key = `${subject} ${clock} ${run}`;
    const before = clocks.get(key);
    // A stop says no due time: the row keeps the one it has.
    const row: ClockRow = before ?? { subject, clock, run, dueAt: '' };
    clocks.set(key, row);
    if (known.type !== 'ClockStopped') row.dueAt = known.data.due;
    if (known.type === 'ClockStarted') row.startedAt = known.data.startedAt;
    if (known.type === 'ClockStopped') end(row, 'stopped', message.time);
    if (known.type === 'DeadlineMet') end(row, 'met', known.data.metAt);
    if (known.type === 'DeadlineMissed') end(row, 'missed', known.data.seenAt);
  }
  if (clocks.size === 0) return;
  const rows = [...clocks.values()].map(({ subject, clock, run, dueAt, startedAt, outcome, decidedAt }) => [
    subject, clock, run, dueAt === '' ? null : dueAt, startedAt ?? null, outcome ?? null, decidedAt ?? null,
  ]);
  await client.query(upsertClocks, columns(rows, 7));
}

/** A run ends once: what is said of it later changes nothing, here as in the row. */
function end(row: ClockRow, outcome: NonNullable<ClockRow['outcome']>, decidedAt: string): void {
  if (row.outcome === undefined) Object.assign(row, { outcome, decidedAt });
}

const upsertClocks = `
  INSERT INTO clock AS kept (subject, clock, run, due_at, started_at, outcome, decided_at)
  SELECT new.subject, new.clock, new.run, coalesce(new.due_at, old.due_at), new.started_at, coalesce(new.outcome, 'running'), new.decided_at
  FROM unnest($1::text[], $2::text[], $3::int[], $4::timestamptz[], $5::timestamptz[], $6::text[], $7::timestamptz[])
    AS new (subject, clock, run, due_at, started_at, outcome, decided_at)
  LEFT JOIN clock old ON new.due_at IS NULL AND old.subject = new.subject AND old.clock = new.clock AND old.run = new.run
  WHERE coalesce(new.due_at, old.due_at) IS NOT NULL -- of a stop whose start an operator has skipped nothing is known
  ON CONFLICT (subject, clock, run) DO UPDATE SET due_at = excluded.due_at, started_at = coalesce(excluded.started_at, kept.started_at),
    outcome = CASE WHEN kept.outcome = 'running' THEN excluded.outcome ELSE kept.outcome END, decided_at = coalesce(kept.decided_at, excluded.decided_at)`;
