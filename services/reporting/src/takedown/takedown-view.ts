import type { BusMessage } from '@sejam/bus';
import { understand } from '@sejam/contracts';
import type { Client } from '@sejam/postgres';
import { answeredAt, clocksOf, expectedBy, firstAt, hear, isOpen, resolutionOf, take, unknownTakedown, type FollowedOrder, type FollowedTakedown } from './followed-takedown.js';

const prefix = 'takedown-';

/** Takes the messages of `sejam.takedown.v1` into `takedown` and `placed_order`, in three statements, however many they are. */
export async function applyTakedownMessages(client: Client, messages: readonly BusMessage[]): Promise<void> {
  const understood = messages.map((message) => ({ message, known: understand('sejam.takedown.v1', message.type, message.data) }));
  const ids = new Set(messages.map(({ subject }) => idOf(subject)));
  const { rows } = await client.query<{ id: string; state: FollowedTakedown }>('SELECT id, state FROM takedown WHERE id = ANY($1::uuid[])', [[...ids]]);
  const takedowns = new Map(rows.map(({ id, state }) => [id, { state, revision: 0 }]));
  for (const { message, known } of understood) {
    const id = idOf(message.subject);
    let takedown = takedowns.get(id);
    if (takedown === undefined) takedowns.set(id, (takedown = { state: unknownTakedown(id), revision: 0 }));
    takedown.revision = message.sequence ?? 0;
    if (known === undefined) hear(takedown.state, message.time);
    else take(takedown.state, known, message.time);
  }
  const all = [...takedowns.values()];
  await client.query(upsertTakedowns, columns(all.map(({ state, revision }) => [
    state.id, revision, state.platform, state.category, state.openedAt, JSON.stringify([...new Set(state.reports.map(({ reportedBy }) => reportedBy))]),
    JSON.stringify(state.reports.map(({ reportId }) => reportId)), JSON.stringify(state),
  ]), 8));
  const orders = all.flatMap(({ state, revision }) => state.orders.map((order) => orderRow(state, order, revision)));
  if (orders.length > 0) await client.query(upsertOrders, columns(orders, 24));
}

function orderRow(takedown: FollowedTakedown, order: FollowedOrder, revision: number): unknown[] {
  const clocks = clocksOf(order, takedown.lastAt);
  const [firstReport] = takedown.reports;
  return [
    takedown.id, order.round, revision, takedown.platform, takedown.product, order.category, firstReport?.region ?? '', order.decidedBy,
    takedown.reports.find(({ issue }) => issue !== undefined)?.issue ?? null, order.test, order.status, isOpen(order), order.issuedAt, order.firstReportAt,
    firstAt(order, 'delivered', 'deemed_delivered') ?? null, answeredAt(order) ?? null, expectedBy(order, clocks).due.toISOString(),
    order.firsts.some(([kind]) => kind === 'deemed_delivered'), order.objection !== 'none', order.action?.asRequested ?? null, order.action?.action ?? null,
    order.refusal?.reason ?? null, order.reinstated !== undefined, resolutionOf(clocks) ?? null,
  ];
}

function idOf(subject: string): string {
  if (!subject.startsWith(prefix)) throw new Error(`${subject} is no takedown's stream`);
  return subject.slice(prefix.length);
}

/** Rows as the arrays that `unnest` takes. */
export function columns(rows: readonly (readonly unknown[])[], width: number): unknown[][] {
  return Array.from({ length: width }, (_, index) => rows.map((row) => row[index]));
}

const upsertTakedowns = `
  INSERT INTO takedown (id, revision, platform, category, opened_at, reporters, reports, state)
  SELECT id, revision, platform, category, opened_at, ARRAY(SELECT json_array_elements_text(reporters)), ARRAY(SELECT json_array_elements_text(reports)::uuid), state
  FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::timestamptz[], $6::json[], $7::json[], $8::json[])
    AS new (id, revision, platform, category, opened_at, reporters, reports, state)
  ON CONFLICT (id) DO UPDATE SET revision = excluded.revision, platform = excluded.platform, category = excluded.category, opened_at = excluded.opened_at,
    reporters = excluded.reporters, reports = excluded.reports, state = excluded.state`;

const upsertOrders = `
  INSERT INTO placed_order (takedown_id, round, revision, platform, product, category, region, agency, issue, test, status, open, issued_at, first_report_at,
    delivered_at, answered_at, due_at, deemed, objected, as_requested, action, refusal, reinstated, resolution)
  SELECT * FROM unnest($1::uuid[], $2::int[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::boolean[], $11::text[],
    $12::boolean[], $13::timestamptz[], $14::timestamptz[], $15::timestamptz[], $16::timestamptz[], $17::timestamptz[], $18::boolean[], $19::boolean[],
    $20::boolean[], $21::text[], $22::text[], $23::boolean[], $24::text[])
  ON CONFLICT (takedown_id, round) DO UPDATE SET revision = excluded.revision, region = excluded.region, issue = excluded.issue, status = excluded.status,
    open = excluded.open, delivered_at = excluded.delivered_at, answered_at = excluded.answered_at, due_at = excluded.due_at, deemed = excluded.deemed,
    objected = excluded.objected, as_requested = excluded.as_requested, action = excluded.action, refusal = excluded.refusal, reinstated = excluded.reinstated,
    resolution = excluded.resolution`;
