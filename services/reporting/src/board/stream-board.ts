import { Controller, Get, Headers, Inject, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiProduces } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Caller } from '@sejam/service-host';
import { answerStream, eventStream } from '../answer-stream.js';
import { PORTS, type ReportingPorts } from '../reporting-ports.js';
import { BoardFeed } from './board-feed.js';

@Controller('v1/board/stream')
export class StreamBoard {
  constructor(
    @Inject(PORTS) private readonly ports: ReportingPorts,
    @Inject(BoardFeed) private readonly feed: BoardFeed,
  ) {}

  @Get()
  @ApiOperation({ summary: 'The board as it changes: events snapshot, order, gone, heartbeat', description: 'Goes on after `Last-Event-ID` where that is still known, else begins with a snapshot. Ends when the key does.' })
  @ApiProduces('text/event-stream')
  async stream(@Req() request: FastifyRequest, @Res() reply: FastifyReply, @Caller() caller: Caller, @Headers('last-event-id') after?: string): Promise<void> {
    const mayStay = (): boolean => this.ports.holdsGoodKey(request.headers.authorization);
    await answerStream({ request, reply, headers: { 'content-type': eventStream }, closing: this.ports.closing }, (signal) => this.feed.follow(caller, { after, signal, mayStay }));
  }
}
