import type { Position, StoredEvent, SubscribeOptions, Subscription } from '@sejam/event-sourcing';
import { arrivals, type Arrivals } from './arrivals.js';
import { abandon, type Connection } from './connection.js';
import { fromReceived, isAfter, type Upcast } from './event-codec.js';
import type { ReadResponse } from './read-response.js';
import { startRead, subscriptionRequest } from './reads.js';

export interface SubscriptionContext {
  readonly connection: Connection;
  readonly upcast: Upcast;
  /** The longest wait of a server to confirm a subscription. */
  readonly confirmWithinMs: number;
  readonly backOff: { readonly firstMs: number; readonly mostMs: number };
  /** Told of each fault; the subscription goes on. */
  warn(details: { readonly subscription: string; readonly error: unknown; readonly retryInMs: number }, message: string): void;
}

/**
 * Follows the record for ever: when the call fails or ends, it subscribes again after what was handled last; when handling fails, the
 * same events come again. The call is read only as fast as events are handled.
 *
 * What was handled last is the position of an event, both numbers of it. A checkpoint of the server, which stands for events that the
 * filter leaves out, is trusted only once a later one has come, since servers have sent checkpoints for events still on their way.
 */
export function follow(options: SubscribeOptions, context: SubscriptionContext): Subscription {
  const { name, prefixes, batchMax = 500, gatherMs = 0 } = options;
  const { connection, upcast, confirmWithinMs, backOff, warn } = context;
  let handled = options.after;
  let caughtUp = false;
  let connected = false;
  let stopping = false;
  let hurried = false;
  let handedOverAt = -Infinity;
  const interrupts = new Set<() => void>();

  const running = (async () => {
    for (let faults = 0; !stopping; ) {
      try {
        await followCall(() => {
          faults = 0;
        });
      } catch (error) {
        connected = false;
        caughtUp = false;
        faults += 1;
        await pauseAfter(error, faults, 'The subscription was lost');
      }
    }
  })();

  return {
    async stop() {
      stopping = true;
      for (const interrupt of interrupts) interrupt();
      await running;
      connected = false;
    },
    status: () => ({ ...(handled === undefined ? {} : { after: handled }), caughtUp, connected }),
    hurry() {
      hurried = true;
      for (const interrupt of interrupts) interrupt();
    },
  };

  async function followCall(onConfirmed: () => void): Promise<void> {
    const call = await connection.open('subscribe', startRead(subscriptionRequest(prefixes, handled)));
    const arrived = arrivals<ReadResponse>(call, batchMax);
    const interrupt = (): void => arrived.interrupt();
    interrupts.add(interrupt);
    try {
      let checkpoint: Position | undefined;
      let live = false;
      let told = false;
      while (!stopping) {
        if (live) await gathered(arrived);
        const responses = arrived.take(batchMax);
        if (responses.length === 0) {
          const end = arrived.ending();
          if (end !== undefined) throw end.error ?? new Error('The server ended the subscription');
          caughtUp = live;
          if (live && !told) tellCaughtUp();
          told ||= live;
          if (!(await arrived.change(connected ? undefined : confirmWithinMs))) throw new Error(`Not confirmed within ${confirmWithinMs} ms`);
          continue;
        }
        let passed: Position | undefined;
        const events: StoredEvent[] = [];
        for (const { event, checkpoint: at, says } of responses) {
          if (event !== undefined) {
            events.push(upcast(fromReceived(event)));
          } else if (at !== undefined) {
            passed = checkpoint;
            checkpoint = at;
          } else if (says === 'confirmed') {
            connected = true;
            onConfirmed();
          }
          live = (live || says === 'caught-up') && says !== 'fell-behind';
        }
        if (events.length > 0) caughtUp = false;
        await deliver(events, passed);
      }
    } finally {
      interrupts.delete(interrupt);
      abandon(call);
    }
  }

  async function gathered(arrived: Arrivals<ReadResponse>): Promise<void> {
    while (arrived.waiting() > 0 && arrived.waiting() < batchMax && !hurried && !stopping) {
      const waitMs = handedOverAt + gatherMs - performance.now();
      if (waitMs <= 0) return;
      await arrived.change(waitMs);
    }
  }

  async function deliver(events: readonly StoredEvent[], passed: Position | undefined): Promise<void> {
    const last = events.at(-1)?.position;
    const reached = last === undefined || (passed !== undefined && isAfter(passed, last)) ? passed : last;
    if (reached === undefined || (events.length === 0 && handled !== undefined && !isAfter(reached, handled))) return;
    if (events.length > 0) hurried = false;
    for (let faults = 1; !stopping; faults += 1) {
      try {
        await options.handle(events, reached);
        handled = reached;
        if (events.length > 0) handedOverAt = performance.now();
        return;
      } catch (error) {
        await pauseAfter(error, faults, 'Events could not be handled');
      }
    }
  }

  function tellCaughtUp(): void {
    try {
      options.onCaughtUp?.();
    } catch (error) {
      warn({ subscription: name, error, retryInMs: 0 }, 'What follows on having caught up failed');
    }
  }

  async function pauseAfter(error: unknown, faults: number, message: string): Promise<void> {
    if (stopping) return;
    const retryInMs = Math.round(Math.min(backOff.mostMs, backOff.firstMs * 2 ** (faults - 1)) * (0.75 + Math.random() / 2));
    warn({ subscription: name, error, retryInMs }, message);
    await new Promise<void>((resolve) => {
      const over = (): void => {
        clearTimeout(timer);
        interrupts.delete(over);
        resolve();
      };
      const timer = setTimeout(over, retryInMs);
      interrupts.add(over);
    });
  }
}
