// All times here are domain time: with a faster record the schedule, the clocks and the platforms' patience shrink together.

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** Milliseconds from the first attempt: tight inside the hour that counts, then patient until the end of the day. */
export const deliverySchedule: readonly number[] = Object.freeze([
  ...[0, 5, 15, 30].map((seconds) => seconds * SECOND),
  ...[1, 2, 5, 10, 15].map((minutes) => minutes * MINUTE),
  ...steps(20, 120, 5),
  ...steps(150, 24 * 60, 30),
]);

/** An order is not parked before it was tried this often, even if the clearing house itself was down for most of the day. */
export const ATTEMPTS_MIN = 12;

const LAST_STEP_MS = 30 * MINUTE;
const JITTER_SHARE = 0.1;

/**
 * A platform may ask for patience, and no more of it: with three failures within 15 minutes of issue an order is deemed delivered,
 * and `Retry-After: 86400` must not be a way around that.
 */
export const RETRY_AFTER_MAX_MS = 5 * MINUTE;

/**
 * When a failed message is tried again, or that it is parked for an operator. The first offset that still lies ahead is taken, so slow
 * attempts skip steps and never bunch up. Jitter (`random` in [0, 1)) only ever delays, by up to a tenth of the step.
 * `retryAfterMs` is domain time; see `parseRetryAfter`.
 */
export function nextAttempt({ firstAttemptAt, failedAt, attempts, retryAfterMs = 0, random }: {
  firstAttemptAt: Date;
  failedAt: Date;
  /** How many have been made, the failed one included. */
  attempts: number;
  retryAfterMs?: number;
  random: () => number;
}): { readonly at: Date } | 'parked' {
  const elapsedMs = Math.max(0, failedAt.getTime() - firstAttemptAt.getTime());
  const index = deliverySchedule.findIndex((offset) => offset > elapsedMs);
  if (index === -1 && attempts >= ATTEMPTS_MIN) return 'parked';
  const plannedMs = deliverySchedule[index] ?? elapsedMs + LAST_STEP_MS;
  const stepMs = index === -1 ? LAST_STEP_MS : plannedMs - (deliverySchedule[index - 1] ?? 0);
  const waitMs = Math.max(plannedMs - elapsedMs, Math.min(Math.max(0, retryAfterMs), RETRY_AFTER_MAX_MS));
  return { at: new Date(failedAt.getTime() + Math.round(waitMs + stepMs * JITTER_SHARE * random())) };
}

/**
 * Wall milliseconds that a `Retry-After` header asks for (RFC 9110, 10.2.3: seconds or an HTTP date); undefined when it says nothing
 * usable. `now` is wall time. The cap is applied by `nextAttempt`.
 */
export function parseRetryAfter(value: string | undefined, now: Date): number | undefined {
  const text = value?.trim() ?? '';
  if (/^\d{1,9}$/.test(text)) return Number(text) * SECOND;
  // Only the one form that is still to be sent; Date.parse alone would take `1` or `May` for a date.
  if (!/^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(text)) return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now.getTime());
}

function steps(fromMinutes: number, toMinutes: number, stepMinutes: number): number[] {
  return Array.from({ length: (toMinutes - fromMinutes) / stepMinutes + 1 }, (_, i) => (fromMinutes + i * stepMinutes) * MINUTE);
}
