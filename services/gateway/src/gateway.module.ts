import type { DynamicModule } from '@nestjs/common';
import { ShowDocuments } from './document/show-documents.js';
import { PAGE, ShowPage, type PageFacts } from './page/show-page.js';
import { FORWARDING, ForwardRequests, type Forwarding } from './upstream/forward-requests.js';
import { ListParked } from './upstream/list-parked.js';
import { UPSTREAMS, type Upstreams } from './upstream/upstreams.js';

export interface GatewayPorts {
  readonly upstreams: Upstreams;
  readonly forwarding: Forwarding;
  readonly page: PageFacts;
}

export class GatewayModule {
  static with({ upstreams, forwarding, page }: GatewayPorts): DynamicModule {
    return {
      module: GatewayModule,
      controllers: [ShowPage, ShowDocuments, ListParked],
      providers: [ForwardRequests, { provide: UPSTREAMS, useValue: upstreams }, { provide: FORWARDING, useValue: forwarding }, { provide: PAGE, useValue: page }],
    };
  }
}
