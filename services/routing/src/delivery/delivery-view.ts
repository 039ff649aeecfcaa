import type { StoredEvent } from '@sejam/event-sourcing';
import type { Client, Migrations, ProjectionOptions } from '@sejam/postgres';
import { takedown, type TakedownEvent } from '../takedown/takedown.js';

export const deliveryMigrations: Migrations = { part: 'delivery', folder: new URL('../../migrations/delivery/', import.meta.url) };

type Told = StoredEvent<TakedownEvent>;

/**
 * The courier's queue as it follows from routing's own part of the record: one row for each message, ended by what says that it arrived.
 * So after a lost database nothing that was delivered is sent again, and attempts are counted on from those recorded. `wake` hears of each
 * platform that there is something to send to, once its rows stand.
 */
export function deliveryRows(wake: (platform: string) => void): Required<Pick<ProjectionOptions, 'apply' | 'onApplied'>> {
  let ready: ReadonlySet<string> = new Set();
  return {
    async apply(client, events) {
      const told = events.filter(isKnown);
      const addressed = await insertMessages(client, told);
      await countFailures(client, told);
      ready = new Set([...addressed, ...(await endDelivered(client, told))]);
    },
    onApplied() {
      for (const platform of ready) wake(platform);
    },
  };
}

/** Returns the platforms that they are for. */
async function insertMessages(client: Client, events: readonly Told[]): Promise<string[]> {
  const rows = events.flatMap(({ id, stream, revision, metadata, data }) => {
    if (metadata.message === undefined || !('orderId' in data)) return [];
    const { type, body } = metadata.message;
    const { platform } = (JSON.parse(body) as { data: { platform: string } }).data;
    const takedownId = stream.slice(`${takedown.category}-`.length);
    return [{ webhook_id: id, takedown_id: takedownId, order_id: data.orderId, platform, sequence: revision + 1, type, body, at: metadata.at }];
  });
  if (rows.length === 0) return [];
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
  if (notices.length > 0) {
    await client.query(
      `UPDATE delivery AS d SET status = 'parked' WHERE d.webhook_id = ANY($1::uuid[]) AND d.status = 'pending'
         AND EXISTS (SELECT FROM delivery AS e WHERE e.order_id = d.order_id AND e.sequence < d.sequence AND e.status = 'parked')`,
      [notices],
    );
  }
  return rows.map(({ platform }) => platform);
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

/** Returns the platforms that something waits for behind what has arrived. */
async function endDelivered(client: Client, events: readonly Told[]): Promise<string[]> {
  const orders: Arrival[] = [];
  const notices: Arrival[] = [];
  const deemed: string[] = [];
  for (const { type, data, metadata } of events) {
    if (type === 'OrderDelivered') orders.push({ id: data.orderId, via: data.via, at: metadata.at });
    if (type === 'NoticeDelivered') notices.push({ id: data.webhookId, via: data.via, at: metadata.at });
    if (type === 'OrderDeemedDelivered') deemed.push(data.orderId);
  }
  const waitedFor = [...(await endThose(client, orders, 'order')), ...(await endThose(client, notices, 'notice'))];
  if (deemed.length > 0) await client.query(`UPDATE delivery SET deemed = true WHERE order_id = ANY($1) AND type = 'order.issued'`, [deemed]);
  return waitedFor;
}

interface Arrival {
  /** The order's, or the notice's webhook id. */
  readonly id: string;
  readonly via: string;
  readonly at: string;
}

const arrivedIs = {
  order: `d.order_id = r.id AND d.order_id = ANY($2::text[]) AND d.type = 'order.issued'`,
  notice: 'd.webhook_id = r.id::uuid AND d.webhook_id = ANY($2::uuid[])',
};

async function endThose(client: Client, arrivals: readonly Arrival[], what: keyof typeof arrivedIs): Promise<string[]> {
  if (arrivals.length === 0) return [];
  const { rows } = await client.query<{ platform: string }>(
    `WITH ended AS (
       UPDATE delivery AS d SET status = 'delivered', via = coalesce(d.via, r.via), delivered_at = coalesce(d.delivered_at, r.at), claimed_until = NULL,
         attempts = d.attempts + CASE WHEN r.via = 'webhook' THEN 1 ELSE 0 END
       FROM jsonb_to_recordset($1::jsonb) AS r (id text, via text, at timestamptz) WHERE ${arrivedIs[what]}
       RETURNING d.platform, r.via, r.at, EXISTS (SELECT FROM delivery AS e WHERE e.order_id = d.order_id AND e.status = 'pending' AND e.sequence > d.sequence) AS more),
     signs AS (
       INSERT INTO endpoint_sign AS s (platform, tried_at, answered_at, success_at)
       SELECT platform, max(at), max(at), max(at) FROM ended WHERE via = 'webhook' GROUP BY platform ORDER BY platform
       ON CONFLICT (platform) DO UPDATE SET ${newestSigns})
     SELECT DISTINCT platform FROM ended WHERE more`,
    [JSON.stringify(arrivals), arrivals.map(({ id }) => id)],
  );
  return rows.map(({ platform }) => platform);
}

const newestSigns = `tried_at = greatest(s.tried_at, excluded.tried_at), answered_at = greatest(s.answered_at, excluded.answered_at),
       success_at = greatest(s.success_at, excluded.success_at)`;

/** Newest of each. Domain times. */
export async function keepSign(client: Client, platform: string, { triedAt, answeredAt, successAt }: { triedAt: string; answeredAt: string | null; successAt: string | null }): Promise<void> {
  await client.query(
    `INSERT INTO endpoint_sign AS s (platform, tried_at, answered_at, success_at) VALUES ($1, $2, $3, $4)
     ON CONFLICT (platform) DO UPDATE SET ${newestSigns}`,
    [platform, triedAt, answeredAt, successAt],
  );
}

function isKnown(event: StoredEvent): event is Told {
  return takedown.eventTypes.includes(event.type as TakedownEvent['type']);
}
