import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';

export interface StreamedAnswer {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly headers: Readonly<Record<string, string>>;
  /** Aborted at the end of the service; the stream must end soon after. */
  readonly closing: AbortSignal;
}

/**
 * Sends what `make` yields as it comes, no faster than the client takes it. What fails before the first piece is a problem document; what
 * fails later cuts the connection, so that nobody takes a part for the whole. The signal aborts when the client goes or the service ends.
 */
export async function answerStream({ request, reply, headers, closing }: StreamedAnswer, make: (signal: AbortSignal) => AsyncGenerator<string>): Promise<void> {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  const pieces = make(AbortSignal.any([closing, gone.signal]));
  if (request.method === 'HEAD') {
    await pieces.return(undefined);
    await reply.headers(headers).send();
    return;
  }
  const begun = await pieces.next();
  async function* all(): AsyncGenerator<string> {
    try {
      if (begun.done !== true) yield begun.value;
      yield* pieces;
    } finally {
      gone.abort();
      await pieces.return(undefined);
    }
  }
  await reply.headers({ 'cache-control': 'no-store', 'x-accel-buffering': 'no', ...headers }).send(Readable.from(all(), { highWaterMark: 4 }));
}

export const eventStream = 'text/event-stream; charset=utf-8';

/** One event of an event stream. `data` is one line, as JSON is. */
export function serverSentEvent({ event, id, data }: { event?: string; id?: string; data: unknown }): string {
  return `${id === undefined ? '' : `id: ${id}\n`}${event === undefined ? '' : `event: ${event}\n`}data: ${JSON.stringify(data)}\n\n`;
}

/** Resolves true after `ms`, false when the signal aborts first; or with what `other` resolves with. */
export async function waitFor<T>(other: Promise<T>, ms: number, signal: AbortSignal): Promise<T | 'late' | 'ended'> {
  if (signal.aborted) return 'ended';
  let timer: NodeJS.Timeout | undefined;
  let abort = (): void => {};
  try {
    return await Promise.race([
      other,
      new Promise<'late'>((resolve) => (timer = setTimeout(() => resolve('late'), ms))),
      new Promise<'ended'>((resolve) => signal.addEventListener('abort', (abort = () => resolve('ended')), { once: true })),
    ]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}
