/** A token bucket per name, in memory: each process limits on its own, so n instances admit n times as much. */
export class RateLimiter {
  readonly #buckets = new Map<string, { tokens: number; at: number }>();

  /** `perSecond` tokens come in each second, up to `burst` seconds' worth are kept. */
  constructor(
    private readonly perSecond: number,
    private readonly burst: number,
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  /** 0 when the call may go ahead, else how many seconds until the next token. */
  take(name: string): number {
    const now = this.nowMs();
    const capacity = this.perSecond * this.burst;
    const bucket = this.#buckets.get(name) ?? { tokens: capacity, at: now };
    bucket.tokens = Math.min(capacity, bucket.tokens + ((now - bucket.at) / 1000) * this.perSecond);
    bucket.at = now;
    if (!this.#buckets.has(name)) {
      if (this.#buckets.size >= maxBuckets) this.#forgetFull(now, capacity);
      this.#buckets.set(name, bucket);
    }
    if (bucket.tokens < 1) return (1 - bucket.tokens) / this.perSecond;
    bucket.tokens -= 1;
    return 0;
  }

  /** Names come from callers; a full bucket says nothing that a new one would not. When none is full, the oldest go. */
  #forgetFull(now: number, capacity: number): void {
    for (const [name, bucket] of this.#buckets) {
      if (bucket.tokens + ((now - bucket.at) / 1000) * this.perSecond >= capacity) this.#buckets.delete(name);
    }
    for (const name of this.#buckets.keys()) {
      if (this.#buckets.size < maxBuckets) break;
      this.#buckets.delete(name);
    }
  }
}

const maxBuckets = 10_000;
