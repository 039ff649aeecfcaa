import { setTimeout as delay } from 'node:timers/promises';
import type { EventStore, Position, StoredEvent } from '@sejam/event-sourcing';
import { keepLease, type Pool } from '@sejam/postgres';
import type { Logger } from '@sejam/service-host';
import type { Alarms } from './alarms.js';
import { LogHalted, RevisionGap } from './log-faults.js';
import { newestCheckpoint, type SignedCheckpoint } from './signed-checkpoints.js';
import type { TransparencyLog } from './transparency-log.js';
import { raiseDeletions } from './watch-deletions.js';

export interface IntegrationOptions {
  readonly store: EventStore;
  readonly pool: Pool;
  readonly transparencyLog: TransparencyLog;
  readonly alarms: Alarms;
  readonly log: Logger;
  /** After the commit: the checkpoint may be published. */
  onSigned?(checkpoint: SignedCheckpoint): void;
}

export interface Integration {
  /** Why nothing is signed any more, if so. */
  halted(): string | undefined;
  stop(): Promise<void>;
}

const BATCH_MAX = 2_000;
// Events come one by one on a quiet day. Waiting this long between commits makes ten checkpoints a second of them, not hundreds.
const PACE_MS = 100;
/** A filtered subscription moves over others' events all the time: worth a write now and then. */
const IDLE_SAVE_MS = 1_000;

/**
 * Follows the whole record and integrates it, in one instance at a time by lease (and safe in several). A gap is read again, for ever, with
 * an alarm; a contradiction to what was signed halts it for good.
 */
export function integrateEvents({ store, pool, transparencyLog, alarms, log, onSigned }: IntegrationOptions): Integration {
  let halted: string | undefined;

  async function followOnce(signal: AbortSignal): Promise<void> {
    const { after } = await transparencyLog.place();
    let fail: (error: unknown) => void = () => {};
    const failed = new Promise<never>((_, reject) => {
      fail = reject;
    });
    failed.catch(() => {});
    let lastCommit = 0;
    const integrate = async (events: readonly StoredEvent[], reached: Position) => {
      const sinceLast = performance.now() - lastCommit;
      if (events.length === 0 && sinceLast < IDLE_SAVE_MS) return;
      await raiseDeletions(events, alarms);
      if (events.length < BATCH_MAX / 2 && sinceLast < PACE_MS) await delay(PACE_MS - sinceLast);
      const signed = await transparencyLog.integrate(events, reached);
      lastCommit = performance.now();
      if (signed !== undefined) onSigned?.(signed);
    };
    const subscription = store.subscribe({
      name: 'transparency log', prefixes: [], batchMax: BATCH_MAX, ...(after === undefined ? {} : { after }),
      async handle(events, reached) {
        try {
          await integrate(events, reached);
        } catch (error) {
          // Handed the same events again, a gap would stay one: the subscription itself is begun anew.
          if (error instanceof RevisionGap || error instanceof LogHalted) fail(error);
          throw error;
        }
      },
      onCaughtUp: () => void refuseShortRecord().catch((error: unknown) => fail(error)),
    });
    const over = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    try {
      if (!signal.aborted) await Promise.race([over, failed]);
    } finally {
      await subscription.stop();
    }
  }

  /** Everything that the record holds has been integrated: nothing may have been signed beyond it. */
  async function refuseShortRecord(): Promise<void> {
    const [newest, { size }] = [await newestCheckpoint(pool), await transparencyLog.place()];
    if (newest !== undefined && newest.size > size) {
      throw new LogHalted(`A checkpoint of ${newest.size} events was signed, and the record ends after ${size}: it was cut back, or an older copy was put in its place`);
    }
  }

  const keeper = keepLease({
    pool, name: 'transparency log', log,
    async work({ signal }) {
      for (let gaps = 0; !signal.aborted && halted === undefined; ) {
        try {
          await followOnce(signal);
        } catch (error) {
          if (error instanceof LogHalted) {
            halted = error.message;
            await alarms.raise('log-halted', 'log', error.message);
          } else if (error instanceof RevisionGap) {
            gaps += 1;
            if (gaps > 2) await alarms.raise('revision-gap', error.stream, error.message);
            else log.warn({ stream: error.stream }, `${error.message}; reading again`);
            await delay(Math.min(100 * 2 ** gaps, 10_000), undefined, { signal }).catch(() => {});
          } else {
            throw error;
          }
        }
      }
      // Kept, so that no other instance takes over what was halted here only to halt as well.
      if (!signal.aborted) await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    },
  });

  return { halted: () => halted, stop: () => keeper.stop() };
}
