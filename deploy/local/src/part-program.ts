import process from 'node:process';

interface Part {
  readonly url: string;
  /** Settles when it has ended, wanted or not; undefined where the part lives and ends with this process. */
  readonly ended?: Promise<unknown>;
  close(): Promise<void>;
}

/**
 * The process around an embedded server: says when it listens, ends it on SIGTERM and when the supervisor is gone, and ends itself when the server
 * does. A start that fails is told in one sentence.
 */
export async function runPart(start: () => Promise<Part>): Promise<void> {
  let ending: Promise<void> | undefined;
  const starting = start();
  const end = (code: number): Promise<void> =>
    (ending ??= (async () => {
      const part = await starting.catch(() => undefined);
      await part?.close().catch((error: unknown) => console.error(error));
      process.exit(code);
    })());
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => void end(0));
  process.on('disconnect', () => void end(0));
  // Standard output may be a pipe to a supervisor that is gone.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  try {
    const part = await starting;
    process.send?.({ type: 'listening', url: part.url });
    void part.ended?.then(() => end(1));
  } catch (error) {
    const sentence = `${((error as Error).message.split('\n')[0] ?? '').replace(/\.?$/, '')}`;
    console.error(sentence);
    await new Promise((sent) => (process.send === undefined ? sent(undefined) : process.send({ type: 'failed', sentence }, sent)));
    process.exit(1);
  }
}
