import type { DynamicModule } from '@nestjs/common';
import { parkedMessages } from '@sejam/service-host';
import { GetOrders } from './answer/get-orders.js';
import { ReceiveAnswers } from './answer/receive-answers.js';
import { GetRefusedWebhooks } from './answer/refused-webhooks.js';
import { GetDeliveries } from './delivery/get-deliveries.js';
import { GetMessages } from './delivery/get-messages.js';
import { ManageAnswerKey } from './platform/manage-answer-key.js';
import { ManageEndpoint } from './platform/manage-endpoint.js';
import { PORTS, type RoutingPorts } from './routing-ports.js';
import { RotateSigningKey } from './signing-key/rotate-signing-key.js';
import { ShowSigningKeys } from './signing-key/show-signing-keys.js';
import { CommandTakedown } from './takedown/command-takedown.js';
import { GetTakedowns } from './takedown/get-takedowns.js';

/** Everything routing answers over HTTP, on one page. */
export class RoutingModule {
  static with(ports: RoutingPorts): DynamicModule {
    const parked = parkedMessages(ports.parked);
    return {
      module: RoutingModule,
      controllers: [GetTakedowns, CommandTakedown, GetOrders, ReceiveAnswers, GetRefusedWebhooks, ManageEndpoint, ManageAnswerKey, ShowSigningKeys, RotateSigningKey, GetMessages, GetDeliveries, ...parked.controllers],
      providers: [{ provide: PORTS, useValue: ports }, ...parked.providers],
    };
  }
}
