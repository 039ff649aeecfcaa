/** Resolves while the thing can be used; rejects with a sentence that says what is missing. */
export type ReadinessCheck = () => Promise<void>;

export interface HealthOptions {
  readonly service: string;
  /** What a request needs, by name: the record, PostgreSQL, the keys. Never the bus. */
  readonly readiness: Readonly<Record<string, ReadinessCheck>>;
  /** The bus: away means late, not unable. `lag` counts messages not yet handled. */
  readonly bus?: (() => Promise<{ readonly connected: boolean; readonly lag?: number }>) | undefined;
  /** Of a service that speaks for others: what each of them said, asked for after the readiness checks. */
  readonly parts?: (() => Readonly<Record<string, unknown>>) | undefined;
  /** From the record's first event. Undefined until it has been read. */
  readonly record?: (() => { readonly recordId: string; readonly speed: number; readonly now: Date } | undefined) | undefined;
}

export interface HealthReport {
  readonly status: 'ready' | 'degraded' | 'unavailable';
  readonly service: string;
  readonly record?: { readonly id: string; readonly speed: number; readonly domainTime: string };
  /** By name: why a request would fail. */
  readonly missing?: Readonly<Record<string, string>>;
  readonly bus?: { readonly connected: boolean; readonly lag?: number };
  readonly parts?: Readonly<Record<string, unknown>>;
}

const checkTimeoutMs = 2_000;

/** Tells the truth in bounded time: a check that does not answer counts as failed. */
export class Health {
  #closing = false;

  constructor(private readonly options: HealthOptions) {}

  /** From here on not ready, so that load balancers send nothing new while requests in flight are finished. */
  close(): void {
    this.#closing = true;
  }

  async report(): Promise<HealthReport> {
    const missing: Record<string, string> = this.#closing ? { service: 'is shutting down' } : {};
    const checks = Object.entries(this.options.readiness).map(async ([name, check]) => {
      await within(check()).catch((error: unknown) => (missing[name] = sentence(error)));
    });
    const bus = this.options.bus === undefined ? undefined : within(this.options.bus()).catch(() => ({ connected: false }));
    await Promise.all(checks);
    const busState = await bus;
    const record = this.options.record?.();
    const unavailable = Object.keys(missing).length > 0;
    return {
      status: unavailable ? 'unavailable' : busState?.connected === false ? 'degraded' : 'ready',
      service: this.options.service,
      ...(record === undefined ? {} : { record: { id: record.recordId, speed: record.speed, domainTime: record.now.toISOString() } }),
      ...(unavailable ? { missing } : {}),
      ...(busState === undefined ? {} : { bus: busState }),
      ...(this.options.parts === undefined ? {} : { parts: this.options.parts() }),
    };
  }
}

async function within<T>(work: Promise<T>): Promise<T> {
  const timer: { id?: NodeJS.Timeout } = {};
  const late = new Promise<never>((_, reject) => {
    timer.id = setTimeout(() => reject(new Error(`did not answer within ${checkTimeoutMs / 1000} s`)), checkTimeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer.id);
  }
}

/** The first line only: connection strings and stacks do not belong on a public page. */
function sentence(error: unknown): string {
  const message = error instanceof AggregateError ? String((error.errors[0] as Error | undefined)?.message ?? error.message) : error instanceof Error ? error.message : String(error);
  return (message.split('\n')[0] ?? '').slice(0, 200).replaceAll(/\w+:\/\/\S+@/g, '…@');
}
