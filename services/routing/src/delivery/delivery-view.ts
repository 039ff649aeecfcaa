import type { StoredEvent } from '@sejam/event-sourcing';
import type { Client, Migrations } from '@sejam/postgres';
import { takedown, type TakedownEvent } from '../takedown/takedown.js';

export const deliveryMigrations: Migrations = { part: 'delivery', folder: new URL('../../migrations/delivery/', import.meta.url) };

type Told = StoredEvent<TakedownEvent>;

/**
 * The courier's queue as it follows from routing's own part of the record: one row for each message, ended by what says that it arrived.
 * So after a lost database nothing that was delivered is sent again, and attempts are counted on from those recorded.
 */
export async function applyDeliveries(client: Client, events: readonly StoredEvent[]): Promise<void> {
  const told = events.filter(isKnown);
  await insertMessages(client, told);
  await countFailures(client, told);
  await endDelivered(client, told);
}

async function insertMessages(client: Client, events: readonly Told[]): Promise<void> {
  const rows = events.flatMap(({ id, stream, revision, metadata, data }) => {
    if (metadata.message === undefined || !('orderId' in data)) return [];
    const { type, body } = metadata.message;
    const { platform } = (JSON.parse(body) as { data: { platform: string } }).data;
    const takedownId = stream.slice(`${takedown.category}-`.length);
    return [{ webhook_id: id, takedown_id: takedownId, order_id: data.orderId, platform, sequence: revision + 1, type, body, at: metadata.at }];
  });
  if (rows.length === 0) return;
  await client.query(
    `INSERT INTO delivery (webhook_id, takedown_id, order_id, platform, sequence, type, body, at, due_at)
     SELECT r.webhook_id, r.takedown_id, r.order_id, r.platform, r.sequence, r.type, r.body, r.at, r.at
     FROM ROWS FROM (jsonb_to_recordset($1::jsonb)
       AS (webhook_id uuid, takedown_id uuid, order_id text, platform text, sequence bigint, type text, body text, at timestamptz)) WITH ORDINALITY
       AS r (webhook_id, takedown_id, order_id, platform, sequence, type, body, at, place)
     ORDER BY r.place ON CONFLICT DO NOTHING`,
    [JSON.stringify(rows)],
  );
  // What comes after a parked message of its order waits with it.
  const notices = rows.filter(({ type }) => type !== 'order.issued').map((row) => row.webhook_id);
  if (notices.length === 0) return;
  await client.query(
    `UPDATE delivery AS d SET status = 'parked' WHERE d.webhook_id = ANY($1::uuid[]) AND d.status = 'pending'
       AND EXISTS (SELECT FROM delivery AS e WHERE e.order_id = d.order_id AND e.sequence < d.sequence AND e.status = 'parked')`,
    [notices],
  );
}

async function countFailures(client: Client, events: readonly Told[]): Promise<void> {
  for (const { type, data, metadata } of events) {
    if (type !== 'OrderDeliveryFailed') continue;
    const { rows } = await client.query<{ platform: string }>(
      `UPDATE delivery SET attempts = greatest(attempts, $2), platform_failures = platform_failures + $3, last_cause = $4,
         first_attempt_at = coalesce(first_attempt_at, $5), last_attempt_at = greatest(last_attempt_at, $5)
       WHERE webhook_id = $1 RETURNING platform`,
      [data.webhookId, data.attempt, data.side === 'platform' ? 1 : 0, data.cause, metadata.at],
    );
    const platform = rows[0]?.platform;
    if (platform !== undefined) await keepSign(client, platform, { triedAt: metadata.at, answeredAt: data.httpStatus === undefined ? null : metadata.at, successAt: null });
  }
}

async function endDelivered(client: Client, events: readonly Told[]): Promise<void> {
  const orders: { id: string; via: string; at: string }[] = [];
  const notices: typeof orders = [];
  const deemed: string[] = [];
  const successes = new Map<string, string>();
  for (const { type, data, metadata } of events) {
    if (type === 'OrderDelivered') orders.push({ id: data.orderId, via: data.via, at: metadata.at });
    if (type === 'NoticeDelivered') notices.push({ id: data.webhookId, via: data.via, at: metadata.at });
    if (type === 'OrderDeemedDelivered') deemed.push(data.orderId);
  }
  if (orders.length > 0) {
    const { rows } = await client.query<{ platform: string; via: string; at: Date }>(
      `UPDATE delivery AS d SET status = 'delivered', via = coalesce(d.via, r.via), delivered_at = coalesce(d.delivered_at, r.at), claimed_until = NULL
       FROM jsonb_to_recordset($1::jsonb) AS r (id text, via text, at timestamptz) WHERE d.order_id = ANY($2) AND d.order_id = r.id AND d.type = 'order.issued'
       RETURNING d.platform, r.via, r.at`,
      [JSON.stringify(orders), orders.map(({ id }) => id)],
    );
    for (const { platform, via, at } of rows) if (via === 'webhook') successes.set(platform, at.toISOString());
  }
  if (notices.length > 0) {
    await client.query(
      `UPDATE delivery AS d SET status = 'delivered', via = coalesce(d.via, r.via), delivered_at = coalesce(d.delivered_at, r.at), claimed_until = NULL
       FROM jsonb_to_recordset($1::jsonb) AS r (id uuid, via text, at timestamptz) WHERE d.webhook_id = ANY($2::uuid[]) AND d.webhook_id = r.id`,
      [JSON.stringify(notices), notices.map(({ id }) => id)],
    );
  }
  if (deemed.length > 0) await client.query(`UPDATE delivery SET deemed = true WHERE order_id = ANY($1) AND type = 'order.issued'`, [deemed]);
  for (const [platform, at] of successes) await keepSign(client, platform, { triedAt: at, answeredAt: at, successAt: at });
}

/** Newest of each. Domain times. */
export async function keepSign(client: Client, platform: string, { triedAt, answeredAt, successAt }: { triedAt: string; answeredAt: string | null; successAt: string | null }): Promise<void> {
  await client.query(
    `INSERT INTO endpoint_sign AS s (platform, tried_at, answered_at, success_at) VALUES ($1, $2, $3, $4)
     ON CONFLICT (platform) DO UPDATE SET tried_at = greatest(s.tried_at, excluded.tried_at), answered_at = greatest(s.answered_at, excluded.answered_at),
       success_at = greatest(s.success_at, excluded.success_at)`,
    [platform, triedAt, answeredAt, successAt],
  );
}

function isKnown(event: StoredEvent): event is Told {
  return takedown.eventTypes.includes(event.type as TakedownEvent['type']);
}
