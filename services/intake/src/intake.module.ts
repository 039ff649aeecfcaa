import type { DynamicModule } from '@nestjs/common';
import { EraseSubjects } from './erasure/erase-subjects.js';
import { PORTS, type IntakePorts } from './intake-ports.js';
import { ManageOrganisations } from './organisation/manage-organisations.js';
import { DecideReports } from './report/decide-reports.js';
import { GetReports } from './report/get-reports.js';
import { PassDecisionDeadline } from './report/pass-decision-deadline.js';
import { SubmitReport } from './report/submit-report.js';

/** Everything intake answers over HTTP and the bus, on one page. */
export class IntakeModule {
  static with(ports: IntakePorts): DynamicModule {
    return {
      module: IntakeModule,
      controllers: [SubmitReport, DecideReports, GetReports, ManageOrganisations, EraseSubjects, PassDecisionDeadline],
      providers: [{ provide: PORTS, useValue: ports }],
    };
  }
}
