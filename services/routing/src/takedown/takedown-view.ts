import { DomainError, fold, type EventStore, type StoredEvent } from '@sejam/event-sourcing';
import type { Client, Migrations, Projection } from '@sejam/postgres';
import { clocksOf } from './order-clocks.js';
import { isOpen, takedown, type KnownTakedown, type Takedown, type TakedownEvent } from './takedown.js';

export const takedownMigrations: Migrations = { part: 'takedown', folder: new URL('../../migrations/takedown/', import.meta.url) };

interface Row {
  readonly revision: number;
  readonly changedAt: string;
  readonly state: KnownTakedown;
}

const CATCH_UP_MS = 2_000;

/** The rows follow the record: a list waits until it holds whatever was recorded before it was asked for. Throws `takedown.list-behind`. */
export async function catchUp({ store, takedownView }: { readonly store: EventStore; readonly takedownView: Projection }): Promise<void> {
  for await (const { position } of store.readAll({ prefixes: [`${takedown.category}-`], direction: 'backwards', limit: 1 })) {
    if (await takedownView.waitFor(position, CATCH_UP_MS)) return;
    throw new DomainError('takedown.list-behind', 'unavailable', 'The list does not hold the newest takedowns yet; the request may be repeated', { retryAfterSeconds: 2 });
  }
}

/** Rows of takedowns and their orders, one state folded on. Feeding an event twice changes nothing. */
export async function applyTakedowns(client: Client, events: readonly StoredEvent[]): Promise<void> {
  const byId = new Map<string, StoredEvent<TakedownEvent>[]>();
  for (const event of events) {
    if (!isKnown(event)) continue;
    const id = event.stream.slice(`${takedown.category}-`.length);
    byId.set(id, [...(byId.get(id) ?? []), event]);
  }
  if (byId.size === 0) return;
  const { rows } = await client.query<{ id: string; revision: number; state: KnownTakedown }>(
    'SELECT id, revision, state FROM takedown WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE',
    [[...byId.keys()]],
  );
  const before = new Map(rows.map((row) => [row.id, row]));
  const changed: Row[] = [];
  for (const [id, news] of byId) {
    const known = before.get(id);
    const unseen = news.filter(({ revision }) => revision > (known?.revision ?? -1));
    const last = unseen.at(-1);
    if (last === undefined) continue;
    const state: Takedown = fold(takedown, unseen, known?.state ?? takedown.initialState);
    if (state.status !== 'none') changed.push({ revision: last.revision, changedAt: last.metadata.at, state });
  }
  if (changed.length > 0) await upsert(client, changed);
  await keepRequests(client, events);
}

async function upsert(client: Client, rows: readonly Row[]): Promise<void> {
  await client.query(
    `INSERT INTO takedown (id, revision, platform, product, content_key, category, status, regions, reporters, issues, opened_at, changed_at, due_at, state)
     SELECT r.id, r.revision, r.platform, r.product, r.content_key, r.category, r.status, r.regions, r.reporters, r.issues, r.opened_at, r.changed_at, r.due_at, r.state
     FROM jsonb_to_recordset($1::jsonb) AS r (id uuid, revision bigint, platform text, product text, content_key text, category text, status text,
       regions text[], reporters text[], issues text[], opened_at timestamptz, changed_at timestamptz, due_at timestamptz, state jsonb)
     ON CONFLICT (id) DO UPDATE SET revision = excluded.revision, category = excluded.category, status = excluded.status, regions = excluded.regions,
       reporters = excluded.reporters, issues = excluded.issues, changed_at = excluded.changed_at, due_at = excluded.due_at, state = excluded.state
     WHERE takedown.revision < excluded.revision`,
    [JSON.stringify(rows.map(columns))],
  );
  const orders = rows.flatMap(({ state }) => state.orders.map((order) => ({
    order_id: order.orderId, takedown_id: state.takedownId, platform: state.platform, status: order.status, issued_at: order.issuedAt,
    changed_at: order.trail.at(-1)?.metadata.at ?? order.issuedAt,
  })));
  if (orders.length === 0) return;
  await client.query(
    `INSERT INTO takedown_order SELECT * FROM jsonb_to_recordset($1::jsonb)
       AS r (order_id text, takedown_id uuid, platform text, status text, issued_at timestamptz, changed_at timestamptz)
     ON CONFLICT (order_id) DO UPDATE SET status = excluded.status, changed_at = excluded.changed_at
     WHERE takedown_order.changed_at <= excluded.changed_at`,
    [JSON.stringify(orders)],
  );
}

function columns({ revision, changedAt, state }: Row): object {
  const newest = state.orders.at(-1);
  const reports = [...state.reports, ...(state.merged?.reports ?? [])];
  return {
    id: state.takedownId, revision, platform: state.platform, product: state.product, content_key: state.contentKey, category: state.category,
    status: state.status, regions: distinct(reports.map(({ region }) => region)), reporters: state.reporters,
    issues: distinct(reports.flatMap(({ issue }) => (issue === undefined ? [] : [issue.reference]))), opened_at: state.openedAt, changed_at: changedAt,
    due_at: newest !== undefined && isOpen(newest) ? nextDue(newest) : null, state,
  };
}

function nextDue(order: KnownTakedown['orders'][number]): string | null {
  const waiting = clocksOf(order).filter(({ clock, met }) => !met && (clock === 'acknowledgement' || clock === 'resolution'));
  const dues = waiting.map(({ due }) => due.toISOString());
  return dues.sort()[0] ?? null;
}

async function keepRequests(client: Client, events: readonly StoredEvent[]): Promise<void> {
  const requests = new Map<string, string>();
  for (const { metadata } of events) {
    const { sha256 } = (metadata['request'] ?? {}) as { sha256?: unknown };
    if (typeof sha256 === 'string' && !requests.has(metadata.causationId)) requests.set(metadata.causationId, sha256);
  }
  if (requests.size === 0) return;
  await client.query('INSERT INTO takedown_request (cause, sha256) SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING', [
    [...requests.keys()],
    [...requests.values()],
  ]);
}

const distinct = (values: readonly string[]): string[] => [...new Set(values)];

function isKnown(event: StoredEvent): event is StoredEvent<TakedownEvent> {
  return takedown.eventTypes.includes(event.type as TakedownEvent['type']);
}
