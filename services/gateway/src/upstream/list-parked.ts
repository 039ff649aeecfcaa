import { Controller, Get, Inject, Req } from '@nestjs/common';
import { ApiOperation, ApiQuery } from '@nestjs/swagger';
import { currentContext, RequestRefused, type Problem } from '@sejam/service-host';
import type { FastifyRequest } from 'fastify';
import { services, type ServiceName } from './path-table.js';
import { askJson, UPSTREAMS, type Upstreams } from './upstreams.js';

interface Page {
  readonly items: readonly { readonly id: string; readonly [field: string]: unknown }[];
  readonly next?: string;
}

interface Answer {
  readonly service: ServiceName;
  readonly page?: Page;
  readonly problem?: Problem;
}

/** Where each service's list goes on, in one opaque text. */
type Cursor = Readonly<Partial<Record<ServiceName, string>>>;

/** Messages that wait, of every service in one list. A service that is away is named, never left out in silence. */
@Controller()
export class ListParked {
  constructor(@Inject(UPSTREAMS) private readonly upstreams: Upstreams) {}

  @Get('/v1/parked')
  @ApiOperation({ summary: 'Messages that could not be handled, of every service; ids are <service>:<id>' })
  @ApiQuery({ name: 'cursor', required: false })
  @ApiQuery({ name: 'limit', required: false, description: 'Of each service; at most 200' })
  async list(@Req() request: FastifyRequest): Promise<{ items: Page['items']; next?: string; unavailable?: readonly ServiceName[] }> {
    const { cursor, limit } = request.query as { cursor?: unknown; limit?: unknown };
    const from = typeof cursor === 'string' ? readCursor(cursor) : undefined;
    const asked = services.filter((service) => this.upstreams[service] !== undefined && service !== 'audit' && (from === undefined || from[service] !== undefined));
    const answers = await Promise.all(asked.map((service) => this.#ask(service, request, from?.[service], limit)));

    // A wrong key is as wrong at one service as at the next: the first refusal speaks for all.
    const refused = answers.find(({ problem }) => problem !== undefined && problem.status < 500)?.problem;
    if (refused !== undefined) throw new RequestRefused(refused.status, refused.code, refused.detail, { ...(refused.errors === undefined ? {} : { errors: refused.errors }) });
    const unavailable = answers.filter(({ page }) => page === undefined).map(({ service }) => service);
    const next = Object.fromEntries(answers.flatMap(({ service, page }) => (page?.next === undefined ? [] : [[service, page.next]])));
    return {
      items: answers.flatMap(({ service, page }) => (page?.items ?? []).map((item) => ({ ...item, id: item.id.startsWith(`${service}:`) ? item.id : `${service}:${item.id}` }))),
      ...(Object.keys(next).length === 0 ? {} : { next: Buffer.from(JSON.stringify(next)).toString('base64url') }),
      ...(unavailable.length === 0 ? {} : { unavailable }),
    };
  }

  async #ask(service: ServiceName, request: FastifyRequest, cursor: string | undefined, limit: unknown): Promise<Answer> {
    const parameters = new URLSearchParams();
    if (cursor !== undefined) parameters.set('cursor', cursor);
    if (typeof limit === 'string') parameters.set('limit', limit);
    const { authorization } = request.headers;
    const traceparent = currentContext()?.traceparent;
    const headers = { 'x-request-id': request.id, ...(authorization === undefined ? {} : { authorization }), ...(traceparent === undefined ? {} : { traceparent }) };
    try {
      const { status, body } = await askJson(this.upstreams[service] ?? '', `/v1/parked?${parameters.toString()}`, { headers, timeoutMs: 5_000 });
      if (status === 404) return { service, page: { items: [] } }; // It consumes nothing, so it has no such list.
      return status === 200 ? { service, page: body as Page } : { service, problem: body as Problem };
    } catch {
      return { service };
    }
  }
}

function readCursor(text: string): Cursor {
  try {
    const cursor: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    if (typeof cursor === 'object' && cursor !== null && Object.values(cursor).every((value) => typeof value === 'string')) return cursor as Cursor;
  } catch {
    // Answered below.
  }
  throw new RequestRefused(400, 'request.invalid-cursor', 'The cursor was not made by this list; begin without one');
}
