import { Controller, Get, Inject, Query } from '@nestjs/common';
import { IsIn, IsString, Length } from 'class-validator';
import { MayBeAbsent } from '@sejam/service-host';
import { PORTS, type ReportingPorts } from '../reporting-ports.js';
import { countOrders, dimensions, type ComplianceFigures, type Dimension } from './count-orders.js';
import { spanOf } from './local-time.js';

class ComplianceQuery {
  /** Inclusive. A date, or a time without offset, is of the zone. */
  @MayBeAbsent() @IsString() @Length(10, 35) from?: string;
  /** Exclusive. */
  @MayBeAbsent() @IsString() @Length(10, 35) to?: string;
  @MayBeAbsent() @IsString() @Length(1, 64) tz?: string;
  @MayBeAbsent() @IsIn(dimensions) groupBy?: Dimension;
  @MayBeAbsent() @IsIn(['include', 'exclude']) test?: string;
}

export type Compliance = ComplianceFigures & {
  readonly from?: string;
  readonly to?: string;
  readonly tz: string;
  readonly groupBy?: Dimension;
  readonly groups?: readonly (ComplianceFigures & { group: string | null })[];
};

@Controller('v1/statistics/compliance')
export class GetCompliance {
  constructor(@Inject(PORTS) private readonly ports: ReportingPorts) {}

  /** Over all orders issued in the span, and for each group where one is asked for. */
  @Get()
  async compliance(@Query() { from, to, tz, groupBy, test }: ComplianceQuery): Promise<Compliance> {
    const span = spanOf({ from, to, tz });
    const counted = { from: span.from, to: span.to, tests: test === 'include' };
    const [[all], groups] = await Promise.all([countOrders(this.ports.pool, counted), groupBy === undefined ? undefined : countOrders(this.ports.pool, { ...counted, by: groupBy })]);
    if (all === undefined) throw new Error('A count without groups has one row');
    return {
      ...(span.from === null ? {} : { from: span.from.toISOString() }),
      ...(span.to === null ? {} : { to: span.to.toISOString() }),
      tz: span.tz,
      ...all.figures,
      ...(groupBy === undefined || groups === undefined ? {} : { groupBy, groups: groups.map(({ group, figures }) => ({ group, ...figures })) }),
    };
  }
}
