import { request } from 'undici';
import { faultOf } from './sender.js';
import { VettedConnection, VettingError, type ConnectionOptions } from './vetted-connection.js';

export interface ShortLinkOptions extends ConnectionOptions {
  /** The only host names that are ever asked, such as `vm.tiktok.com`. Where they point to is read, not visited. */
  readonly allowedHosts: readonly string[];
  /** Ends early, for a host that serves both short and full addresses. Not asked about the first URL. */
  readonly isFinal?: (url: string) => boolean;
  readonly hopsMax?: number;
  /** For the whole way, wall time. Default 5 s. */
  readonly timeoutMs?: number;
  readonly userAgent?: string;
}

export type ShortLinkAnswer =
  | { readonly resolved: true; readonly url: string; readonly hops: readonly string[] }
  | {
      readonly resolved: false;
      readonly reason: 'host-not-allowed' | 'malformed-location' | 'too-many-hops' | 'loop' | 'dead' | 'unreachable' | 'timeout';
      readonly detail: string;
      readonly hops: readonly string[];
      /** Whether asking again later may help; a dead link stays dead. */
      readonly retryable: boolean;
    };

export interface ShortLinkFollower {
  /** Never rejects. `hops` are the addresses asked, in order. */
  follow(url: string, options?: { signal?: AbortSignal }): Promise<ShortLinkAnswer>;
  close(): Promise<void>;
}

const URL_LENGTH_MAX = 4_096;

/**
 * Follows redirects of known short-link hosts with HEAD, or GET where HEAD is not answered; https only, no cookies, no bodies, public
 * addresses only. The last address is handed back as found: whether it is somebody's content is for the caller to say.
 */
export function createShortLinkFollower({ allowedHosts, isFinal = () => false, hopsMax = 5, timeoutMs = 5_000, userAgent = 'Sejam/0.1 (+short-links)', ...connection }: ShortLinkOptions): ShortLinkFollower {
  const vetted = new VettedConnection({ connectTimeoutMs: timeoutMs, ...connection });
  const allowed = new Set(allowedHosts.map((host) => host.toLowerCase()));

  async function follow(start: string, { signal: cancelled }: { signal?: AbortSignal } = {}): Promise<ShortLinkAnswer> {
    const timeout = AbortSignal.timeout(timeoutMs);
    const signal = cancelled ? AbortSignal.any([cancelled, timeout]) : timeout;
    const hops: string[] = [];
    type Reason = Extract<ShortLinkAnswer, { resolved: false }>['reason'];
    const fail = (reason: Reason, detail: string, retryable = false): ShortLinkAnswer => ({ resolved: false, reason, detail, hops, retryable });

    if (!URL.canParse(start)) return fail('malformed-location', 'the link is not an absolute URL');
    let url = new URL(start);
    for (;;) {
      const known = allowed.has(url.hostname);
      if (hops.length > 0 && (!known || isFinal(url.href))) return { resolved: true, url: url.href, hops };
      if (!known) return fail('host-not-allowed', `${url.hostname} is not a known short-link host`);
      // Every known host speaks https; what was written with http is asked all the same, but never in the clear.
      url.protocol = 'https:';
      if (hops.includes(url.href)) return fail('loop', `the link leads back to ${url.href}`);
      if (hops.length === hopsMax) return fail('too-many-hops', `the link leads over more than ${hopsMax} addresses`);
      hops.push(url.href);

      let answer: Hop;
      try {
        answer = await ask(url.href, 'HEAD', signal);
        if (answer.status >= 400) answer = await ask(url.href, 'GET', signal);
      } catch (error) {
        if (timeout.aborted) return fail('timeout', `no end within ${timeoutMs} ms`, true);
        if (cancelled?.aborted) return fail('timeout', 'cancelled', true);
        const notAllowed = error instanceof VettingError && error.fault !== 'dns';
        return fail('unreachable', error instanceof VettingError ? error.message : `${url.hostname}: ${faultOf(error)}`, !notAllowed);
      }
      if (answer.status === 404 || answer.status === 410) return fail('dead', `${url.href} answered ${answer.status}`);
      if (answer.status >= 400) return fail('unreachable', `${url.href} answered ${answer.status}`, true);
      if (answer.status < 300 || answer.location === undefined) return { resolved: true, url: url.href, hops };
      const next = answer.location.length <= URL_LENGTH_MAX && URL.canParse(answer.location, url.href) ? new URL(answer.location, url.href) : undefined;
      if (!next || (next.protocol !== 'https:' && next.protocol !== 'http:')) return fail('malformed-location', `${url.href} redirects to something that is not a web address`);
      url = next;
    }
  }

  interface Hop {
    readonly status: number;
    readonly location?: string;
  }

  async function ask(url: string, method: 'HEAD' | 'GET', signal: AbortSignal): Promise<Hop> {
    const dispatcher = await vetted.vet(url, signal);
    const { statusCode, headers, body } = await request(url, { dispatcher, method, signal, headers: { 'user-agent': userAgent, accept: '*/*' } });
    body.on('error', () => {}).destroy();
    return { status: statusCode, ...(typeof headers['location'] === 'string' ? { location: headers['location'] } : {}) };
  }

  return { follow, close: () => vetted.close() };
}
