import { parentPort, Worker } from 'node:worker_threads';
import { logLevels, type Environment } from './config.js';
import { createLogger } from './logger.js';
import { StartFault, type ServiceContext } from './run-service.js';

type Answers = Readonly<Record<string, (...args: never[]) => Promise<unknown>>>;
type Question = { readonly ask: string; readonly args: readonly unknown[]; readonly id: number } | { readonly end: true };
type Report = { readonly id: number; readonly answer: unknown } | { readonly id: number; readonly failed: string } | { readonly fault: string };

export interface ServiceThread<Offered extends Answers> {
  /** What the thread offers, as calls; arguments and answers are copied. Rejects when the thread ends meanwhile. */
  readonly offered: { readonly [Name in keyof Offered]: (...args: Parameters<Offered[Name]>) => ReturnType<Offered[Name]> };
  /** Ends it cleanly; after 10 seconds anyhow. */
  stop(): Promise<void>;
}

export interface ThreadContext extends Pick<ServiceContext, 'log' | 'closing' | 'onClose'> {
  readonly env: Environment;
}

/**
 * Runs a part of a service on a thread of its own, so that the one that answers requests never waits for it. The file calls
 * `runThread`. A fault at its start ends the service with its sentence, a defect in it as a defect in the service itself.
 */
export function startThread<Offered extends Answers>(file: URL, { fail }: Pick<ServiceContext, 'fail'>): ServiceThread<Offered> {
  const worker = new Worker(file);
  const asked = new Map<number, { resolve(answer: unknown): void; reject(error: Error): void }>();
  let questions = 0;
  let stopping: Promise<void> | undefined;

  const ended = new Promise<void>((resolve) => {
    worker.once('exit', () => {
      if (stopping === undefined) fail(new StartFault('one of its threads has ended'));
      for (const { reject } of asked.values()) reject(new Error('The thread has ended'));
      asked.clear();
      resolve();
    });
  });
  worker.on('message', (report: Report) => {
    if ('fault' in report) return fail(new StartFault(report.fault));
    const question = asked.get(report.id);
    asked.delete(report.id);
    if ('failed' in report) question?.reject(new Error(report.failed));
    else question?.resolve(report.answer);
  });
  worker.on('error', (error) => {
    throw error;
  });

  const ask = (name: string, args: readonly unknown[]): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (stopping !== undefined) return reject(new Error('The thread has ended'));
      const id = (questions += 1);
      asked.set(id, { resolve, reject });
      worker.postMessage({ ask: name, args, id } satisfies Question);
    });
  const stop = async (): Promise<void> => {
    worker.postMessage({ end: true } satisfies Question);
    const late = setTimeout(() => void worker.terminate(), 10_000);
    await ended;
    clearTimeout(late);
  };
  return {
    offered: new Proxy({} as ServiceThread<Offered>['offered'], { get: (_, name: string) => (...args: unknown[]) => ask(name, args) }),
    stop: () => (stopping ??= stop()),
  };
}

/** The one call of such a file: `compose` starts the part and says what it offers to the service. */
export async function runThread(name: string, compose: (context: ThreadContext) => Promise<Answers>): Promise<void> {
  const port = parentPort;
  if (port === null) throw new Error(`This is a part of ${name}, which starts it`);
  const { env } = process;
  const log = createLogger({ name, level: logLevels.find((level) => level === env['LOG_LEVEL']) ?? 'info' });
  const closers: (() => Promise<void> | void)[] = [];
  const closing = new AbortController();
  const tell = (report: Report): void => port.postMessage(report);

  const end = async (): Promise<void> => {
    closing.abort();
    await starting;
    for (const close of closers.reverse()) await Promise.resolve().then(close).catch((error: unknown) => log.error({ err: error }, 'Something did not end cleanly'));
    port.close();
  };
  const answer = async ({ ask, args, id }: Extract<Question, { ask: string }>): Promise<void> => {
    try {
      const offered = (await starting)?.[ask];
      if (offered === undefined) throw new Error(`The thread does not offer ${ask}`);
      tell({ id, answer: await offered(...(args as never[])) });
    } catch (error) {
      tell({ id, failed: (error as Error).message });
    }
  };
  port.on('message', (question: Question) => void ('end' in question ? end() : answer(question)));

  const starting: Promise<Answers | undefined> = compose({ env, log, closing: closing.signal, onClose: (close) => void closers.push(close) }).catch((error: unknown) => {
    if (!closing.signal.aborted) tell({ fault: (error as Error).message });
    return undefined;
  });
  await starting;
}
