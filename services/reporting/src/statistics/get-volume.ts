import { Controller, Get, Inject, Query } from '@nestjs/common';
import { IsIn, IsString, Length, Matches } from 'class-validator';
import { MayBeAbsent } from '@sejam/service-host';
import { PORTS, type ReportingPorts } from '../reporting-ports.js';
import { countVolume, type VolumeFigures } from './count-volume.js';
import { spanOf } from './local-time.js';

class VolumeQuery {
  @MayBeAbsent() @IsString() @Length(10, 35) from?: string;
  @MayBeAbsent() @IsString() @Length(10, 35) to?: string;
  @MayBeAbsent() @IsString() @Length(1, 64) tz?: string;
  /** A category, or the part of it before the dot. */
  @MayBeAbsent() @Matches(/^[a-z_]+(\.[a-z_]+)?$/) category?: string;
  @MayBeAbsent() @IsIn(['include', 'exclude']) test?: string;
}

export type Volume = VolumeFigures & { readonly from?: string; readonly to?: string; readonly tz: string; readonly category?: string; readonly byCategory: readonly (VolumeFigures & { category: string })[] };

@Controller('v1/statistics/volume')
export class GetVolume {
  constructor(@Inject(PORTS) private readonly ports: ReportingPorts) {}

  /** What was submitted in the span, all together and by category. */
  @Get()
  async volume(@Query() { from, to, tz, category, test }: VolumeQuery): Promise<Volume> {
    const span = spanOf({ from, to, tz });
    const { total, byCategory } = await countVolume(this.ports.pool, { ...span, tests: test === 'include', ...(category === undefined ? {} : { category }) });
    return {
      ...(span.from === null ? {} : { from: span.from.toISOString() }),
      ...(span.to === null ? {} : { to: span.to.toISOString() }),
      tz: span.tz,
      ...(category === undefined ? {} : { category }),
      ...total,
      byCategory,
    };
  }
}
