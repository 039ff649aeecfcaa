import { RequestRefused } from '@sejam/service-host';

export const defaultZone = 'Asia/Jakarta';

/**
 * A moment from what callers write: RFC 3339 with an offset is taken as it is; a date, or a time without offset, is of the zone. Where
 * clocks are put back the earlier of two moments counts. Refuses what is no time.
 */
export function momentIn(zone: string, text: string, parameter: string): Date {
  const parts = /^(\d{4}-\d{2}-\d{2})(?:T(\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?)(Z|[+-]\d{2}:\d{2})?)?$/.exec(text);
  const [, date = '', time = '00:00', offset] = parts ?? [];
  const asUtc = Date.parse(`${date}T${time}${offset ?? 'Z'}`);
  // 2024-02-30 would become the first of March.
  if (parts === null || Number.isNaN(asUtc) || !new Date(Date.parse(`${date}T00:00Z`)).toISOString().startsWith(date)) {
    throw new RequestRefused(400, 'request.invalid-parameter', `${parameter} is no time`, { errors: [{ pointer: `?${parameter}`, code: 'is-time', detail: 'Write 2024-11-27, or 2024-11-27T07:00:00Z' }] });
  }
  if (offset !== undefined) return new Date(asUtc);
  // The offset at the guess may be that of the other side of a change of clocks; the second guess is right.
  const guess = asUtc - offsetMs(zone, asUtc);
  return new Date(asUtc - offsetMs(zone, guess));
}

/** Refuses a zone that the tz database does not know. */
export function knownZone(zone: string): string {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone });
    return zone;
  } catch {
    throw new RequestRefused(400, 'request.invalid-parameter', 'There is no such time zone', { errors: [{ pointer: '?tz', code: 'is-time-zone', detail: 'Write a name of the tz database, such as Asia/Jayapura' }] });
  }
}

function offsetMs(zone: string, atMs: number): number {
  const format = new Intl.DateTimeFormat('en-u-ca-iso8601', { timeZone: zone, hourCycle: 'h23', year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit' });
  const parts = Object.fromEntries(format.formatToParts(atMs).map(({ type, value }) => [type, Number(value)]));
  const local = Date.UTC(parts['year'] ?? 0, (parts['month'] ?? 1) - 1, parts['day'], parts['hour'], parts['minute'], parts['second']);
  return local - Math.floor(atMs / 1000) * 1000;
}

/** Half-open; null: without end on that side. */
export interface Span {
  readonly from: Date | null;
  readonly to: Date | null;
}

export function spanOf({ from, to, tz = defaultZone }: { from?: string | undefined; to?: string | undefined; tz?: string | undefined }): Span & { readonly tz: string } {
  const zone = knownZone(tz);
  const span = { from: from === undefined ? null : momentIn(zone, from, 'from'), to: to === undefined ? null : momentIn(zone, to, 'to'), tz: zone };
  if (span.from !== null && span.to !== null && span.from > span.to) {
    throw new RequestRefused(400, 'request.invalid-parameter', 'from is later than to', { errors: [{ pointer: '?from', code: 'is-before', detail: 'from must not be later than to' }] });
  }
  return span;
}
