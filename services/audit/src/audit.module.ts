import type { DynamicModule } from '@nestjs/common';
import { PORTS, type AuditPorts } from './audit-ports.js';
import { GetCheckpoint } from './checkpoint/get-checkpoint.js';
import { ListEvents } from './event/list-events.js';
import { GetAlarms } from './log/get-alarms.js';
import { GetProof } from './proof/get-proof.js';
import { GetTakedown } from './takedown/get-takedown.js';

/** Everything audit answers over HTTP, on one page. What integrates the record and asks witnesses runs beside it (`main.ts`). */
export class AuditModule {
  static with(ports: AuditPorts): DynamicModule {
    return { module: AuditModule, controllers: [GetCheckpoint, ListEvents, GetProof, GetTakedown, GetAlarms], providers: [{ provide: PORTS, useValue: ports }] };
  }
}
