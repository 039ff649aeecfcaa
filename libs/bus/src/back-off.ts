import { setTimeout as delay } from 'node:timers/promises';

/**
 * Waits between tries that go on for ever: 0.1 s at first, doubling to 5 s, with jitter so that many do not come back as one.
 * Resolves at once when `signal` aborts.
 */
export async function backOff(failures: number, signal: AbortSignal): Promise<void> {
  const ms = Math.min(5_000, 100 * 2 ** Math.min(failures - 1, 10)) * (0.5 + Math.random() / 2);
  await delay(ms, undefined, { signal }).catch(() => {});
}
