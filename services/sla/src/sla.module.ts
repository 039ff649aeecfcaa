import type { DynamicModule } from '@nestjs/common';
import { FollowTakedowns } from './clock/follow-takedowns.js';
import { GetClocks } from './clock/get-clocks.js';
import { ManagePolicies } from './policy/manage-policies.js';
import { PORTS, type SlaPorts } from './sla-ports.js';

/** Everything sla answers over HTTP and the bus, on one page. The watchdog runs beside it (`main.ts`). */
export class SlaModule {
  static with(ports: SlaPorts): DynamicModule {
    return { module: SlaModule, controllers: [FollowTakedowns, GetClocks, ManagePolicies], providers: [{ provide: PORTS, useValue: ports }] };
  }
}
