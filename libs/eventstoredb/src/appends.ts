import { randomUUID } from 'node:crypto';
import type { CallOptions, Client, ClientDuplexStream, Metadata } from '@grpc/grpc-js';
import { DomainError, StoreUnavailable, VersionConflict, type AppendResult, type NewEvent } from '@sejam/event-sourcing';
import { appendRequest, type Expected } from './append-request.js';
import { appendResponse, type AppendResponse, type Refusal } from './append-response.js';
import { abandon, type Connection } from './connection.js';
import { asStoreFault } from './store-faults.js';

type AppendCall = ClientDuplexStream<Buffer, AppendResponse>;

/** One call that carries all appends; each append is answered by its correlation id. */
interface Line {
  readonly call: AppendCall;
  answeredAt: number;
  /** Why nothing can be sent on it any more. */
  over?: unknown;
}

interface Waiting {
  readonly stream: string;
  readonly expected: Expected;
  /** By `performance.now()`, as are all times here. */
  readonly until: number;
  sent?: { readonly line: Line; readonly at: number };
  resolve(result: AppendResult): void;
  reject(error: unknown): void;
}

export interface Appends {
  append(stream: string, events: readonly NewEvent[], expected: Expected): Promise<AppendResult>;
  close(): void;
}

/**
 * Appends over one shared call. Every append settles within `timeoutMs`, whatever the server does; StoreUnavailable then means that the
 * outcome is unknown. When nothing at all has been answered for so long, the call is given up, and with it all that wait on it.
 */
export function appends(connection: Connection, timeoutMs: number): Appends {
  /** By correlation id. All wait equally long, so the first is always the next to be given up. */
  const waiting = new Map<string, Waiting>();
  let timer: NodeJS.Timeout | undefined;
  let current: Promise<Line> | undefined;

  return {
    append: (stream, events, expected) =>
      new Promise((resolve, reject) => {
        if (events.length === 0) throw new RangeError('There is nothing to append');
        const correlationId = randomUUID();
        const frames = appendRequest({ correlationId, stream, expected, deadlineMs: Date.now() + timeoutMs, events });
        waiting.set(correlationId, { stream, expected, until: performance.now() + timeoutMs, resolve, reject });
        timer ??= setTimeout(giveUpLate, timeoutMs);
        lineNow()
          .then((line) => send(correlationId, frames, line))
          .catch((error: unknown) => settled(correlationId)?.reject(error));
      }),

    close() {
      void current?.then(({ call }) => call.cancel(), () => undefined);
    },
  };

  function lineNow(): Promise<Line> {
    current ??= openLine().catch((error: unknown) => {
      current = undefined;
      throw asStoreFault(error, 'a call for appends');
    });
    return current;
  }

  async function openLine(): Promise<Line> {
    const call = await connection.open('append', startAppends);
    const line: Line = { call, answeredAt: -Infinity };
    const over = (reason: unknown): void => {
      if (line.over !== undefined) return;
      line.over = reason;
      current = undefined;
      for (const [correlationId, { stream, sent }] of waiting) {
        if (sent?.line === line) settled(correlationId)?.reject(asStoreFault(reason, `an append to ${stream}`));
      }
      abandon(call);
    };
    call.on('data', (response: AppendResponse) => {
      line.answeredAt = performance.now();
      // Nobody waits any more for what was answered too late.
      const append = settled(response.correlationId);
      if (append !== undefined) answer(append, response);
    });
    call.on('error', over);
    call.on('end', () => over(new Error('the server ended the call')));
    return line;
  }

  function send(correlationId: string, frames: readonly Buffer[], line: Line): void {
    const append = waiting.get(correlationId);
    if (append === undefined) return; // given up while the call was opened
    if (line.over !== undefined) throw asStoreFault(line.over, `an append to ${append.stream}`);
    append.sent = { line, at: performance.now() };
    for (const frame of frames) line.call.write(frame);
  }

  /** Who waited, and waits no more. */
  function settled(correlationId: string): Waiting | undefined {
    const append = waiting.get(correlationId);
    waiting.delete(correlationId);
    if (waiting.size === 0) {
      clearTimeout(timer);
      timer = undefined;
    }
    return append;
  }

  function giveUpLate(): void {
    timer = undefined;
    const now = performance.now();
    for (const [correlationId, { stream, until, sent }] of waiting) {
      if (until > now) {
        timer = setTimeout(giveUpLate, until - now);
        return;
      }
      const doing = sent === undefined ? `to open a call for an append to ${stream}` : `an append to ${stream}`;
      settled(correlationId)?.reject(new StoreUnavailable(`The event store did not answer ${doing} within ${timeoutMs} ms`));
      if (sent !== undefined && sent.line.answeredAt < sent.at) sent.line.call.cancel();
    }
  }
}

/** For `Connection.open`. */
function startAppends(client: Client, metadata: Metadata, options: CallOptions): AppendCall {
  return client.makeBidiStreamRequest('/event_store.client.streams.Streams/BatchAppend', (frame: Buffer) => frame, appendResponse, metadata, options);
}

function answer({ stream, expected, resolve, reject }: Waiting, { result, refusal }: AppendResponse): void {
  if (result !== undefined) resolve(result);
  else if (refusal !== undefined) reject(meaningOf(refusal, stream, expected));
  else reject(asStoreFault(new Error('an answer without content'), `an append to ${stream}`));
}

function meaningOf({ reason, message, actual }: Refusal, stream: string, expected: Expected): Error {
  if (reason === 'event_store.client.WrongExpectedVersion' && expected !== 'any') return new VersionConflict(stream, expected, actual);
  if (reason === 'event_store.client.MaximumAppendSizeExceeded') return new DomainError('record.too-large', 'invalid', 'This is more than the record takes at once');
  if (reason === 'event_store.client.AccessDenied' || reason === 'event_store.client.StreamDeleted') return new Error(`The event store refuses an append to ${stream}: ${reason}`);
  return asStoreFault(new Error(message), `an append to ${stream}`);
}
