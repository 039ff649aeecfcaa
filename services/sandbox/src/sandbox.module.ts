import { setTimeout as delay } from 'node:timers/promises';
import { Module, type DynamicModule } from '@nestjs/common';
import type { AccessRow, Logger } from '@sejam/service-host';
import type { KeyFile } from './answer/key-file.js';
import { Outbox } from './answer/outbox.js';
import { RegisterAnswerKeys } from './answer/register-answer-keys.js';
import type { Credentials } from './credentials.js';
import type { Journal } from './journal.js';
import { ClearingHouseKeys } from './order/clearing-house-keys.js';
import { Inbox } from './order/inbox.js';
import { ListOrders } from './order/list-orders.js';
import { ReadFeed } from './order/read-feed.js';
import { ReceiveOrder } from './order/receive-order.js';
import { Direction } from './script/direction.js';
import { EditScript } from './script/edit-script.js';
import type { Script } from './script/script.js';
import { ANSWER_KEYS, CREDENTIALS, JOURNAL, LOG, SETTINGS, type Settings } from './tokens.js';

export interface SandboxParts {
  readonly credentials: Credentials;
  readonly settings: Settings;
  readonly script: Script;
  readonly journal: Journal;
  /** Of the platforms that sign with a key of their own. */
  readonly answerKeys: KeyFile;
  readonly log: Logger;
}

/** Orders prove themselves by their signature; the rest is for whoever runs the sandbox, on an address only they can reach. */
export const access: readonly AccessRow[] = [
  { method: 'POST', path: '/platforms/:platform/orders', roles: 'signature' },
  { method: 'GET', path: '/orders', roles: 'public' },
  { method: 'GET', path: '/answers', roles: 'public' },
  { method: 'GET', path: '/script', roles: 'public' },
  { method: 'PUT', path: '/script', roles: 'public' },
  { method: 'GET', path: '/behaviours', roles: 'public' },
];

@Module({})
export class SandboxModule {
  static with({ credentials, settings, script, journal, answerKeys, log }: SandboxParts): DynamicModule {
    return {
      module: SandboxModule,
      controllers: [ReceiveOrder, ListOrders, EditScript],
      providers: [
        { provide: CREDENTIALS, useValue: credentials },
        { provide: SETTINGS, useValue: settings },
        { provide: JOURNAL, useValue: journal },
        { provide: ANSWER_KEYS, useValue: answerKeys },
        { provide: LOG, useValue: log },
        { provide: Direction, useValue: new Direction(script) },
        RegisterAnswerKeys,
        ClearingHouseKeys,
        Outbox,
        Inbox,
        ReadFeed,
        {
          provide: 'resumed',
          inject: [JOURNAL, Outbox, Inbox, ReadFeed, RegisterAnswerKeys],
          // Before the first request is taken: what was received earlier is still to be answered.
          useFactory: async (kept: Journal, outbox: Outbox, inbox: Inbox, feed: ReadFeed, keys: RegisterAnswerKeys) => {
            const entries = await kept.read();
            outbox.resume(entries);
            inbox.resume(entries);
            void whenReady(settings).then(() => {
              feed.start();
              keys.start();
            });
            return true;
          },
        },
      ],
    };
  }
}

/** Resolves when the clearing house takes requests: both sides may have been started in the same moment. */
async function whenReady({ gatewayUrl, closing }: Settings): Promise<void> {
  while (!closing.aborted) {
    const status = await fetch(new URL('/health/ready', gatewayUrl), { signal: AbortSignal.any([AbortSignal.timeout(5_000), closing]) }).then((answer) => answer.status, () => 503);
    if (status !== 503) return;
    await delay(250, undefined, { signal: closing }).catch(() => {});
  }
}
