import type { LoggerService } from '@nestjs/common';
import { pino, type DestinationStream, type Logger } from 'pino';
import { currentContext } from './request-context.js';

export type { Logger } from 'pino';

/**
 * JSON lines on standard output. Every line carries the ids of the request or message it was written for. Fields that could hold a key, a
 * secret or a reporter are blanked even when somebody logs a whole object by mistake.
 */
export function createLogger({ name, level = 'info', destination }: { name: string; level?: string; destination?: DestinationStream }): Logger {
  const options = {
    name,
    level,
    base: { service: name, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    mixin: () => currentContext() ?? {},
    redact: {
      paths: hidden.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]),
      censor: '[hidden]',
    },
  };
  return pino(options, destination ?? standardOutput());
}

/**
 * Not pino's own: that one tries for ever, at the end of the process, to write what a closed pipe does not take, and so outlives the supervisor
 * that it should follow.
 */
function standardOutput(): DestinationStream {
  if (!process.stdout.listeners('error').includes(ignore)) process.stdout.on('error', ignore);
  return { write: (line) => void process.stdout.write(line) };
}

const ignore = (): void => undefined;

const hidden = ['authorization', 'key', 'apiKey', 'secret', 'secrets', 'password', 'reporter', 'contact', 'connectionString', 'masterKey'];

/** Nest's own lines: its start-up chatter is of interest only when looking for a fault in the wiring. */
export function nestLogger(log: Logger): LoggerService {
  const write = (level: 'debug' | 'warn' | 'error' | 'fatal') => (message: unknown, ...rest: unknown[]) => {
    const context = rest.at(-1);
    const fields = typeof context === 'string' ? { nest: context } : {};
    if (message instanceof Error) log[level]({ ...fields, err: message }, message.message);
    else log[level](fields, typeof message === 'string' ? message : JSON.stringify(message));
  };
  return { log: write('debug'), debug: write('debug'), verbose: write('debug'), warn: write('warn'), error: write('error'), fatal: write('fatal') };
}
