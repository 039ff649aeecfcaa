import type { StreamEvent } from '../verdict/stream-event.js';
import { OPEN, takedownAsOf, type OrderStatus } from './takedown-state.js';

export interface BoardRow {
  readonly takedownId: string;
  readonly platform: string;
  readonly contentKey: string;
  readonly status: OrderStatus;
  readonly objection: string;
  readonly verification: string;
  /** Of the newest order's resolution, where it runs. */
  readonly due?: string;
  readonly missed: boolean;
}

export interface Board {
  readonly at: string;
  readonly takedowns: number;
  readonly open: number;
  readonly byStatus: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Open ones, by the time that was left. */
  readonly rows: readonly BoardRow[];
}

/** The whole board as it stood at a moment; of one platform, if one is named. */
export function boardAsOf(streams: ReadonlyMap<string, readonly StreamEvent[]>, at: string, platform?: string): Board {
  const byStatus: Record<string, Record<string, number>> = {};
  const rows: BoardRow[] = [];
  let takedowns = 0;
  for (const [stream, events] of streams) {
    const state = takedownAsOf(stream, events, at);
    if (state === undefined || (platform !== undefined && state.platform !== platform)) continue;
    takedowns += 1;
    const tally = (byStatus[state.platform] ??= {});
    tally[state.status] = (tally[state.status] ?? 0) + 1;
    if (!OPEN.has(state.status)) continue;
    const clock = state.orders.at(-1)?.clocks.findLast((one) => one.clock === 'resolution');
    const { takedownId, contentKey, status, objection, verification } = state;
    rows.push({
      takedownId, platform: state.platform, contentKey, status, objection, verification, ...(clock === undefined ? {} : { due: clock.due }),
      missed: clock !== undefined && (clock.verdict === 'missed' || (clock.verdict === 'undecided' && clock.due < at)),
    });
  }
  rows.sort((one, other) => (one.due ?? '9').localeCompare(other.due ?? '9') || one.takedownId.localeCompare(other.takedownId));
  return { at, takedowns, open: rows.length, byStatus, rows };
}
