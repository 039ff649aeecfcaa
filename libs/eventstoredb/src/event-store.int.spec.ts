import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEventStore } from '@sejam/embedded-eventstore';
import { eventStoreContract, type StoreUnderTest } from '@sejam/event-sourcing/contract';
import { connectEventStore } from './index.js';

/** The contract lets handlers fail on purpose. */
const logger = { warn: (): void => undefined };

eventStoreContract('the embedded server', async () => {
  const dataFolder = await mkdtemp(join(tmpdir(), 'sejam-record-'));
  const server = await startEventStore({ dataFolder });
  return {
    store: connectEventStore(server.url, { logger }),
    async stop() {
      await server.close();
      await rm(dataFolder, { recursive: true, force: true });
    },
  };
});

const real = await realEventStoreDB();
if (typeof real === 'string') process.stderr.write(`The event-store contract was not run on a real EventStoreDB: ${real}\n`);
else eventStoreContract('EventStoreDB', real);

/** EVENTSTORE_URL, else a container where Docker answers, else why not. */
async function realEventStoreDB(): Promise<(() => Promise<StoreUnderTest>) | string> {
  const url = process.env['EVENTSTORE_URL'];
  if (url !== undefined && url !== '') return async () => ({ store: connectEventStore(url, { logger }), stop: async () => undefined });
  const { GenericContainer, Wait, getContainerRuntimeClient } = await import('testcontainers');
  try {
    await getContainerRuntimeClient();
  } catch {
    return 'EVENTSTORE_URL is not set and Docker does not answer';
  }
  return async () => {
    const container = await new GenericContainer('eventstore/eventstore:23.10.0-bookworm-slim')
      .withEnvironment({ EVENTSTORE_INSECURE: 'true', EVENTSTORE_MEM_DB: 'true', EVENTSTORE_RUN_PROJECTIONS: 'None' })
      .withExposedPorts(2113)
      .withWaitStrategy(Wait.forHttp('/health/live', 2113).forStatusCode(204))
      .start();
    return {
      store: connectEventStore(`esdb://${container.getHost()}:${container.getMappedPort(2113)}?tls=false`, { logger }),
      async stop() {
        await container.stop();
      },
    };
  };
}
