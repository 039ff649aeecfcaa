import type { Pool } from '@sejam/postgres';
import type { Logger } from '@sejam/service-host';

const everyMs = 10_000;

/** Remembers when each key was used last, in memory, and writes it down now and then: a request never waits for it. */
export function keepKeyUse(pool: Pool, log: Logger): { used(keyId: string, at: Date): void; stop(): Promise<void> } {
  let newest = new Map<string, Date>();

  async function write(): Promise<void> {
    if (newest.size === 0) return;
    const written = newest;
    newest = new Map();
    try {
      await pool.query(
        `INSERT INTO api_key_use AS kept (key_id, last_used_at) SELECT * FROM unnest($1::text[], $2::timestamptz[])
         ON CONFLICT (key_id) DO UPDATE SET last_used_at = greatest(kept.last_used_at, excluded.last_used_at)`,
        [[...written.keys()], [...written.values()]],
      );
    } catch (error) {
      newest = new Map([...written, ...newest]);
      log.debug({ error: String(error) }, 'The last use of keys could not be written; trying again');
    }
  }

  const timer = setInterval(() => void write(), everyMs);
  timer.unref();
  return {
    used: (keyId, at) => void newest.set(keyId, at),
    async stop() {
      clearInterval(timer);
      await write();
    },
  };
}
