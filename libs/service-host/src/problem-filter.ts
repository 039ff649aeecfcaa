import { Catch, NotFoundException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from './logger.js';
import { Metrics } from './metrics.js';
import { problemOf, RequestRefused } from './problem.js';
import { currentContext } from './request-context.js';

/** Turns whatever a handler, guard, parser or the router throws into a problem document. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(
    private readonly log: Logger,
    private readonly metrics: Metrics,
    private readonly methodsAt: (path: string) => readonly string[],
  ) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    this.answer(error, http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>());
  }

  answer(thrown: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const { problem, headers, defect } = problemOf(this.#precise(thrown, request), request.id || (currentContext()?.requestId ?? ''));
    if (defect) this.log.error({ err: thrown, requestId: request.id, method: request.method, route: request.routeOptions.url }, 'A request failed because of a defect');
    else if (problem.status >= 500) this.log.warn({ code: problem.code, reason: reasonOf(thrown), requestId: request.id }, problem.detail);
    this.metrics.refused.inc({ code: problem.code });
    if (reply.sent || reply.raw.headersSent) {
      // The answer has begun: cutting it off is the only way left to say that it is not whole.
      reply.raw.destroy();
      return;
    }
    void reply.status(problem.status).headers(headers).type('application/problem+json; charset=utf-8').send(JSON.stringify(problem));
  }

  /** An address that exists under another method is 405 with Allow, not 404. */
  #precise(error: unknown, request: FastifyRequest): unknown {
    if (!request.is404 || !(error instanceof NotFoundException)) return error;
    const methods = this.methodsAt((request.raw.url ?? '').split('?')[0] ?? '');
    if (methods.length === 0) return error;
    const allow = methods.join(', ');
    return new RequestRefused(405, 'request.method-not-allowed', `This address answers to ${allow}`, { headers: { allow } });
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
