import { runConsumer, type Bus, type Consumer } from '@sejam/bus';
import { understand } from '@sejam/contracts';
import type { Client, Pool } from '@sejam/postgres';
import type { IdentityDirectory, IdentityEvent } from './identity-directory.js';
import { IdentityTable, keepHeartbeat, keepIdentityEvent } from './identity-table.js';
import { LevelHeartbeats } from './level-heartbeats.js';
import type { Logger } from './logger.js';

const topic = 'sejam.identity.v1';

/**
 * Keeps a directory level with the organisations and keys that intake tells of, through the service's own table. Not for intake, which
 * reads its own record.
 */
export async function followIdentities({ bus, pool, directory, log }: { bus: Bus; pool: Pool; directory: IdentityDirectory; log: Logger }): Promise<{ consumer: Consumer; table: IdentityTable; stop(): Promise<void> }> {
  const table = new IdentityTable(pool, directory, { onError: (error) => log.warn({ error: String(error) }, 'The directory of keys could not be read; trying again') });
  await table.start();
  const consumer = runConsumer({
    bus,
    pool,
    consumer: `${pool.schema}-identity`,
    log,
    handlers: {
      [topic]: {
        kind: 'view',
        async handle(client: Client, messages) {
          for (const message of messages) {
            const known = understand(topic, message.type, message.data);
            if (known === undefined || known.type === 'Heartbeat') continue;
            await keepIdentityEvent(client, { stream: message.subject, revision: message.sequence ?? 0, event: { type: known.type, data: message.data } as unknown as IdentityEvent });
          }
        },
      },
    },
    onHeartbeat: (message) => heartbeats.heard(new Date(message.time)),
  });
  const heartbeats = new LevelHeartbeats({
    lag: () => consumer.lag(),
    keep: (sentAt) => keepHeartbeat(pool, sentAt),
    onError: (error) => log.warn({ error: String(error) }, 'A heartbeat of the identities could not be kept; trying again'),
  });
  return {
    consumer,
    table,
    async stop() {
      await heartbeats.stop();
      await consumer.stop();
      await table.stop();
    },
  };
}
