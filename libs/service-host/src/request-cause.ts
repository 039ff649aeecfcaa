import { createHash, randomUUID } from 'node:crypto';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import canonicalize from 'canonicalize';
import { DomainError } from '@sejam/event-sourcing';
import type { RequestWithCaller } from './access.js';
import { RequestRefused } from './problem.js';

/** What makes a write happen once: goes into the metadata of the events it leads to. */
export interface RequestCause {
  /** `request:<organisation>:<Idempotency-Key>`, or with a fresh uuid where the caller gave no key. */
  readonly causationId: string;
  /** SHA-256, hex, of the RFC 8785 form of method, address and body. Keep it in the events' metadata under this name. */
  readonly fingerprint: string;
}

/** The cause of the request at hand: `approve(@Cause() cause: RequestCause)`. Only at addresses that need a key. */
export const Cause = createParamDecorator((_: unknown, context: ExecutionContext): RequestCause => {
  const request = context.switchToHttp().getRequest<RequestWithCaller>();
  if (request.caller === undefined) throw new Error('A handler asks for the cause at an address that the access table leaves public');
  const address = (request.originalUrl.split('?')[0] ?? '').replace(/\/+$/, '');
  return {
    causationId: `request:${request.caller.organisation}:${idempotencyKey(request.headers['idempotency-key']) ?? randomUUID()}`,
    fingerprint: fingerprint({ method: request.method, address, body: sentBody(request) }),
  };
});

/**
 * Call with the metadata of what the stream already holds under the same cause. Throws `request.key-reused` when that was another request:
 * one key under two bodies is a mistake of the caller that must not look like success.
 */
export function refuseReusedKey(cause: RequestCause, recorded: { readonly [field: string]: unknown } | undefined): void {
  const first = recorded?.['fingerprint'];
  if (typeof first === 'string' && first !== cause.fingerprint) {
    throw new DomainError('request.key-reused', 'conflict', 'This Idempotency-Key was used before, for another request');
  }
}

/** SHA-256, hex, of the RFC 8785 form: the same for any order of fields and any white space. */
export function fingerprint(value: unknown): string {
  return createHash('sha256').update(canonicalize(value) ?? '').digest('hex');
}

function idempotencyKey(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  if (typeof header !== 'string' || !/^[\x21-\x7e]{1,64}$/.test(header)) {
    throw new RequestRefused(400, 'request.invalid-idempotency-key', 'An Idempotency-Key has 1 to 64 visible ASCII characters and no spaces');
  }
  return header;
}

/** As it was sent: `request.body` may have been turned into an instance with defaults. */
function sentBody(request: RequestWithCaller): unknown {
  const { rawBody } = request as { rawBody?: Buffer };
  return rawBody === undefined || rawBody.length === 0 ? null : (JSON.parse(rawBody.toString('utf8')) as unknown);
}
