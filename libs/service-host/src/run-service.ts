import { ConfigFault, logLevels, type Environment } from './config.js';
import { createLogger, type Logger } from './logger.js';
import { Metrics } from './metrics.js';
import { startService, type RunningService, type ServiceOptions } from './start-service.js';

/** A start that cannot succeed, for a reason that the operator can mend. The message is shown as it is: one clear sentence. */
export class StartFault extends Error {
  override readonly name = 'StartFault';
}

export interface ServiceContext {
  readonly env: Environment;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Aborted when the end begins: for streams of answers and loops that would otherwise keep it waiting. */
  readonly closing: AbortSignal;
  /** Called at the end, after the last request, the one registered last first. */
  onClose(close: () => Promise<void> | void): void;
  /** Ends the process for a reason found out after the start: one sentence, as if it had not started. */
  fail(error: Error): void;
}

/** Supervisors may tell a start that no restart can mend (sysexits.h, EX_CONFIG). */
const exitConfig = 78;

/**
 * The one call of a `main.ts`: reads nothing itself, runs `compose` (config → connect → module), listens, and ends cleanly on SIGTERM,
 * SIGINT or when the parent that holds its IPC channel is gone. A fault at start is one sentence in the log, exit code 78 for a faulty
 * environment and 1 for the rest; a clean end is exit code 0.
 */
export async function runService(name: string, compose: (context: ServiceContext) => Promise<Omit<ServiceOptions, 'name' | 'log' | 'metrics'>>): Promise<void> {
  const { env } = process;
  const log = createLogger({ name, level: logLevels.find((level) => level === env['LOG_LEVEL']) ?? 'info' });
  const metrics = new Metrics(name).collectProcess();
  const closers: (() => Promise<void> | void)[] = [];
  const closing = new AbortController();
  let service: RunningService | undefined;
  let ending: Promise<never> | undefined;

  const end = (exitCode: number, why: string): Promise<never> =>
    (ending ??= (async () => {
      log.info(`${name} ends: ${why}`);
      closing.abort();
      await attempt(log, () => service?.close());
      for (const close of closers.reverse()) await attempt(log, close);
      log.info(`${name} has ended`);
      process.exit(exitCode);
    })());

  const fail = (error: unknown): Promise<never> => {
    log.debug({ err: error }, 'The start failed');
    log.fatal(startSentence(name, error));
    return end(error instanceof ConfigFault ? exitConfig : 1, 'it could not start');
  };

  let firstSignalAt: number | undefined;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      // A terminal sends Ctrl-C to the whole group and the supervisor passes it on: two signals in a second are one wish.
      if (firstSignalAt !== undefined && performance.now() - firstSignalAt > 1_000) process.exit(130);
      firstSignalAt ??= performance.now();
      void end(0, signal);
    });
  }
  if (process.connected) process.on('disconnect', () => void end(0, 'its supervisor is gone'));
  // Undefined without a channel; false when the supervisor was gone before this line was reached.
  if ((process.connected as boolean | undefined) === false) void end(0, 'its supervisor is gone');
  process.on('unhandledRejection', (error) => {
    log.fatal({ err: error }, 'A defect: a promise failed and nobody was waiting for it');
    void end(1, 'it cannot be trusted any longer');
  });
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'A defect: an error nobody caught');
    void end(1, 'it cannot be trusted any longer');
  });

  try {
    const options = await compose({ env, log, metrics, closing: closing.signal, onClose: (close) => void closers.push(close), fail: (error) => void fail(error) });
    if (ending !== undefined) return;
    const started = await startService({ ...options, name, log, metrics });
    // A signal may have come while it started: then the end has begun without it.
    if ((ending as Promise<never> | undefined) !== undefined) return await started.close();
    service = started;
    process.send?.({ type: 'listening', name, url: service.url, internalUrl: service.internalUrl });
  } catch (error) {
    await fail(error);
  }
}

/** What an operator needs to know, without a stack. */
export function startSentence(name: string, error: unknown): string {
  const { code, port, address, path, syscall } = error as { code?: string; port?: number; address?: string; path?: string; syscall?: string };
  if (error instanceof ConfigFault) return `${name} cannot start. ${error.message}`;
  if (code === 'EADDRINUSE') return `${name} cannot start: port ${port} on ${address} is in use by another program.`;
  if (code === 'EADDRNOTAVAIL') return `${name} cannot start: this machine has no address ${address}.`;
  if (code === 'EACCES' || code === 'EPERM') {
    return syscall === 'listen' ? `${name} cannot start: this user may not listen on port ${port}.` : `${name} cannot start: this user may not open ${path ?? 'a file it needs'}.`;
  }
  if (code === 'ECONNREFUSED') return `${name} cannot start: nothing answers at ${address}:${port}.`;
  const message = error instanceof Error ? error.message : String(error);
  return `${name} cannot start: ${(message.split('\n')[0] ?? '').replace(/\.?$/, '.')}`;
}

async function attempt(log: Logger, work: () => Promise<void> | void | undefined): Promise<void> {
  try {
    await work();
  } catch (error) {
    log.error({ err: error }, 'Something did not end cleanly');
  }
}
