import { Controller, Get, Header, Inject, Param } from '@nestjs/common';
import { taxonomyVersion } from '@sejam/contracts';
import { DomainError } from '@sejam/event-sourcing';
import { PORTS, type ReportingPorts } from '../reporting-ports.js';
import { countOrders, type ComplianceFigures } from './count-orders.js';
import { countVolume, type VolumeFigures } from './count-volume.js';
import { defaultZone, momentIn } from './local-time.js';

/** What anybody may know of a period. Counts alone: no URL, no reporter, no officer, no region, no issue. */
export interface TransparencyReport {
  readonly period: string;
  readonly from: string;
  readonly to: string;
  readonly tz: string;
  /** The period is over; orders may still be answered, withdrawn or reinstated afterwards. */
  readonly complete: boolean;
  readonly asOf: string;
  readonly taxonomyVersion: number;
  readonly volume: VolumeFigures & { byCategory: readonly (VolumeFigures & { category: string })[] };
  readonly orders: ComplianceFigures & {
    readonly byPlatform: readonly (ComplianceFigures & { platform: string | null })[];
    readonly byCategory: readonly (ComplianceFigures & { category: string | null })[];
    readonly byAgency: readonly (ComplianceFigures & { agency: string | null })[];
  };
  readonly actions: Readonly<Record<string, number>>;
  readonly refusals: Readonly<Record<string, number>>;
}

/** Anybody may ask, so the tables are read once a minute and period at most. */
const keptMs = 60_000;
const keptMost = 100;

@Controller('v1/transparency')
export class GetTransparency {
  readonly #kept = new Map<string, { readonly until: number; readonly report: Promise<TransparencyReport> }>();

  constructor(@Inject(PORTS) private readonly ports: ReportingPorts) {}

  /** A month (`2024-11`), a quarter (`2024-Q4`) or a year, as Jakarta's calendar has them. */
  @Get(':period')
  @Header('cache-control', 'public, max-age=60')
  async report(@Param('period') period: string): Promise<TransparencyReport> {
    const span = calendarSpan(period);
    const now = this.ports.clock.now();
    if (span === undefined || span.from > now) throw new DomainError('transparency.period-unknown', 'not-found', 'A period that has begun is written 2024-11, 2024-Q4 or 2024');
    const kept = this.#kept.get(period);
    if (kept !== undefined && kept.until > performance.now()) return kept.report;
    const report = this.#count(period, span, now);
    if (this.#kept.size >= keptMost) this.#kept.clear();
    this.#kept.set(period, { until: performance.now() + keptMs, report });
    report.catch(() => this.#kept.delete(period));
    return report;
  }

  async #count(period: string, { from, to }: { from: Date; to: Date }, now: Date): Promise<TransparencyReport> {
    const { pool } = this.ports;
    const span = { from, to, tests: false };
    const [all] = await countOrders(pool, span);
    if (all === undefined) throw new Error('A count without groups has one row');
    const volume = await countVolume(pool, span);
    const by = async <Name extends 'platform' | 'category' | 'agency'>(name: Name) =>
      (await countOrders(pool, { ...span, by: name })).map(({ group, figures }) => ({ [name]: group, ...figures }) as ComplianceFigures & Record<Name, string | null>);
    return {
      period, from: from.toISOString(), to: to.toISOString(), tz: defaultZone, complete: to <= now, asOf: now.toISOString(), taxonomyVersion,
      volume: { ...volume.total, byCategory: volume.byCategory },
      orders: { ...all.figures, byPlatform: await by('platform'), byCategory: await by('category'), byAgency: await by('agency') },
      actions: await this.#counts('action', span),
      refusals: await this.#counts('refusal', span),
    };
  }

  async #counts(column: 'action' | 'refusal', { from, to }: { from: Date; to: Date }): Promise<Record<string, number>> {
    const { rows } = await this.ports.pool.query<{ name: string; orders: number }>(
      `SELECT ${column} AS name, count(*) AS orders FROM placed_order WHERE issued_at >= $1 AND issued_at < $2 AND NOT test AND ${column} IS NOT NULL GROUP BY ${column} ORDER BY ${column}`,
      [from, to],
    );
    return Object.fromEntries(rows.map(({ name, orders }) => [name, orders]));
  }
}

/** Undefined: not a period. */
export function calendarSpan(period: string): { from: Date; to: Date } | undefined {
  const [, year, quarter, month] = /^(20\d\d)(?:-(?:Q([1-4])|(0[1-9]|1[0-2])))?$/.exec(period) ?? [];
  if (year === undefined) return undefined;
  const first = quarter !== undefined ? Number(quarter) * 3 - 2 : Number(month ?? 1);
  const months = quarter !== undefined ? 3 : month !== undefined ? 1 : 12;
  const start = (months: number): Date => {
    const index = Number(year) * 12 + first - 1 + months;
    return momentIn(defaultZone, `${Math.floor(index / 12)}-${String((index % 12) + 1).padStart(2, '0')}-01`, 'period');
  };
  return { from: start(0), to: start(months) };
}
