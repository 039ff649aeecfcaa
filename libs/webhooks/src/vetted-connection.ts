import { lookup as systemLookup } from 'node:dns/promises';
import type { LookupFunction } from 'node:net';
import { isNativeError } from 'node:util/types';
import { Agent, type Dispatcher } from 'undici';
import { hostLiteral, judgeAddress, urlFault, type AllowList } from './address.js';

export interface ResolvedAddress {
  readonly address: string;
  readonly family: number;
}

export interface ConnectionOptions {
  /** Networks that may be called although they are not public; see `parseAllowList`. Default: none. */
  readonly allow?: AllowList;
  /** Every address of a host name. Default: the system's resolver. */
  readonly resolve?: (hostname: string) => Promise<readonly ResolvedAddress[]>;
  /** Certificates trusted instead of the system's, as PEM. */
  readonly ca?: string | readonly string[];
  readonly connectTimeoutMs?: number;
}

export type VettingFault = 'url-not-allowed' | 'address-not-allowed' | 'dns';

/** The connection was not even tried. */
export class VettingError extends Error {
  override readonly name = 'VettingError';
  constructor(readonly fault: VettingFault, message: string) {
    super(message);
  }
}

const RESOLVED_FOR_MS = 5_000;
const RESOLVED_MAX = 256;

/**
 * Connections that reach public addresses and those of the allow list, and nothing else. A name is resolved once, all its addresses are
 * judged, and exactly the judged ones are handed to the socket: a name server that answers differently the second time
 * (DNS rebinding) is not asked a second time.
 */
export class VettedConnection {
  readonly #allow: AllowList;
  readonly #resolve: (hostname: string) => Promise<readonly ResolvedAddress[]>;
  readonly #agents: Record<'http:' | 'https:', Agent>;
  readonly #resolved = new Map<string, { readonly addresses: Promise<readonly ResolvedAddress[]>; readonly until: number }>();

  constructor({ allow = [], resolve = (hostname) => systemLookup(hostname, { all: true, verbatim: true }), ca, connectTimeoutMs = 10_000 }: ConnectionOptions) {
    this.#allow = allow;
    this.#resolve = resolve;
    const agent = (protocol: 'http:' | 'https:') =>
      new Agent({
        allowH2: false,
        connections: 64,
        pipelining: 1,
        connect: {
          timeout: connectTimeoutMs,
          lookup: this.#lookup(protocol),
          ...(ca === undefined ? {} : { ca: typeof ca === 'string' ? ca : [...ca] }),
        },
      });
    this.#agents = { 'http:': agent('http:'), 'https:': agent('https:') };
  }

  /**
   * Resolves when this URL may be called, with the dispatcher to call it with. Throws VettingError, and the signal's reason when the
   * name was not resolved before it fired.
   */
  async vet(url: string, signal: AbortSignal): Promise<Dispatcher> {
    const fault = urlFault(url, this.#allow);
    const parsed = URL.canParse(url) ? new URL(url) : undefined;
    if (fault !== undefined || !parsed) {
      const refusedAddress = parsed !== undefined && hostLiteral(parsed) !== undefined;
      throw new VettingError(refusedAddress ? 'address-not-allowed' : 'url-not-allowed', `${url.slice(0, 200)} is not called: ${fault}`);
    }
    const protocol = parsed.protocol as 'http:' | 'https:';
    // A literal never reaches the socket's lookup; it has just been judged by urlFault.
    if (hostLiteral(parsed) === undefined) await unlessAborted(this.#addressesOf(parsed.hostname, protocol), signal);
    return this.#agents[protocol];
  }

  async close(): Promise<void> {
    await Promise.all([this.#agents['http:'].destroy(), this.#agents['https:'].destroy()]);
  }

  #lookup(protocol: 'http:' | 'https:'): LookupFunction {
    return (hostname, options, callback) => {
      this.#addressesOf(hostname, protocol).then(
        (addresses) => {
          const first = addresses[0] as ResolvedAddress;
          if (options.all) callback(null, addresses.map(({ address, family }) => ({ address, family })));
          else callback(null, first.address, first.family);
        },
        (error: Error) => callback(error, ''),
      );
    };
  }

  async #addressesOf(hostname: string, protocol: string): Promise<readonly ResolvedAddress[]> {
    const addresses = await this.#resolveOnce(hostname);
    if (addresses.length === 0) throw new VettingError('dns', `${hostname} has no address`);
    for (const { address } of addresses) {
      const verdict = judgeAddress(address, this.#allow);
      // One bad address spoils the name: which of several the socket would take is not ours to choose.
      if (verdict === 'refused') throw new VettingError('address-not-allowed', `${hostname} is not called: its address ${address} is not public`);
      if (verdict === 'public' && protocol === 'http:') throw new VettingError('url-not-allowed', `${hostname} is not called: only https is called on public addresses`);
    }
    return addresses;
  }

  #resolveOnce(hostname: string): Promise<readonly ResolvedAddress[]> {
    const known = this.#resolved.get(hostname);
    if (known && known.until > performance.now()) return known.addresses;
    const addresses = this.#resolve(hostname).catch((error: unknown) => {
      this.#resolved.delete(hostname);
      throw new VettingError('dns', `${hostname} cannot be resolved: ${isNativeError(error) ? error.message : String(error)}`);
    });
    if (this.#resolved.size >= RESOLVED_MAX) this.#resolved.clear();
    this.#resolved.set(hostname, { addresses, until: performance.now() + RESOLVED_FOR_MS });
    return addresses;
  }
}

function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason as Error);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
