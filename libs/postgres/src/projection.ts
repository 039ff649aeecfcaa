import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { EventStore, Position, StoredEvent, Subscription } from '@sejam/event-sourcing';
import { adoptCheckpoint, comparePositions, readCheckpoint, saveCheckpoint } from './checkpoint.js';
import { keepLease, LeaseLost } from './lease.js';
import { tx, type Client, type Log, type Pool } from './pool.js';

export interface ProjectionOptions {
  /** Its schema holds the rows, the checkpoint and the lease (`postgresMigrations`). */
  readonly pool: Pool;
  readonly store: EventStore;
  /** Permanent: checkpoint and lease are kept under it. */
  readonly name: string;
  /** The service's own categories, such as `report-`. */
  readonly prefixes: readonly string[];
  /** Events of one transaction at most; 500 without it. */
  readonly batchMax?: number;
  /** See SubscribeOptions: fewer transactions under load, for rows that nothing urgent waits for. `waitFor` never waits for it. */
  readonly gatherMs?: number;
  readonly leaseTtlMs?: number;
  readonly log?: Log;
  /**
   * Writes the rows that follow from `events`, with `client` alone. Must skip event types it does not know. An error rolls the whole
   * batch back and the same events come again after a back-off, for ever.
   */
  apply(client: Client, events: readonly StoredEvent[]): Promise<void>;
  /** After the commit, in this instance only: to wake what waits for rows. */
  onApplied?(events: readonly StoredEvent[]): void;
}

export interface ProjectionStatus {
  /** This instance is the one that applies; the others stand by. */
  readonly active: boolean;
  readonly connected: boolean;
  readonly caughtUp: boolean;
  readonly after?: Position;
  /** Age of the event applied last while there is more to apply, by the store's time; 0 when caught up. */
  readonly lagMs: number;
  /** Why the newest attempt failed, until one succeeds. */
  readonly failing?: string;
}

export interface Projection {
  status(): ProjectionStatus;
  /**
   * Resolves true once the rows contain everything up to `position` (an append's result), false after `timeoutMs`. Works on stand-by
   * instances too. Callers answer a false with what is there, or with 503.
   */
  waitFor(position: Position, timeoutMs: number): Promise<boolean>;
  /** Finishes the batch under way and lets a stand-by take over at once. */
  stop(): Promise<void>;
}

/**
 * Rows that follow from the service's own part of the record. Rows and checkpoint move in one transaction, so each event counts once.
 * One instance is active, by lease; a stand-by takes over within seconds; the store or PostgreSQL being away is waited out.
 */
export function runProjection(options: ProjectionOptions): Projection {
  const { pool, store, name, prefixes, log } = options;
  let subscription: Subscription | undefined;
  let applied: Position | undefined;
  let lastCreated: number | undefined;
  let failing: string | undefined;
  const waiting = new Set<{ readonly position: Position; done(): void }>();

  function moved(to: Position): void {
    applied = to;
    for (const waiter of waiting) if (comparePositions(waiter.position, to) <= 0) waiter.done();
    if (waiting.size > 0) subscription?.hurry();
  }

  const keeper = keepLease({
    pool,
    name: `projection ${name}`,
    ...(options.leaseTtlMs === undefined ? {} : { ttlMs: options.leaseTtlMs }),
    ...(log === undefined ? {} : { log }),
    async work({ epoch, signal }) {
      const after = await adoptCheckpoint(pool, name, epoch);
      if (after) moved(after);
      if (signal.aborted) return;
      let quietSince = performance.now();
      const lost = new AbortController();
      subscription = store.subscribe({
        name: `projection ${name}`,
        prefixes,
        batchMax: options.batchMax ?? 500,
        ...(options.gatherMs === undefined ? {} : { gatherMs: options.gatherMs }),
        ...(after === undefined ? {} : { after }),
        async handle(events, checkpoint) {
          if (signal.aborted) throw new LeaseLost(name, epoch); // being stopped: nothing more may be written in this epoch
          // An empty batch only moves the checkpoint over others' events: worth a write now and then, not each time.
          if (events.length === 0 && performance.now() - quietSince < 1_000) {
            moved(checkpoint);
            return;
          }
          try {
            await tx(pool, async (client) => {
              if (events.length > 0) await options.apply(client, events);
              await saveCheckpoint(client, name, epoch, checkpoint, events.at(-1));
            });
          } catch (error) {
            failing = String(error);
            if ((error as Error).name === 'LeaseLost') lost.abort();
            else log?.error({ projection: name, events: events.length, first: events[0]?.position, error: failing }, 'A projection could not apply its events; trying again');
            throw error;
          }
          failing = undefined;
          quietSince = performance.now();
          const last = events.at(-1);
          if (last) lastCreated = Date.parse(last.created);
          moved(checkpoint);
          if (events.length > 0) options.onApplied?.(events);
        },
      });
      const over = AbortSignal.any([signal, lost.signal]);
      if (!over.aborted) await once(over, 'abort');
      await subscription.stop();
      subscription = undefined;
    },
  });

  return {
    status() {
      const live = subscription?.status();
      const caughtUp = live?.caughtUp ?? false;
      return {
        active: keeper.held() !== undefined,
        connected: live?.connected ?? false,
        caughtUp,
        ...(applied === undefined ? {} : { after: applied }),
        lagMs: caughtUp || lastCreated === undefined ? 0 : Math.max(0, Date.now() - lastCreated),
        ...(failing === undefined ? {} : { failing }),
      };
    },
    async waitFor(position, timeoutMs) {
      if (applied && comparePositions(position, applied) <= 0) return true;
      const deadline = performance.now() + timeoutMs;
      const reached = new AbortController();
      const waiter = { position, done: () => reached.abort() };
      waiting.add(waiter);
      subscription?.hurry();
      try {
        for (let pauseMs = 10; !reached.signal.aborted && performance.now() < deadline; pauseMs = Math.min(pauseMs * 2, 100)) {
          await delay(Math.min(pauseMs, Math.max(1, deadline - performance.now())), undefined, { signal: reached.signal }).catch(() => {});
          if (reached.signal.aborted || subscription) continue;
          // Standing by: the active instance tells through the table.
          const theirs = await readCheckpoint(pool, name);
          if (theirs) moved(theirs);
        }
        return reached.signal.aborted;
      } finally {
        waiting.delete(waiter);
      }
    },
    stop: () => keeper.stop(),
  };
}
