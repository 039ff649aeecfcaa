import { setTimeout as delay } from 'node:timers/promises';

export interface NewestCheckpoint {
  /** `sejam-checkpoint`, or nothing while none is known: its absence never delays an answer or a message. */
  headers(): Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

const EVERY_MS = 1_000;
const TIMEOUT_MS = 2_000;
const NOTE_CHARACTERS_MAX = 4_096;

/**
 * Keeps the newest signed checkpoint of the record at hand, to be given along with what goes out: whoever keeps one can show later that the
 * record was cut back or rewritten. The header's value is the base64 of the signed note (docs/audit-format.md). Audit being away is no fault of
 * ours: the newest one known goes on being given.
 */
export function followCheckpoint(auditUrl: string | undefined, { everyMs = EVERY_MS }: { everyMs?: number } = {}): NewestCheckpoint {
  const stopping = new AbortController();
  let headers: Readonly<Record<string, string>> = {};

  const follow = async (address: URL) => {
    while (!stopping.signal.aborted) {
      try {
        const response = await fetch(address, { redirect: 'error', signal: AbortSignal.any([stopping.signal, AbortSignal.timeout(TIMEOUT_MS)]) });
        const note = await response.text();
        if (response.ok && note.length <= NOTE_CHARACTERS_MAX && note.includes('\n\n')) headers = { 'sejam-checkpoint': Buffer.from(note).toString('base64') };
      } catch {
        // It will be there again.
      }
      await delay(everyMs, undefined, { signal: stopping.signal }).catch(() => {});
    }
  };
  const running = auditUrl === undefined ? Promise.resolve() : follow(new URL('/v1/audit/checkpoint', auditUrl));

  return {
    headers: () => headers,
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
