import { randomBytes } from 'node:crypto';
import type { Caller } from '@sejam/service-host';
import { serverSentEvent, waitFor } from '../answer-stream.js';
import type { ReportingPorts } from '../reporting-ports.js';
import { cardColumns, cardOf, countUnjoined, type Card, type CardRow } from './open-orders.js';

interface Shown {
  readonly revision: number;
  readonly platform: string;
  readonly reporters: readonly string[];
  readonly card: Card;
}

interface Change {
  readonly number: number;
  readonly orderId: string;
  readonly platform: string;
  readonly reporters: readonly string[];
  /** Absent: the order left the board. */
  readonly card?: Card;
}

type Viewer = Pick<Caller, 'scope' | 'kind' | 'organisation'>;

/** Orders that a stream shows at most, the most urgent ones; the pages of `GET /v1/board` show all. */
const shownMost = 2_000;
const changesKept = 10_000;
const heartbeatMs = 15_000;
const alarmsEveryMs = 5_000;

/**
 * The board as it changes, read once for all who watch and not at all while nobody does. Any instance may have handled the messages, so the
 * tables are asked and not the bus. A slow viewer gets the newest state of each order when it comes back, never a backlog.
 */
export class BoardFeed {
  /** Event ids of another feed mean nothing here: such a viewer gets a snapshot. */
  readonly #id = randomBytes(4).toString('hex');
  readonly #shown = new Map<string, Shown>();
  /** The newest change of each order, oldest first. */
  readonly #changes = new Map<string, Change>();
  #number = 0;
  /** Changes up to this number may be missing above. */
  #forgotten = 0;
  #asOf: string | undefined;
  #unjoined = 0;
  #alarmsAt: number | undefined;
  #viewers = 0;
  #polling: Promise<void> | undefined;
  #announce = (): void => {};
  #changed = this.#nextChange();

  constructor(
    private readonly ports: Pick<ReportingPorts, 'pool' | 'clock' | 'log'>,
    private readonly pollMs = 500,
  ) {}

  /** Snapshot, then changes, with a heartbeat every 15 s; ends when the signal aborts or `mayStay` says no. */
  async *follow(viewer: Viewer, { after, signal, mayStay }: { after?: string | undefined; signal: AbortSignal; mayStay: () => boolean }): AsyncGenerator<string> {
    this.#viewers += 1;
    try {
      await this.#upToDate();
      let seen = this.#resume(after);
      while (!signal.aborted && mayStay()) {
        if (seen === undefined || seen < this.#forgotten) {
          seen = this.#number;
          yield this.#snapshot(viewer);
        }
        const changed = this.#changed;
        const fresh = [...this.#changes.values()].filter(({ number, ...change }) => number > (seen ?? 0) && sees(viewer, change));
        seen = this.#number;
        if (fresh.length > 0) yield fresh.map((change) => this.#event(change)).join('');
        else if ((await waitFor(changed, heartbeatMs, signal)) === 'late') yield serverSentEvent({ event: 'heartbeat', data: { at: this.#now(), asOf: this.#asOf, ...this.#alarms(viewer) } });
      }
    } finally {
      this.#viewers -= 1;
    }
  }

  #snapshot(viewer: Viewer): string {
    const items = [...this.#shown.values()].filter((shown) => sees(viewer, shown)).map(({ card }) => card);
    const data = { at: this.#now(), speed: this.ports.clock.speed, items, ...this.#alarms(viewer) };
    return serverSentEvent({ event: 'snapshot', id: `${this.#id}-${this.#number}`, data });
  }

  #alarms({ scope }: Viewer): { alarms?: { approvedWithoutTakedown: number } } {
    return scope === 'all' ? { alarms: { approvedWithoutTakedown: this.#unjoined } } : {};
  }

  #event({ number, orderId, card }: Change): string {
    const id = `${this.#id}-${number}`;
    return card === undefined ? serverSentEvent({ event: 'gone', id, data: { orderId } }) : serverSentEvent({ event: 'order', id, data: card });
  }

  #resume(after: string | undefined): number | undefined {
    const [id, number] = after?.split('-') ?? [];
    if (id !== this.#id || number === undefined || !/^\d{1,15}$/.test(number)) return undefined;
    const seen = Number(number);
    return seen <= this.#number ? seen : undefined;
  }

  /** Reads once, and keeps reading while somebody watches. */
  async #upToDate(): Promise<void> {
    if (this.#polling !== undefined && this.#asOf !== undefined) return;
    await this.#poll();
    this.#polling ??= this.#keepPolling().finally(() => {
      this.#polling = undefined;
      this.#asOf = undefined;
    });
  }

  async #keepPolling(): Promise<void> {
    while (this.#viewers > 0) {
      await new Promise((resolve) => setTimeout(resolve, this.pollMs).unref());
      if (this.#viewers === 0) return;
      await this.#poll().catch((error: unknown) => this.ports.log.warn({ error: String(error) }, 'The board could not be read; trying again'));
    }
  }

  async #poll(): Promise<void> {
    const { pool } = this.ports;
    const asOf = this.#now();
    const { rows: open } = await pool.query<{ takedown_id: string; round: number; revision: number }>(
      'SELECT takedown_id, round, revision FROM placed_order WHERE open ORDER BY due_at, takedown_id, round LIMIT $1',
      [shownMost],
    );
    const changed = open.filter(({ takedown_id, round, revision }) => this.#shown.get(`${takedown_id}.${round}`)?.revision !== revision);
    const { rows } = changed.length === 0 ? { rows: [] } : await pool.query<CardRow>(
      `SELECT ${cardColumns} FROM placed_order o JOIN takedown t ON t.id = o.takedown_id
       WHERE o.open AND (o.takedown_id, o.round) IN (SELECT * FROM unnest($1::uuid[], $2::int[]))`,
      [changed.map(({ takedown_id }) => takedown_id), changed.map(({ round }) => round)],
    );
    if (this.#alarmsAt === undefined || performance.now() - this.#alarmsAt > alarmsEveryMs) {
      this.#unjoined = await countUnjoined(pool, this.ports.clock.now());
      this.#alarmsAt = performance.now();
    }
    const before = this.#number;
    for (const row of rows) {
      const shown = { revision: row.revision, platform: row.state.platform, reporters: row.reporters, card: cardOf(row) };
      this.#shown.set(shown.card.orderId, shown);
      this.#remember(shown.card.orderId, shown);
    }
    const stillOpen = new Set(open.map(({ takedown_id, round }) => `${takedown_id}.${round}`));
    for (const [orderId, { platform, reporters }] of this.#shown) {
      if (stillOpen.has(orderId)) continue;
      this.#shown.delete(orderId);
      this.#remember(orderId, { platform, reporters });
    }
    this.#asOf = asOf;
    if (this.#number === before) return;
    const announce = this.#announce;
    this.#changed = this.#nextChange();
    announce();
  }

  #remember(orderId: string, { platform, reporters, card }: { platform: string; reporters: readonly string[]; card?: Card }): void {
    this.#number += 1;
    this.#changes.delete(orderId);
    this.#changes.set(orderId, { number: this.#number, orderId, platform, reporters, ...(card === undefined ? {} : { card }) });
    for (const [oldest, { number }] of this.#changes) {
      if (this.#changes.size <= changesKept) return;
      this.#changes.delete(oldest);
      this.#forgotten = number;
    }
  }

  #nextChange(): Promise<void> {
    return new Promise((resolve) => (this.#announce = resolve));
  }

  #now(): string {
    return this.ports.clock.now().toISOString();
  }
}

function sees({ scope, kind, organisation }: Viewer, { platform, reporters }: { platform: string; reporters: readonly string[] }): boolean {
  if (scope === 'all') return true;
  return kind === 'platform' ? platform === organisation : reporters.includes(organisation);
}
