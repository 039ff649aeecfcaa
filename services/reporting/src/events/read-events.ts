import { Controller, Get, Headers, Inject, Query, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiProduces } from '@nestjs/swagger';
import { IsIn, IsString, MaxLength } from 'class-validator';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Bus, ReceivedEnvelope } from '@sejam/bus';
import { MayBeAbsent } from '@sejam/service-host';
import { answerStream, eventStream, serverSentEvent, waitFor } from '../answer-stream.js';
import { PORTS, type ReportingPorts } from '../reporting-ports.js';

/** Keys and officers travel on `sejam.identity.v1`, which is for Sejam's own services alone. */
const readable = ['sejam.intake.v1', 'sejam.takedown.v1', 'sejam.sla.v1'] as const;

class EventsQuery {
  @IsIn(readable) topic!: (typeof readable)[number];
  /** The `cursor` of a message; what is behind it is left out. */
  @MayBeAbsent() @IsString() @MaxLength(1_000) after?: string;
  /** Go on with what comes, in place of ending at what there is. */
  @MayBeAbsent() @IsIn(['true', 'false']) follow?: string;
}

const heartbeatMs = 15_000;

@Controller('v1/events')
export class ReadEvents {
  constructor(@Inject(PORTS) private readonly ports: ReportingPorts) {}

  @Get()
  @ApiOperation({ summary: "A topic's messages as structured CloudEvents, one a line, or as an event stream where that is accepted" })
  @ApiProduces('application/x-ndjson', 'text/event-stream')
  async read(
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
    @Query() { topic, after, follow }: EventsQuery,
    @Headers('accept') accept?: string,
    @Headers('last-event-id') lastEventId?: string,
  ): Promise<void> {
    const asEvents = accept?.includes('text/event-stream') ?? false;
    const from = lastEventId === undefined || lastEventId === '' ? after : lastEventId;
    const mayStay = (): boolean => this.ports.holdsGoodKey(request.headers.authorization);
    const headers = { 'content-type': asEvents ? eventStream : 'application/x-ndjson' };
    await answerStream({ request, reply, headers, closing: this.ports.closing }, (signal) =>
      cloudEvents(this.ports.bus, { topic, after: from, follow: follow === 'true', asEvents, signal, mayStay }),
    );
  }
}

async function* cloudEvents(
  bus: Bus,
  { topic, after, follow, asEvents, signal, mayStay }: { topic: string; after: string | undefined; follow: boolean; asEvents: boolean; signal: AbortSignal; mayStay: () => boolean },
): AsyncGenerator<string> {
  const messages = bus.readTopic(topic, { ...(after === undefined ? {} : { after }), follow, signal })[Symbol.asyncIterator]();
  try {
    for (let next = messages.next(), waited = false, begun = false; ; begun = true) {
      // Whoever follows a quiet topic learns soon that it is followed.
      const result = await waitFor(next, begun ? heartbeatMs : 100, signal);
      if (result === 'ended') return;
      if (result === 'late') {
        if (!mayStay()) return;
        // A line of NDJSON is a message, so only an event stream has something to send that is none.
        if (asEvents || !begun) yield asEvents ? ': nothing new\n\n' : '';
        waited = true;
        continue;
      }
      if (result.done === true) return;
      if (waited && !mayStay()) return;
      waited = false;
      next = messages.next();
      const event = cloudEvent(result.value);
      yield asEvents ? serverSentEvent({ id: result.value.cursor, data: event }) : `${JSON.stringify(event)}\n`;
    }
  } finally {
    await messages.return?.();
  }
}

/** CloudEvents 1.0.2, JSON format. `cursor` is what `after` takes. What is no JSON is handed on as the text it is. */
function cloudEvent({ headers, key, value, cursor }: ReceivedEnvelope & { cursor: string }): object {
  const attributes = Object.entries(headers).filter(([name]) => name.startsWith('ce_')).map(([name, text]) => [name.slice('ce_'.length), text] as const);
  return {
    specversion: '1.0',
    ...(Object.fromEntries(attributes) as Record<string, unknown>),
    ...(headers['ce_subject'] !== undefined || key === null ? {} : { subject: key }),
    ...(headers['traceparent'] === undefined ? {} : { traceparent: headers['traceparent'] }),
    datacontenttype: headers['content-type'] ?? 'application/json',
    cursor,
    data: parsed(value),
  };
}

function parsed(value: string | null): unknown {
  try {
    return JSON.parse(value ?? 'null') as unknown;
  } catch {
    return value;
  }
}
