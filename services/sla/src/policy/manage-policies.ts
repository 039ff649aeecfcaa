import { Body, Controller, Get, HttpCode, Inject, Param, Put } from '@nestjs/common';
import { Type } from 'class-transformer';
import { IsIn, IsInt, IsISO8601, IsObject, IsString, Length, Matches, Max, Min, ValidateNested } from 'class-validator';
import { categories } from '@sejam/contracts';
import { builtInTerms } from '@sejam/deadlines';
import { DomainError } from '@sejam/event-sourcing';
import { MayBeAbsent, RequestCause } from '@sejam/service-host';
import { PORTS, type SlaPorts } from '../sla-ports.js';
import { setPolicy, slaPolicy, type SlaPolicy } from './policy.js';

class WindowBody {
  @IsISO8601({ strict: true }) from!: string;
  @IsISO8601({ strict: true }) to!: string;
}

const families = [...new Set(categories.map((category) => category.split('.')[0] as string))];

class SetPolicyBody {
  @IsInt() @Min(1) @Max(1440) acknowledgeWithinMinutes!: number;
  @IsInt() @Min(1) @Max(10_080) resolveWithinMinutes!: number;
  @IsInt() @Min(1) @Max(99) warningPercent!: number;
  @IsInt() @Min(0) @Max(1440) clarificationCapMinutes!: number;
  @IsISO8601({ strict: true }) effectiveFrom!: string;
  @IsString() @Length(1, 500) reason!: string;
  @MayBeAbsent() @IsObject() @ValidateNested() @Type(() => WindowBody) window?: WindowBody;
  @MayBeAbsent() @IsIn([...categories, ...families]) category?: string;
  @MayBeAbsent() @IsString() @Matches(/^[a-z0-9][a-z0-9_-]{0,62}$/) platform?: string;
}

const policyId = /^[a-z0-9][a-z0-9-]{0,62}$/;

@Controller('v1/sla-policies')
export class ManagePolicies {
  constructor(@Inject(PORTS) private readonly ports: SlaPorts) {}

  /** Every version of every policy, the built-in terms first. */
  @Get()
  async list(): Promise<{ items: object[] }> {
    const { rows } = await this.ports.pool.query<{ terms: SlaPolicy }>('SELECT terms FROM sla_policy ORDER BY policy, version');
    return { items: [{ ...builtInTerms, reason: 'built in' }, ...rows.map(({ terms }) => terms)] };
  }

  @Put(':id')
  @HttpCode(200)
  async set(@Param('id') id: string, @Body() body: SetPolicyBody, @RequestCause() cause: RequestCause): Promise<SlaPolicy & { eventId: string }> {
    if (!policyId.test(id)) throw new DomainError('policy.id', 'invalid', 'A policy id is made of lower-case letters, digits and hyphens');
    const utc = (time: string): string => new Date(time).toISOString();
    const { window, effectiveFrom, ...rest } = body;
    const wanted = { policy: id, ...rest, effectiveFrom: utc(effectiveFrom), ...(window === undefined ? {} : { window: { from: utc(window.from), to: utc(window.to) } }) };
    const { state } = await this.ports.transactForRequests(slaPolicy, id, cause, (current) => setPolicy(current, wanted));
    if (state.status === 'none') throw new Error(`Policy ${id} was set and is not there`);
    return { ...state.newest, eventId: state.eventId };
  }
}
