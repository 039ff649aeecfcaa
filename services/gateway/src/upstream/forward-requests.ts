import replyFrom from '@fastify/reply-from';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { currentContext, RequestRefused, type Logger } from '@sejam/service-host';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ownerOf, refuseAmbiguous, type ServiceName } from './path-table.js';
import { UPSTREAMS, type Upstreams } from './upstreams.js';

const bodyLimitBytes = 1024 * 1024;
const batchBodyLimitBytes = 8 * 1024 * 1024;
/** The path alone has the larger limit, so that nobody makes the gateway hold 8 MiB elsewhere. */
const batchPath = '/v1/reports/batch';

/** For this hop only (RFC 9110, section 7.6.1), or a wish to this server that it has fulfilled. */
const hopHeaders = ['connection', 'expect', 'keep-alive', 'proxy-authorization', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'];

export const FORWARDING = Symbol('Forwarding');

export interface Forwarding {
  readonly log: Logger;
  /** Streams of answers end when it is aborted. */
  readonly closing: AbortSignal;
  /** How long a service may take until it begins to answer. */
  readonly answerTimeoutMs: number;
}

/**
 * Hands requests on to the service that owns their path. Bodies go through as the bytes they came as, since signatures are over bytes;
 * answers go through as they come, since a stream of events never ends. Nothing is ever sent twice: repeating is the caller's decision.
 */
@Injectable()
export class ForwardRequests implements OnApplicationBootstrap {
  constructor(
    private readonly adapters: HttpAdapterHost,
    @Inject(UPSTREAMS) private readonly upstreams: Upstreams,
    @Inject(FORWARDING) private readonly forwarding: Forwarding,
  ) {}

  /** Not earlier: a scope takes over the error handler that its parent has when it is made. */
  async onApplicationBootstrap(): Promise<void> {
    const instance = this.adapters.httpAdapter.getInstance<FastifyInstance>();
    await instance.register(async (scope) => {
      await scope.register(replyFrom, {
        undici: { connections: 512, pipelining: 1, headersTimeout: this.forwarding.answerTimeoutMs, bodyTimeout: 0, connectTimeout: 2_000 },
        disableCache: true,
        disableRequestLogging: true,
      });
      scope.removeAllContentTypeParsers();
      scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: bodyLimitBytes }, (_request, body, done) => done(null, body));
      const handler = (request: FastifyRequest, reply: FastifyReply): FastifyReply => this.#forward(request, reply);
      scope.post(batchPath, { bodyLimit: batchBodyLimitBytes }, handler);
      for (const method of ['GET', 'POST', 'PUT', 'DELETE'] as const) scope.route({ method, url: '/v1/*', handler });
      for (const url of ['/board', '/.well-known/*']) scope.get(url, handler);
    });
  }

  #forward(request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const path = pathOf(request);
    refuseAmbiguous(path);
    const service = ownerOf(path);
    if (service === undefined) throw new RequestRefused(404, 'request.unknown-route', 'There is nothing at this address');
    const base = this.upstreams[service];
    if (base === undefined) throw away(service);
    const body = request.body as Buffer | undefined;
    const contentType = request.headers['content-type'];
    return reply.from(path, {
      getUpstream: () => base,
      retryDelay: () => null,
      ...(request.method === 'GET' || request.method === 'HEAD' ? {} : { body: body?.length ? body : null, contentType: contentType ?? 'application/octet-stream' }),
      rewriteRequestHeaders: (_, headers) => {
        const passed = { ...headers };
        for (const name of hopHeaders) delete passed[name];
        if (contentType === undefined) delete passed['content-type'];
        passed['x-request-id'] = request.id;
        const traceparent = currentContext()?.traceparent;
        if (traceparent !== undefined) passed['traceparent'] = traceparent;
        return passed;
      },
      onResponse: (_, answer, upstream) => {
        const { stream } = upstream as unknown as { stream: NodeJS.ReadableStream & { destroy(): void } };
        if (/event-stream|ndjson/.test(String(answer.getHeader('content-type')))) this.#endWhenClosing(answer, stream);
        answer.send(stream);
      },
      onError: (answer, { error }) => {
        this.forwarding.log.warn({ upstream: service, cause: (error.cause as Error | undefined)?.message ?? error.message }, `${service} does not answer`);
        answer.send(away(service));
      },
    });
  }

  /** Such an answer would keep the end waiting: it is cut off, and its reader comes back to where it was. */
  #endWhenClosing(answer: { raw: { once(event: 'close', listener: () => void): unknown } }, stream: { destroy(): void }): void {
    const cut = (): void => stream.destroy();
    this.forwarding.closing.addEventListener('abort', cut, { once: true });
    answer.raw.once('close', () => this.forwarding.closing.removeEventListener('abort', cut));
  }
}

function pathOf(request: FastifyRequest): string {
  const url = request.raw.url ?? '/';
  const query = url.indexOf('?');
  return query < 0 ? url : url.slice(0, query);
}

/** Whether the service did what was asked is not known; with an Idempotency-Key, or under the same reference, asking again is safe. */
function away(service: ServiceName): RequestRefused {
  return new RequestRefused(503, 'service.unavailable', `The service ${service} does not answer now; the request may be repeated`, { headers: { 'retry-after': '2' } });
}
