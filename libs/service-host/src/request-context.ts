import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';

/** What ties log lines, events and answers of one piece of work together. */
export interface RequestContext {
  readonly requestId: string;
  /** Goes into the metadata of every event that the work leads to, and from there into the messages and the work they cause. */
  readonly correlationId: string;
  /** W3C trace context, passed on to events and outgoing calls. */
  readonly traceparent: string;
  /** The stream the work is about, as soon as it is known. */
  readonly stream?: string;
}

const storage = new AsyncLocalStorage<RequestContext>();

/** Undefined outside of `withContext`, such as in a timer. */
export const currentContext = (): RequestContext | undefined => storage.getStore();

/** Runs `work` so that log lines written in it carry the given ids; what is not given is taken from around it, or made. */
export function withContext<T>(context: Partial<RequestContext>, work: () => T): T {
  const around = storage.getStore();
  const requestId = context.requestId ?? around?.requestId ?? randomUUID();
  return storage.run(
    {
      ...around,
      ...context,
      requestId,
      correlationId: context.correlationId ?? around?.correlationId ?? requestId,
      traceparent: context.traceparent ?? around?.traceparent ?? newTraceparent(),
    },
    work,
  );
}

/** Accepts the caller's ids where they are well-formed, and makes its own where they are not: an id is never a reason to refuse. */
export function contextFromHeaders(headers: Readonly<Record<string, string | string[] | undefined>>): RequestContext {
  const requestId = wellFormed(headers['x-request-id'], /^[\w.:-]{1,128}$/) ?? randomUUID();
  return {
    requestId,
    correlationId: wellFormed(headers['x-correlation-id'], /^[\w.:-]{1,128}$/) ?? requestId,
    traceparent: wellFormed(headers['traceparent'], /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/) ?? newTraceparent(),
  };
}

/** For work that no request caused. Not sampled: nobody upstream asked for it. */
export function newTraceparent(): string {
  // Node draws UUIDs from a store of randomness; asking the system for a few bytes each time costs ten times as much.
  const trace = randomUUID().replaceAll('-', '');
  const span = randomUUID().slice(-17).replace('-', '');
  return `00-${trace}-${span}-00`;
}

function wellFormed(header: string | string[] | undefined, pattern: RegExp): string | undefined {
  return typeof header === 'string' && pattern.test(header) ? header : undefined;
}
