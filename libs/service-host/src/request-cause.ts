import { hash, randomUUID } from 'node:crypto';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import canonicalize from 'canonicalize';
import { DomainError, type Aggregate, type Cause, type Decided, type DecisionContext, type DomainEvent, type Transact, type Transacted } from '@sejam/event-sourcing';
import { actorOf, type RequestWithCaller } from './access.js';
import { RequestRefused } from './problem.js';
import type { RequestWithRawBody } from './json-body.js';
import { contextFromHeaders, currentContext } from './request-context.js';

/** Why a request writes: `transact`'s cause, and what tells a retry from another request under the same Idempotency-Key. */
export interface RequestCause extends Cause {
  /** Kept in the metadata of the events. Missing where the caller gave no key: then the cause is a fresh uuid and cannot come again. */
  readonly request?: { readonly sha256: string };
}

/** The cause of the request at hand: `approve(@RequestCause() cause: RequestCause)`. Only at addresses that need a key. */
export const RequestCause = createParamDecorator((_: unknown, context: ExecutionContext): RequestCause => {
  const request = context.switchToHttp().getRequest<RequestWithCaller & RequestWithRawBody>();
  if (request.caller === undefined) throw new Error('A handler asks for the cause at an address that the access table leaves public');
  const key = idempotencyKey(request.headers['idempotency-key']);
  const { correlationId, traceparent } = currentContext() ?? contextFromHeaders(request.headers);
  return {
    causationId: `request:${request.caller.organisation}:${key ?? randomUUID()}`,
    by: actorOf(request.caller),
    correlationId,
    traceparent,
    ...(key === undefined ? {} : { request: { sha256: requestSha256(request) } }),
  };
});

/**
 * `transact` for requests: keeps the request's fingerprint with the events, and refuses with `request.key-reused` (conflict) when the
 * stream already holds the same cause from another request. Two bodies under one key are a mistake that must not look like success.
 */
export function transactorForRequests(transact: Transact) {
  return async <State, Event extends DomainEvent>(
    aggregate: Aggregate<State, Event>,
    id: string,
    cause: RequestCause,
    decide: NoInfer<(state: State, context: DecisionContext) => readonly Decided<Event>[]>,
  ): Promise<Transacted<State, Event>> => {
    const { request, ...rest } = cause;
    const result = await transact(aggregate, id, rest, (state, context) => {
      const events = decide(state, context);
      return request === undefined ? events : events.map((event) => ({ ...event, metadata: { ...event.metadata, request } }));
    });
    if (result.replayed) refuseReusedKey(cause, result.events[0]?.metadata);
    return result;
  };
}

/** Call with the metadata of what is recorded under the same cause, where `transactorForRequests` was not used. */
export function refuseReusedKey(cause: RequestCause, recorded: Readonly<Record<string, unknown>> | undefined): void {
  const first = (recorded?.['request'] as { readonly sha256?: unknown } | undefined)?.sha256;
  if (typeof first === 'string' && cause.request !== undefined && first !== cause.request.sha256) {
    throw new DomainError('request.key-reused', 'conflict', 'This Idempotency-Key was used before, for another request');
  }
}

/** SHA-256, hex, of the RFC 8785 form: the same for any order of fields and any white space. */
export function fingerprint(value: unknown): string {
  return hash('sha256', canonicalize(value) ?? '', 'hex');
}

function idempotencyKey(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  if (typeof header !== 'string' || !/^[\x21-\x7e]{1,64}$/.test(header)) {
    throw new RequestRefused(400, 'request.invalid-idempotency-key', 'An Idempotency-Key has 1 to 64 visible ASCII characters and no spaces');
  }
  return header;
}

/** Of the body as it was sent: `request.body` may have been turned into an instance with defaults. */
function requestSha256({ method, originalUrl, rawBody }: RequestWithRawBody): string {
  const address = (originalUrl.split('?')[0] ?? '').replace(/\/+$/, '');
  const body = rawBody === undefined || rawBody.length === 0 ? null : (JSON.parse(rawBody.toString('utf8')) as unknown);
  return fingerprint({ method, address, body });
}
