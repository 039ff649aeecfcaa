import type { Migrations } from '@sejam/postgres';
import { backOff } from './back-off.js';
import type { Bus, Consumption } from './bus.js';
import { Inbox, type InboxOptions } from './inbox.js';
import type { ReceivedEnvelope } from './message.js';
import { parkedStream, rememberSkip } from './parking.js';

/** The inbox's tables: part of the schema of every service that consumes. */
export const busMigrations: Migrations = { part: 'bus', folder: new URL('../migrations/', import.meta.url) };

export interface ConsumerOptions extends InboxOptions {
  readonly bus: Bus;
  /** Messages of one transaction at most; 500 without it. */
  readonly batchMax?: number;
  /** Wall time between two transactions while messages keep coming: for consumers that nothing urgent waits for; 0 without it. */
  readonly gatherMs?: number;
}

export interface Consumer {
  status(): { readonly connected: boolean };
  /** Messages not yet handled, per topic; throws DomainError `bus.unavailable`. */
  lag(): Promise<Readonly<Record<string, number>>>;
  /** Tries a parked message again, and in order what waits with it; throws DomainError `parked.not-found`. */
  replay(parkedId: string): Promise<void>;
  /** Does without a parked message for ever, also in rebuilds, and goes on with what waited behind it; throws DomainError `parked.not-found`. */
  skip(parkedId: string, by: { readonly operator: string; readonly reason: string }): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Consumes topics through the inbox: each event once and in order for its handler, poisoned ones parked, servers that are away waited
 * for. Any number of instances share the work.
 */
export function runConsumer(options: ConsumerOptions): Consumer {
  const { bus, pool, consumer, log } = options;
  const stopping = new AbortController();
  let consumption: Consumption | undefined;

  /** One life of the tables: ends when they were rebuilt, or with the consumer. */
  async function consumeOneGeneration(): Promise<void> {
    const inbox = new Inbox(options);
    // What was parked by older code may be understood by now.
    await inbox.replayAll(stopping.signal);
    if (stopping.signal.aborted) return;
    const over = new AbortController();
    const current = bus.consume({
      group: consumer,
      topics: Object.keys(options.handlers),
      pool,
      ...(options.batchMax === undefined ? {} : { batchMax: options.batchMax }),
      ...(options.gatherMs === undefined ? {} : { gatherMs: options.gatherMs }),
      ...(log === undefined ? {} : { log }),
      async handle(messages: readonly ReceivedEnvelope[], signal: AbortSignal) {
        try {
          await inbox.receive(messages, signal);
        } catch (error) {
          if ((error as Error).name === 'GenerationChanged') over.abort();
          throw error;
        }
      },
    });
    consumption = current;
    const either = AbortSignal.any([stopping.signal, over.signal]);
    if (!either.aborted) await new Promise<void>((resolve) => either.addEventListener('abort', () => resolve(), { once: true }));
    await current.stop();
    consumption = undefined;
  }

  const running = (async () => {
    for (let failures = 0; !stopping.signal.aborted; ) {
      try {
        await consumeOneGeneration();
        failures = 0;
      } catch (error) {
        failures++;
        log?.warn({ consumer, failures, error: String(error) }, 'A consumer could not begin; trying again');
        await backOff(failures, stopping.signal);
      }
    }
  })();

  return {
    status: () => ({ connected: consumption?.status().connected ?? false }),
    lag: async () => consumption?.lag() ?? Object.fromEntries(Object.keys(options.handlers).map((topic) => [topic, Number.NaN])),
    async replay(parkedId) {
      const parked = await parkedStream(pool, parkedId);
      await new Inbox({ ...options, consumer: parked.consumer }).replay(parked.stream);
    },
    async skip(parkedId, by) {
      const parked = await parkedStream(pool, parkedId);
      await rememberSkip(pool, parkedId, by);
      log?.warn({ consumer: parked.consumer, stream: parked.stream, parkedId, ...by }, 'A parked message is skipped for ever');
      await new Inbox({ ...options, consumer: parked.consumer }).replay(parked.stream);
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
