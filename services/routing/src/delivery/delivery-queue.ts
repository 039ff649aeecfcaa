import type { Pool } from '@sejam/postgres';
import { DEEMED_AFTER_FAILURES, DEEMED_AFTER_MS } from '../takedown/order-delivery.js';
import { keepSign } from './delivery-view.js';

/** A message that is to be sent now, by whoever claimed it. */
export interface Delivery {
  /** Of the event that caused it, and `webhook-id` of every attempt. */
  readonly webhookId: string;
  readonly takedownId: string;
  readonly orderId: string;
  readonly platform: string;
  readonly type: string;
  readonly body: string;
  /** Made so far. */
  readonly attempts: number;
  /** Domain time; missing before the first attempt. */
  readonly firstAttemptAt: Date | null;
}

const columns = `webhook_id AS "webhookId", takedown_id AS "takedownId", order_id AS "orderId", platform, type, body, attempts, first_attempt_at AS "firstAttemptAt"`;

/** The first of its order that waits: the head of its line. Looked up for each row, however many others wait. */
const isHead = `d.sequence = (SELECT min(e.sequence) FROM delivery AS e WHERE e.order_id = d.order_id AND e.status IN ('pending', 'parked'))`;

const RECENTLY_MS = DEEMED_AFTER_MS;

/**
 * The rows of the courier, shared by any number of instances: claimed by `SKIP LOCKED`, with an expiry in wall time for whoever dies.
 * All other times are domain time.
 */
export class DeliveryQueue {
  constructor(private readonly pool: Pool) {}

  /** Heads of line that are due, or, for a platform that reads its feed, all of them. */
  async claim(platform: string, { most, dueBy, wallNow, forMs }: { most: number; dueBy: Date | 'any'; wallNow: Date; forMs: number }): Promise<Delivery[]> {
    const { rows } = await this.pool.query<Delivery & { due: Date }>(
      `UPDATE delivery SET claimed_until = $4 WHERE webhook_id IN (
         SELECT d.webhook_id FROM delivery AS d WHERE d.platform = $1 AND d.status = 'pending' AND ($2::timestamptz IS NULL OR d.due_at <= $2)
           AND (d.claimed_until IS NULL OR d.claimed_until < $3) AND ${isHead}
         ORDER BY d.due_at, d.place LIMIT $5 FOR UPDATE SKIP LOCKED)
       RETURNING ${columns}`,
      [platform, dueBy === 'any' ? null : dueBy, wallNow, new Date(wallNow.getTime() + forMs), most],
    );
    return rows;
  }

  /** When the next head of line is due; undefined when nothing waits. */
  async nextDue(platform: string, after: Date): Promise<Date | undefined> {
    const { rows } = await this.pool.query<{ due: Date | null }>(
      `SELECT min(d.due_at) AS due FROM delivery AS d WHERE d.platform = $1 AND d.status = 'pending' AND d.due_at > $2 AND ${isHead}`,
      [platform, after],
    );
    return rows[0]?.due ?? undefined;
  }

  /** The record says so already, or says that nobody needs it any more. True: another message of the order waits behind it. */
  async end({ webhookId }: Pick<Delivery, 'webhookId'>, status: 'delivered' | 'superseded', { via, at }: { via?: 'webhook' | 'feed' | undefined; at: Date }): Promise<boolean> {
    const { rows } = await this.pool.query<{ more: boolean }>(
      `UPDATE delivery SET status = $2, via = coalesce(via, $3), delivered_at = CASE WHEN $2 = 'delivered' THEN coalesce(delivered_at, $4) END, claimed_until = NULL,
         attempts = attempts + CASE WHEN $3 = 'webhook' THEN 1 ELSE 0 END
       WHERE webhook_id = $1
       RETURNING EXISTS (SELECT FROM delivery AS e WHERE e.order_id = delivery.order_id AND e.status = 'pending' AND e.sequence > delivery.sequence) AS more`,
      [webhookId, status, via ?? null, at],
    );
    return rows[0]?.more ?? false;
  }

  /** An attempt failed; it is tried again at `due`, or waits for an operator, and with it what waits behind it. */
  async postpone({ webhookId, orderId }: Delivery, { attempts, at, due, cause }: { attempts: number; at: Date; due: Date | 'parked'; cause: string }): Promise<void> {
    await this.pool.query(
      `UPDATE delivery SET attempts = greatest(attempts, $2), first_attempt_at = coalesce(first_attempt_at, $3), last_attempt_at = $3, last_cause = $4,
         due_at = coalesce($5::timestamptz, due_at), claimed_until = NULL
       WHERE webhook_id = $1`,
      [webhookId, attempts, at, cause, due === 'parked' ? null : due],
    );
    if (due === 'parked') await this.pool.query(`UPDATE delivery SET status = 'parked' WHERE order_id = $1 AND status = 'pending'`, [orderId]);
  }

  /** Not tried after all. */
  async release(webhookIds: readonly string[]): Promise<void> {
    if (webhookIds.length > 0) await this.pool.query('UPDATE delivery SET claimed_until = NULL WHERE webhook_id = ANY($1::uuid[])', [webhookIds]);
  }

  /** Everything that waits for this platform is due now. True: there was something. */
  async hurry(platform: string, now: Date): Promise<boolean> {
    const { rowCount } = await this.pool.query(`UPDATE delivery SET due_at = $2 WHERE platform = $1 AND status = 'pending' AND due_at > $2`, [platform, now]);
    return rowCount > 0;
  }

  /** Tries a message again now, parked or waiting, and with it what was parked behind it. Undefined: there is none of this id. */
  async retry(webhookId: string, now: Date): Promise<{ platform: string } | undefined> {
    const { rows } = await this.pool.query<{ platform: string }>(
      `WITH head AS (SELECT order_id, platform FROM delivery WHERE webhook_id = $1),
       changed AS (UPDATE delivery AS d SET status = 'pending', due_at = least(d.due_at, $2) FROM head WHERE d.order_id = head.order_id AND d.status IN ('pending', 'parked'))
       SELECT platform FROM head`,
      [webhookId, now],
    );
    return rows[0];
  }

  /** Orders that may be deemed delivered, by failures and time. */
  async deemable(now: Date, most: number): Promise<{ takedownId: string; orderId: string }[]> {
    const { rows } = await this.pool.query<{ takedownId: string; orderId: string }>(
      `SELECT takedown_id AS "takedownId", order_id AS "orderId" FROM delivery
       WHERE type = 'order.issued' AND status = 'pending' AND NOT deemed AND platform_failures >= ${DEEMED_AFTER_FAILURES} AND at <= $1 ORDER BY at LIMIT $2`,
      [new Date(now.getTime() - DEEMED_AFTER_MS), most],
    );
    return rows;
  }

  /** Orders that wait at a paused endpoint and have not yet failed often enough to be deemed delivered. */
  async waitingOrders(platform: string): Promise<Delivery[]> {
    const { rows } = await this.pool.query<Delivery>(
      `SELECT ${columns} FROM delivery WHERE platform = $1 AND type = 'order.issued' AND status = 'pending' AND platform_failures < ${DEEMED_AFTER_FAILURES} ORDER BY place`,
      [platform],
    );
    return rows;
  }

  async tried(platform: string, at: Date, outcome: 'success' | 'answered' | 'unanswered'): Promise<void> {
    const time = at.toISOString();
    await keepSign(this.pool, platform, { triedAt: time, answeredAt: outcome === 'unanswered' ? null : time, successAt: outcome === 'success' ? time : null });
    if (outcome === 'success') await this.pool.query(`UPDATE endpoint_sign SET gone_at = '{}', probe_at = NULL WHERE platform = $1 AND (gone_at <> '{}' OR probe_at IS NOT NULL)`, [platform]);
  }

  /** Adds a 410; returns those since the last success. */
  async gone(platform: string, at: Date): Promise<Date[]> {
    const { rows } = await this.pool.query<{ goneAt: Date[] }>(
      `INSERT INTO endpoint_sign AS s (platform, gone_at) VALUES ($1, ARRAY[$2::timestamptz])
       ON CONFLICT (platform) DO UPDATE SET gone_at = (s.gone_at || excluded.gone_at)[greatest(1, cardinality(s.gone_at) - 8):]
       RETURNING gone_at AS "goneAt"`,
      [platform, at],
    );
    return rows[0]?.goneAt ?? [];
  }

  /** True for one instance: the probe is its to make. */
  async claimProbe(platform: string, now: Date, everyMs: number): Promise<boolean> {
    const { rowCount } = await this.pool.query(
      `INSERT INTO endpoint_sign AS s (platform, probe_at) VALUES ($1, $3)
       ON CONFLICT (platform) DO UPDATE SET probe_at = excluded.probe_at WHERE s.probe_at IS NULL OR s.probe_at <= $2`,
      [platform, now, new Date(now.getTime() + everyMs)],
    );
    return rowCount > 0;
  }

  /** At least two platforms were tried lately and none answered: then the fault is ours. */
  async oursAlone(now: Date): Promise<boolean> {
    const { rows } = await this.pool.query<{ tried: number; answered: number }>(
      'SELECT count(*) FILTER (WHERE tried_at > $1) AS tried, count(*) FILTER (WHERE answered_at > $1) AS answered FROM endpoint_sign',
      [new Date(now.getTime() - RECENTLY_MS)],
    );
    return (rows[0]?.tried ?? 0) >= 2 && rows[0]?.answered === 0;
  }

  /** How it stands with a platform's messages and its endpoint. */
  async standing(platform: string): Promise<{ pending: number; failing: number; parked: number; lastSuccessAt: Date | null }> {
    const { rows } = await this.pool.query<{ pending: number; failing: number; parked: number; lastSuccessAt: Date | null }>(
      `SELECT count(*) FILTER (WHERE status = 'pending') AS pending, count(*) FILTER (WHERE status = 'pending' AND attempts > 0) AS failing,
         count(*) FILTER (WHERE status = 'parked') AS parked, (SELECT success_at FROM endpoint_sign WHERE platform = $1) AS "lastSuccessAt"
       FROM delivery WHERE platform = $1 AND status IN ('pending', 'parked')`,
      [platform],
    );
    return rows[0] ?? { pending: 0, failing: 0, parked: 0, lastSuccessAt: null };
  }
}
