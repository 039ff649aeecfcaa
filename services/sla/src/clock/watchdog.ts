import { setTimeout as delay } from 'node:timers/promises';
import { warningDue } from '@sejam/deadlines';
import type { DomainClock, StoredEvent, Transact } from '@sejam/event-sourcing';
import type { Pool } from '@sejam/postgres';
import type { Logger, Metrics } from '@sejam/service-host';
import { approach, clock, reach, type Clock, type ClockEvent } from './clock.js';
import { appointmentsUntil, type Appointment } from './clock-view.js';

export interface WatchdogOptions {
  readonly pool: Pool;
  readonly transact: Transact;
  readonly clock: DomainClock;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Only the instance that applies the rows keeps watch; the others stand by. */
  readonly active: () => boolean;
}

export interface Watchdog {
  /** Tells of clocks that have just started: the next look into the rows may come too late for a short one. */
  announce(events: readonly StoredEvent[]): void;
  stop(): Promise<void>;
}

/** Wall time between two looks into the rows; how late the watchdog is at worst when nobody told it. */
const pollMs = 1_000;
/** Wall time that one look covers. */
const aheadMs = 5_000;
const appointmentsMax = 20_000;
/** Appends under way at once: enough for the record's group commit, not enough to starve the others. */
const concurrency = 32;
/** `setTimeout` may fire a millisecond early, and a deadline is over only after its time. */
const graceMs = 1;

/**
 * Says when a due time or a warning has come, in the order in which they come. Keeps what comes next in memory, over the rows; losing that,
 * or running twice, changes nothing: each is appended under a cause that names it.
 */
export function watchdog(options: WatchdogOptions): Watchdog {
  const { pool, transact, clock: time, metrics, log } = options;
  const queue = new AppointmentHeap();
  const known = new Map<string, number>();
  const stopping = new AbortController();
  const running = new Set<Promise<void>>();
  let timer: NodeJS.Timeout | undefined;

  function watch(appointment: Appointment): void {
    const key = keyOf(appointment);
    const atMs = appointment.at.getTime();
    if (known.get(key) === atMs) return;
    known.set(key, atMs);
    queue.push(appointment);
    if (queue.peek() === appointment) arm();
  }

  function arm(): void {
    clearTimeout(timer);
    const next = queue.peek();
    if (next === undefined || stopping.signal.aborted || running.size >= concurrency) return;
    const waitMs = Math.min(Math.max(0, time.wallMsUntil(next.at) + graceMs), 2 ** 31 - 1);
    timer = setTimeout(ring, waitMs);
  }

  function ring(): void {
    for (let next = queue.peek(); next !== undefined && running.size < concurrency && time.wallMsUntil(next.at) < 0; next = queue.peek()) {
      queue.pop();
      // An older appointment of a clock whose due time has moved.
      if (known.get(keyOf(next)) !== next.at.getTime()) continue;
      known.delete(keyOf(next));
      const work = keep(next).finally(() => {
        running.delete(work);
        arm();
      });
      running.add(work);
    }
    arm();
  }

  async function keep({ id, clock: kind, run, at: wanted }: Appointment): Promise<void> {
    const cause = (what: string) => {
      const causationId = `watchdog:${id}/${kind}/${run}/${what}/${wanted.toISOString()}`;
      return { causationId, correlationId: causationId, by: { organisation: 'sejam', holder: 'system:sla' } };
    };
    try {
      const warned = kind === 'resolution' ? await transact(clock, id, cause('warn'), (state, { at }) => approach(state, { clock: kind, run, at })) : undefined;
      if (warned !== undefined && warned.events.length > 0) return again(id, kind, run, warned.state.clocks);
      const reached = await transact(clock, id, cause('due'), (state, { at }) => reach(state, { clock: kind, run, at }));
      if (reached.events.length > 0 && !reached.replayed) metrics.clockLateness.observe({ clock: kind }, Math.max(0, -time.wallMsUntil(wanted) / 1000));
      else again(id, kind, run, reached.state.clocks);
    } catch (error) {
      // The poll comes back to it, since the row still says that it is to be done.
      log.warn({ stream: `clock-${id}`, error: String(error) }, 'A due time could not be recorded; trying again');
    }
  }

  /** The clock may have moved, or its warning given: then its next time is another. */
  function again(id: string, kind: Clock['clock'], run: number, clocks: readonly Clock[]): void {
    const one = clocks.find((candidate) => candidate.clock === kind && candidate.run === run);
    if (one?.status === 'running' && one.reached !== one.due) watch({ id, clock: kind, run, at: new Date(one.due) });
  }

  const polling = (async () => {
    while (!stopping.signal.aborted) {
      try {
        if (options.active()) for (const appointment of await appointmentsUntil(pool, new Date(time.now().getTime() + aheadMs * time.speed), appointmentsMax)) watch(appointment);
      } catch (error) {
        log.warn({ error: String(error) }, 'The running clocks could not be read; trying again');
      }
      await delay(pollMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  })();

  function announce(events: readonly StoredEvent[]): void {
    for (const { stream, type, data } of events as readonly StoredEvent<ClockEvent>[]) {
      if (type !== 'ClockStarted') continue;
      const due = new Date(data.due);
      const at = data.clock === 'resolution' && data.terms !== undefined ? warningDue(data.terms, data.startedAt, due) : due;
      watch({ id: stream.slice('clock-'.length), clock: data.clock, run: data.run, at });
    }
  }

  return {
    announce,
    async stop() {
      stopping.abort();
      clearTimeout(timer);
      await polling;
      await Promise.all(running);
    },
  };
}

const keyOf = ({ id, clock: kind, run }: Appointment): string => `${id}/${kind}/${run}`;

/** Binary heap, soonest first. */
class AppointmentHeap {
  readonly #items: Appointment[] = [];

  peek(): Appointment | undefined {
    return this.#items[0];
  }

  push(item: Appointment): void {
    const items = this.#items;
    let index = items.push(item) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (before(items[parent] as Appointment, item)) break;
      items[index] = items[parent] as Appointment;
      index = parent;
    }
    items[index] = item;
  }

  pop(): Appointment | undefined {
    const items = this.#items;
    const first = items[0];
    const last = items.pop();
    if (last === undefined || items.length === 0) return first;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && before(items[child + 1] as Appointment, items[child] as Appointment)) child += 1;
      if (before(last, items[child] as Appointment)) break;
      items[index] = items[child] as Appointment;
      index = child;
    }
    items[index] = last;
    return first;
  }
}

function before(one: Appointment, other: Appointment): boolean {
  return one.at.getTime() <= other.at.getTime();
}
