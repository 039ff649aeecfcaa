import { HttpException } from '@nestjs/common';
import { isDomainError, type ErrorKind } from '@sejam/event-sourcing';

/** One fault of a request; `pointer` is an RFC 6901 pointer into the body, or `?name` for a query parameter. */
export interface FieldFault {
  readonly pointer: string;
  readonly code: string;
  readonly detail: string;
}

/** RFC 9457 problem document, as sent. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly errors?: readonly FieldFault[];
  readonly requestId: string;
}

/** A refusal that the host itself speaks, before or instead of the domain. */
export class RequestRefused extends Error {
  override readonly name = 'RequestRefused';
  /** Recognised by Fastify when thrown in one of its hooks or parsers. */
  readonly statusCode: number;
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly extra: { errors?: readonly FieldFault[]; headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(message);
    this.statusCode = status;
  }
}

export interface ProblemAnswer {
  readonly problem: Problem;
  readonly headers: Readonly<Record<string, string>>;
  /** Nobody was meant to see this one: log it. */
  readonly defect: boolean;
}

const statusOfKind: Readonly<Record<ErrorKind, number>> = { invalid: 422, 'not-found': 404, conflict: 409, forbidden: 403, unavailable: 503 };

const titles: Readonly<Record<number, string>> = {
  400: 'The request is malformed',
  401: 'A valid key is needed',
  403: 'This is not allowed',
  404: 'There is no such thing',
  405: 'The method is not allowed here',
  408: 'The request came too slowly',
  409: 'The request contradicts what is recorded',
  410: 'This is gone',
  413: 'The request is too large',
  414: 'The address is too long',
  415: 'The media type is not supported',
  422: 'The request cannot be accepted',
  429: 'Too many requests',
  431: 'The headers are too large',
  500: 'Something went wrong on our side',
  503: 'The service cannot do this now',
};

/** How soon a caller should come again when we do not know better. */
const retryAfterSeconds = 2;

/** The one place where an error becomes an HTTP answer. Anything but a refusal is a defect: opaque to the caller, logged by ours. */
export function problemOf(error: unknown, requestId: string): ProblemAnswer {
  if (isRefused(error)) {
    return answer(error.status, error.code, error.message, requestId, error.extra);
  }
  if (isDomainError(error)) {
    const { pointer, retryAfterSeconds: wait } = error.details;
    const status = error.code === 'rate-limited' ? 429 : statusOfKind[error.kind];
    return answer(status, error.code, error.message, requestId, {
      ...(pointer === undefined ? {} : { errors: [{ pointer, code: error.code, detail: error.message }] }),
      headers: status === 503 || status === 429 ? { 'retry-after': String(Math.max(1, Math.ceil(wait ?? retryAfterSeconds))) } : {},
    });
  }
  if (isNamed(error, 'StoreUnavailable') || isConnectionLoss(error)) {
    return answer(503, 'service.unavailable', 'What this needs cannot be reached now; the request may be repeated', requestId, {
      headers: { 'retry-after': String(retryAfterSeconds) },
    });
  }
  if (isNamed(error, 'VersionConflict')) {
    return answer(503, 'service.busy', 'Too many others wrote the same thing at this moment; the request may be repeated', requestId, { headers: { 'retry-after': '1' } });
  }
  if (isNamed(error, 'UnknownEventType')) {
    return answer(503, 'service.outdated', 'A newer version of this service has written here; the request may be repeated in a moment', requestId, {
      headers: { 'retry-after': '10' },
    });
  }
  return fromFramework(error, requestId) ?? { ...answer(500, 'service.defect', 'The request could not be carried out. Name the request id when you ask for help', requestId), defect: true };
}

function fromFramework(error: unknown, requestId: string): ProblemAnswer | undefined {
  const cause: unknown = error instanceof HttpException && error.cause !== undefined ? error.cause : error;
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined;
  if (isRefused(cause)) return problemOf(cause, requestId);
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return answer(413, 'request.too-large', 'The body is larger than this address accepts', requestId);
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return answer(415, 'request.unsupported-media-type', 'Send the body as application/json', requestId);
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return answer(400, 'request.malformed', 'The body is not as long as Content-Length says', requestId);
    case 'FST_ERR_BAD_URL':
      return answer(400, 'request.malformed', 'The address is not a valid URL path', requestId);
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return answer(414, 'request.malformed', 'A part of the address is too long', requestId);
    default:
  }
  const status = error instanceof HttpException ? error.getStatus() : undefined;
  if (status === 404) return answer(404, 'request.unknown-route', 'There is nothing at this address', requestId);
  if (status !== undefined && status < 500) return answer(status, 'request.malformed', 'The request is malformed', requestId);
  return undefined;
}

function answer(status: number, code: string, detail: string, requestId: string, extra: RequestRefused['extra'] = {}): ProblemAnswer {
  return {
    problem: {
      type: `urn:sejam:problem:${code}`,
      title: titles[status] ?? 'The request was refused',
      status,
      code,
      detail,
      ...(extra.errors === undefined ? {} : { errors: extra.errors }),
      requestId,
    },
    headers: extra.headers ?? {},
    defect: false,
  };
}

function isRefused(error: unknown): error is RequestRefused {
  return isNamed(error, 'RequestRefused');
}

function isNamed(error: unknown, name: string): boolean {
  return error instanceof Error && error.name === name;
}

/** PostgreSQL or a socket gone away: SQLSTATE classes 08 (connection) and 57P (shut down), and the system's own codes. */
function isConnectionLoss(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? error.code : undefined;
  if (typeof code === 'string') return /^(08...|57P0.|ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN)$/.test(code);
  return /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error)/.test(error.message);
}
