import { Controller, Get, Inject } from '@nestjs/common';
import { PORTS, type AuditPorts } from '../audit-ports.js';
import type { Alarm } from './alarms.js';

@Controller('v1/audit/alarms')
export class GetAlarms {
  constructor(@Inject(PORTS) private readonly ports: AuditPorts) {}

  /** Everything that has ever let the record or the log be doubted, the oldest first. */
  @Get()
  async list(): Promise<{ items: Alarm[] }> {
    return { items: await this.ports.alarms.list() };
  }
}
