import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import { Type } from 'class-transformer';
import { IsInt, IsString, Length, Matches, Max, Min } from 'class-validator';
import { listParked, type ParkedMessage } from '@sejam/bus';
import { Caller, MayBeAbsent } from '@sejam/service-host';
import { PORTS, type ReportingPorts } from '../reporting-ports.js';

class ParkedQuery {
  @MayBeAbsent() @Matches(/^\d{1,18}$/) cursor?: string;
  @MayBeAbsent() @Type(() => Number) @IsInt() @Min(1) @Max(200) limit?: number;
}

class Skip {
  /** Why Sejam can do without it; kept for ever. */
  @IsString() @Length(3, 2000) reason!: string;
}

/** Messages that wait for an operator. Their ids are `reporting:<number>`. */
@Controller('v1/parked')
export class ListParked {
  constructor(@Inject(PORTS) private readonly ports: ReportingPorts) {}

  @Get()
  async list(@Query() { cursor, limit = 50 }: ParkedQuery): Promise<{ items: ParkedMessage[]; next?: string }> {
    const found = await listParked(this.ports.pool, { limit: limit + 1, ...(cursor === undefined ? {} : { after: cursor }) });
    const items = found.slice(0, limit);
    return { items: items.map((item) => ({ ...item, id: `reporting:${item.id}` })), ...(found.length > limit ? { next: items.at(-1)?.id ?? '' } : {}) };
  }

  @Post(':id/replay')
  @HttpCode(200)
  async replay(@Param('id') id: string): Promise<{ id: string }> {
    await this.ports.consumer().replay(numberOf(id));
    return { id };
  }

  @Post(':id/skip')
  @HttpCode(200)
  async skip(@Param('id') id: string, @Body() { reason }: Skip, @Caller() caller: Caller): Promise<{ id: string }> {
    await this.ports.consumer().skip(numberOf(id), { operator: `${caller.organisation}/${caller.holder}`, reason });
    return { id };
  }
}

const numberOf = (id: string): string => id.replace(/^reporting:/, '');
