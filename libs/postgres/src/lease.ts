import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Client, Log, Pool } from './pool.js';

/** Somebody else holds the lease by now: what was being done must not be finished. */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost';
  constructor(readonly lease: string, readonly epoch: number) {
    super(`Lease ${lease} is no longer held in epoch ${epoch}`);
  }
}

export interface LeaseOptions {
  readonly pool: Pool;
  readonly name: string;
  /** After this long without renewal another instance may take over; 5 s without it. Wall time. */
  readonly ttlMs?: number;
  readonly log?: Log;
  /**
   * Runs while the lease is held; must end soon after `signal` aborts. When it ends early or throws, the lease is given up and taken
   * again after a second, possibly by another instance.
   */
  work(held: { readonly epoch: number; readonly signal: AbortSignal }): Promise<void>;
}

export interface LeaseKeeper {
  /** The epoch in which this instance holds the lease. */
  held(): number | undefined;
  /** Ends the work and gives the lease up, so that a stand-by need not wait for the expiry. */
  stop(): Promise<void>;
}

/**
 * Keeps trying, for ever, to be the one instance that does `work`. The epoch rises with every change of hands: a holder that was
 * believed dead can still run, so every write it makes must be fenced by its epoch (`saveCheckpoint`).
 */
export function keepLease(options: LeaseOptions): LeaseKeeper {
  const { pool, name, log } = options;
  const ttlMs = options.ttlMs ?? 5_000;
  const holder = randomUUID();
  const stopping = new AbortController();
  let epoch: number | undefined;

  const rest = (ms: number): Promise<void> => delay(ms, undefined, { signal: stopping.signal }).catch(() => {});

  async function holdOnce(): Promise<void> {
    // Measured from before the statement: the database's expiry is never earlier than this.
    let validUntil = performance.now() + ttlMs;
    const taken = await take(pool, name, holder, ttlMs);
    if (taken === undefined) return;
    epoch = taken;
    log?.info({ lease: name, epoch }, 'Lease taken');
    const lost = new AbortController();
    const work = options.work({ epoch: taken, signal: AbortSignal.any([lost.signal, stopping.signal]) }).finally(() => lost.abort());
    const quietly = work.then(
      () => undefined,
      (error: unknown) => error,
    );
    while (!lost.signal.aborted && !stopping.signal.aborted) {
      await Promise.race([rest(ttlMs / 3), quietly]);
      if (lost.signal.aborted || stopping.signal.aborted) break;
      const asked = performance.now();
      // Without a reference: once the answer is there, no process need live until the patience is over.
      const patience = delay(Math.max(0, validUntil - asked), undefined, { ref: false });
      const renewed = await Promise.race([renew(pool, name, holder, taken, ttlMs), patience]).catch(() => undefined);
      if (renewed === true) validUntil = asked + ttlMs;
      else if (renewed === false || performance.now() >= validUntil) lost.abort();
    }
    const failure = await quietly;
    epoch = undefined;
    await giveUp(pool, name, holder, taken).catch(() => {}); // it expires by itself
    if (failure !== undefined && !stopping.signal.aborted) throw failure;
  }

  const running = (async () => {
    while (!stopping.signal.aborted) {
      await holdOnce().catch((error: unknown) => log?.warn({ lease: name, error: String(error) }, 'Work under a lease failed; trying again'));
      await rest(Math.min(1_000, ttlMs / 3));
    }
  })();

  return {
    held: () => epoch,
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

/** The epoch if the lease was free or ours, else undefined. */
async function take(pool: Client, name: string, holder: string, ttlMs: number): Promise<number | undefined> {
  const { rows } = await pool.query<{ epoch: number }>(
    `INSERT INTO lease AS held (name, holder, epoch, expires) VALUES ($1, $2, 1, clock_timestamp() + $3 * interval '1 ms')
     ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, epoch = held.epoch + 1, expires = excluded.expires
       WHERE held.expires < clock_timestamp()
     RETURNING epoch`,
    [name, holder, ttlMs],
  );
  return rows[0]?.epoch;
}

async function renew(pool: Client, name: string, holder: string, epoch: number, ttlMs: number): Promise<boolean> {
  const { rowCount } = await pool.query(
    `UPDATE lease SET expires = clock_timestamp() + $4 * interval '1 ms' WHERE name = $1 AND holder = $2 AND epoch = $3`,
    [name, holder, epoch, ttlMs],
  );
  return rowCount === 1;
}

async function giveUp(pool: Client, name: string, holder: string, epoch: number): Promise<void> {
  await pool.query(`UPDATE lease SET expires = '-infinity' WHERE name = $1 AND holder = $2 AND epoch = $3`, [name, holder, epoch]);
}
