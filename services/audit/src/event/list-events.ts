import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { Controller, Get, Inject, Query, Res } from '@nestjs/common';
import { ApiProduces } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsIn, IsInt, IsString, Length, Max, Min } from 'class-validator';
import type { FastifyReply } from 'fastify';
import { MayBeAbsent } from '@sejam/service-host';
import { PORTS, type AuditPorts } from '../audit-ports.js';
import { readEventLines } from './read-event-lines.js';

const LIMIT_MAX = 10_000;
const FOLLOW_EVERY_MS = 200;
const HEARTBEAT_MS = 15_000;
const CHUNK_CHARACTERS = 64 * 1024;
/** Everything that is there has been read. */
const PAUSE = Symbol('pause');

class EventsQuery {
  /** Index of the first event. */
  @MayBeAbsent() @Type(() => Number) @IsInt() @Min(0) @Max(Number.MAX_SAFE_INTEGER) from?: number;
  @MayBeAbsent() @Type(() => Number) @IsInt() @Min(1) @Max(LIMIT_MAX) limit?: number;
  /** Only this stream. */
  @MayBeAbsent() @IsString() @Length(1, 200) stream?: string;
  /** `true`: goes on with what is logged later, until the connection ends; `limit` has no meaning then. */
  @MayBeAbsent() @IsIn(['true', 'false']) follow?: string;
}

@Controller('v1/audit/events')
export class ListEvents {
  constructor(@Inject(PORTS) private readonly ports: AuditPorts) {}

  /** NDJSON, one line of docs/audit-format.md section 8 per event, in the order of the log; empty lines of a follower are heartbeats. */
  @Get()
  @ApiProduces('application/x-ndjson')
  list(@Query() { from = 0, limit = 1_000, stream, follow }: EventsQuery, @Res() reply: FastifyReply): void {
    const lines = follow === 'true' ? this.#follow(from, stream) : readEventLines(this.ports, { from, limit, ...(stream === undefined ? {} : { stream }) });
    void reply.header('content-type', 'application/x-ndjson; charset=utf-8').header('cache-control', 'no-store').send(Readable.from(textOf(lines)));
  }

  async *#follow(from: number, stream: string | undefined): AsyncGenerator<{ line: string } | typeof PAUSE> {
    const { closing } = this.ports;
    for (let next = from; !closing.aborted; ) {
      const before = next;
      for await (const event of readEventLines(this.ports, { from: next, limit: LIMIT_MAX, ...(stream === undefined ? {} : { stream }) })) {
        next = event.index + 1;
        yield event;
      }
      yield PAUSE;
      if (next === before) await delay(FOLLOW_EVERY_MS, undefined, { signal: closing }).catch(() => {});
    }
  }
}

/**
 * Many lines to a chunk: a chunk a line would cost more than the lines. In a pause everything goes out; an empty line, at the first one and every
 * 15 s, tells a follower and whatever lies between that the connection is alive.
 */
async function* textOf(lines: AsyncIterable<{ line: string } | typeof PAUSE>): AsyncGenerator<string> {
  let text = '';
  let sentAt = Number.NEGATIVE_INFINITY;
  for await (const next of lines) {
    if (next !== PAUSE) text += next.line;
    else if (text === '' && performance.now() - sentAt > HEARTBEAT_MS) text = '\n';
    if (text === '' || (next !== PAUSE && text.length < CHUNK_CHARACTERS)) continue;
    yield text;
    [text, sentAt] = ['', performance.now()];
  }
  if (text !== '') yield text;
}
