import type { StoredEvent } from '@sejam/event-sourcing';
import type { Client } from '@sejam/postgres';
import { applyErasures } from '../erasure/erasure-view.js';
import { report, type OpenReport, type Report, type ReportEvent } from './report.js';

/** A report as its row keeps it: ciphertext stays in the record. */
interface Row {
  id: string;
  revision: number;
  state: OpenReport;
}

/**
 * Rows of reports from stored events; an event that a row has seen changes nothing, an event type that this code does not know is skipped.
 * Reports that were only ever unroutable have no row.
 */
export async function applyReportEvents(client: Client, events: readonly StoredEvent[]): Promise<void> {
  const folded = new Map<string, { revision: number; state: Report }>();
  for (const { id, revision, state } of await rowsOf(client, events)) folded.set(id, { revision, state });
  const keys = new Map<string, string>();
  for (const event of events) {
    const { causationId, request } = event.metadata as { causationId: string; request?: { sha256: string } };
    if (request !== undefined) keys.set(causationId, request.sha256);
    const id = idOf(event.stream);
    const row = folded.get(id) ?? { revision: -1, state: report.initialState };
    if (event.revision <= row.revision) continue;
    const state = isKnown(event) ? report.evolve(row.state, event) : row.state;
    folded.set(id, { revision: event.revision, state });
  }
  const open = [...folded].flatMap(([id, { revision, state }]) => (state.status === 'none' ? [] : [{ id, revision, state }]));
  await upsert(client, open);
  await applyErasures(client, events);
  if (keys.size === 0) return;
  await client.query(
    `INSERT INTO idempotency_key (cause, request_sha256) SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING`,
    [[...keys.keys()], [...keys.values()]],
  );
}

/** Of the reports that do not begin with `events`. */
async function rowsOf(client: Client, events: readonly StoredEvent[]): Promise<readonly Row[]> {
  const begun = new Set<string>();
  const earlier = new Set<string>();
  for (const { stream, revision } of events) {
    if (revision === 0) begun.add(stream);
    else if (!begun.has(stream)) earlier.add(idOf(stream));
  }
  if (earlier.size === 0) return [];
  const { rows } = await client.query<Row>('SELECT id, revision, state FROM report WHERE id = ANY($1::uuid[]) FOR UPDATE', [[...earlier]]);
  return rows;
}

async function upsert(client: Client, rows: readonly Row[]): Promise<void> {
  if (rows.length === 0) return;
  const column = <Value>(value: (row: Row) => Value): Value[] => rows.map(value);
  await client.query(
    `INSERT INTO report (id, revision, reference, reported_by, status, category, region, platforms, submitted_at, state)
     SELECT id, revision, reference, reported_by, status, category, region, string_to_array(platforms, ' '), submitted_at, state
     FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::timestamptz[], $10::json[])
       AS row (id, revision, reference, reported_by, status, category, region, platforms, submitted_at, state)
     ON CONFLICT (id) DO UPDATE SET revision = excluded.revision, status = excluded.status, category = excluded.category,
       region = excluded.region, state = excluded.state
     WHERE report.revision < excluded.revision`,
    [
      column(({ id }) => id),
      column(({ revision }) => revision),
      column(({ state }) => state.reference),
      column(({ state }) => state.reportedBy),
      column(({ state }) => state.status),
      column(({ state }) => state.statement.category),
      column(({ state }) => state.statement.region),
      column(({ state }) => [...new Set(state.contents.map(({ platform }) => platform))].join(' ')),
      column(({ state }) => state.submittedAt),
      column(({ state }) => JSON.stringify(state)),
    ],
  );
}

const idOf = (stream: string): string => stream.slice(`${report.category}-`.length);

function isKnown(event: StoredEvent): event is StoredEvent<ReportEvent> {
  return report.eventTypes.includes(event.type as ReportEvent['type']);
}
