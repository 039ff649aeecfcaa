import { setTimeout as delay } from 'node:timers/promises';

export interface EventuallyOptions {
  /** Give up, with the last failure, after this; 15 s without it. */
  readonly withinMs?: number;
}

/**
 * Repeats `check` until it neither throws nor returns false, and returns what it returned. What tests do in place of sleeping: it ends
 * as soon as the thing is so, and says at the end what was still wrong.
 */
export async function eventually<T>(check: () => T | Promise<T>, { withinMs = 15_000 }: EventuallyOptions = {}): Promise<Exclude<T, false>> {
  const deadline = performance.now() + withinMs;
  for (let pauseMs = 5; ; pauseMs = Math.min(pauseMs * 1.5, 100)) {
    try {
      const result = await check();
      if (result !== false) return result as Exclude<T, false>;
      if (performance.now() > deadline) throw new Error(`Still false after ${withinMs} ms: ${String(check)}`);
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
    await delay(pauseMs);
  }
}
