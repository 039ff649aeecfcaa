import type { DynamicModule } from '@nestjs/common';
import { parkedMessages } from '@sejam/service-host';
import { BoardFeed } from './board/board-feed.js';
import { GetBoard } from './board/get-board.js';
import { ShowBoard } from './board/show-board.js';
import { StreamBoard } from './board/stream-board.js';
import { ReadEvents } from './events/read-events.js';
import { ExportTakedowns } from './exports/export-takedowns.js';
import { FollowTopics } from './follow-topics.js';
import { GetOutcome } from './report/get-outcome.js';
import { PORTS, type ReportingPorts } from './reporting-ports.js';
import { GetCompliance } from './statistics/get-compliance.js';
import { GetVolume } from './statistics/get-volume.js';
import { GetTransparency } from './statistics/get-transparency.js';

/** Everything reporting hears and answers, on one page. */
export class ReportingModule {
  static with(ports: ReportingPorts): DynamicModule {
    const parked = parkedMessages({ service: 'reporting', pool: ports.pool, consumers: ports.consumers });
    return {
      module: ReportingModule,
      controllers: [FollowTopics, GetBoard, StreamBoard, ShowBoard, GetOutcome, GetCompliance, GetVolume, GetTransparency, ExportTakedowns, ReadEvents, ...parked.controllers],
      providers: [{ provide: PORTS, useValue: ports }, { provide: BoardFeed, useFactory: () => new BoardFeed(ports) }, ...parked.providers],
    };
  }
}
