import { services, type ServiceName } from './path-table.js';

/** Addresses of the services that run here. */
export type Upstreams = Readonly<Partial<Record<ServiceName | 'sandbox', string>>>;
/** Nest's injection token of `Upstreams`. */
export const UPSTREAMS = Symbol('Upstreams');

/** What one service said of itself. `away`: nothing answered. */
export interface PartState {
  readonly status: 'ready' | 'degraded' | 'unavailable' | 'away';
  readonly missing?: Readonly<Record<string, string>>;
  readonly bus?: { readonly connected: boolean; readonly lag?: number };
}

interface Ready extends PartState {
  readonly record?: { readonly id: string; readonly speed: number; readonly domainTime: string };
}

export interface JsonAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

/** Asks one service for a document. Rejects when there is no whole answer in time. */
export async function askJson(base: string, path: string, { headers = {}, timeoutMs = 1_500 }: { headers?: Record<string, string>; timeoutMs?: number } = {}): Promise<JsonAnswer> {
  const response = await fetch(new URL(path, base), { headers, redirect: 'manual', signal: AbortSignal.timeout(timeoutMs) });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

/** The joint readiness: what each service says of itself, each asked when the gateway is asked. */
export class JointReadiness {
  readonly #states = new Map<string, PartState>();
  readonly #asking = new Set<Promise<void>>();
  #record: { recordId: string; speed: number; domainTime: Date; readAt: number } | undefined;

  constructor(private readonly upstreams: Upstreams) {
    for (const name of Object.keys(upstreams)) this.#states.set(name, { status: 'away' });
  }

  /** One check for each service that requests may need. The sandbox plays a part outside, so it is shown and nothing waits for it. */
  checks(): Record<string, () => Promise<void>> {
    const counted = services.filter((name) => this.upstreams[name] !== undefined);
    return Object.fromEntries(counted.map((name) => [name, () => this.#once(name)]));
  }

  parts(): Readonly<Record<string, PartState>> {
    if (this.upstreams.sandbox !== undefined) void this.#once('sandbox').catch(() => undefined);
    return Object.fromEntries(this.#states);
  }

  /** Connected only when every service that speaks of its bus is; the lags add up. Waits for the checks that are under way. */
  async bus(): Promise<{ connected: boolean; lag: number }> {
    await Promise.allSettled(this.#asking);
    const buses = [...this.#states.values()].flatMap(({ bus }) => (bus === undefined ? [] : [bus]));
    return { connected: buses.every(({ connected }) => connected), lag: buses.reduce((sum, { lag = 0 }) => sum + lag, 0) };
  }

  record(): { recordId: string; speed: number; now: Date } | undefined {
    if (this.#record === undefined) return undefined;
    const { recordId, speed, domainTime, readAt } = this.#record;
    return { recordId, speed, now: new Date(domainTime.getTime() + (performance.now() - readAt) * speed) };
  }

  #once(name: ServiceName | 'sandbox'): Promise<void> {
    const asking = this.#ask(name);
    this.#asking.add(asking);
    void asking.catch(() => undefined).finally(() => this.#asking.delete(asking));
    return asking;
  }

  async #ask(name: ServiceName | 'sandbox'): Promise<void> {
    let said: Ready;
    try {
      said = (await askJson(this.upstreams[name] ?? '', '/health/ready')).body as Ready;
    } catch {
      this.#states.set(name, { status: 'away' });
      throw new Error('does not answer');
    }
    const { status, missing, bus, record } = said;
    this.#states.set(name, { status, ...(missing === undefined ? {} : { missing }), ...(bus === undefined ? {} : { bus }) });
    if (record !== undefined) this.#record = { recordId: record.id, speed: record.speed, domainTime: new Date(record.domainTime), readAt: performance.now() };
    if (status === 'unavailable') throw new Error(Object.entries(missing ?? { service: 'is not ready' }).map(([what, why]) => `${what} ${why}`).join('; '));
  }
}
