/** How one HTTP exchange ended, as the sender saw it. */
export type AttemptOutcome =
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly retryAfter?: string;
      /** The beginning of the answer, for the operator; never parsed. */
      readonly body: string;
      readonly durationMs: number;
    }
  | { readonly kind: 'failed'; readonly fault: AttemptFault; readonly detail: string; readonly durationMs: number };

export type AttemptFault =
  | 'connection-refused'
  | 'connection-reset'
  | 'tls'
  | 'timeout'
  /** The host name has no address, or our resolver did not answer. */
  | 'dns'
  /** The address is not public and not in the allow list. */
  | 'address-not-allowed'
  | 'url-not-allowed'
  /** No route from here. */
  | 'network-unreachable'
  | 'cancelled'
  | 'other';

export type AttemptVerdict =
  | { readonly delivered: true; readonly status: number }
  | {
      readonly delivered: false;
      /** Who has to answer for it. Only failures on the platform's side count towards `OrderDeemedDelivered`. */
      readonly side: 'platform' | 'ours';
      /** Stable, for the record: `http-503`, `timeout`, `dns` … */
      readonly cause: string;
      /** 410: counts towards pausing the endpoint, see `isGoneForGood`. */
      readonly gone: boolean;
      readonly retryAfter?: string;
    };

// "Connection refused or reset, TLS failure, time-out, any non-2xx; all else is ours": a name that does not resolve may well be our
// resolver, and an address we refuse to call is our rule.
const PLATFORM_FAULTS: ReadonlySet<AttemptFault> = new Set(['connection-refused', 'connection-reset', 'tls', 'timeout']);

/** Success is 2xx alone; a redirect is a failure like any other, since a moved endpoint has to be set anew by somebody entitled to. */
export function classifyAttempt(outcome: AttemptOutcome): AttemptVerdict {
  if (outcome.kind === 'failed') return { delivered: false, side: PLATFORM_FAULTS.has(outcome.fault) ? 'platform' : 'ours', cause: outcome.fault, gone: false };
  if (outcome.status >= 200 && outcome.status < 300) return { delivered: true, status: outcome.status };
  return {
    delivered: false,
    side: 'platform',
    cause: `http-${outcome.status}`,
    gone: outcome.status === 410,
    ...(outcome.retryAfter === undefined ? {} : { retryAfter: outcome.retryAfter }),
  };
}

export const GONE_ANSWERS_TO_PAUSE = 3;
export const GONE_WINDOW_MS = 5 * 60_000;
/** Domain time between the probes of a paused endpoint. */
export const PROBE_INTERVAL_MS = 60_000;

/**
 * Whether the endpoint is to be paused: 410 three times within five minutes. One 410 may be a deployment. `goneAt` are the domain times
 * of its 410 answers since its last success, in any order. A paused endpoint is probed each `PROBE_INTERVAL_MS` and resumed by the first success.
 */
export function isGoneForGood(goneAt: readonly Date[]): boolean {
  const times = goneAt.map((at) => at.getTime()).sort((a, b) => a - b);
  return times.some((time, i) => {
    const third = times[i + GONE_ANSWERS_TO_PAUSE - 1];
    return third !== undefined && third - time <= GONE_WINDOW_MS;
  });
}
