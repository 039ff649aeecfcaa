import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEventStore } from '@sejam/embedded-eventstore';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { StoredEvent } from '@sejam/event-sourcing';
import { all, event, eventStoreContract, until, type StoreUnderTest } from '@sejam/event-sourcing/contract';
import { connectEventStore, type Upcast } from './index.js';

/** The contract lets handlers fail on purpose. */
const logger = { warn: (): void => undefined };

eventStoreContract('the embedded server', embedded);

const real = await realEventStoreDB();
if (typeof real === 'string') process.stderr.write(`The event-store contract was not run on a real EventStoreDB: ${real}\n`);
else eventStoreContract('EventStoreDB', real);

describe('events of an older form', () => {
  let under: StoreUnderTest;

  beforeAll(async () => {
    under = await embedded((stored) => (stored.type === 'SomethingHappened' ? { ...stored, type: 'SomethingDone', data: { ...stored.data, since: 2 } } : stored));
  });

  afterAll(async () => {
    await under.store.close();
    await under.stop();
  });

  it('are read and followed in the form of today', async () => {
    await under.store.append('thing-1', [event({ n: 1 })], 'no-stream');
    const followed: StoredEvent[] = [];
    under.store.subscribe({
      name: 'test',
      prefixes: ['thing-'],
      handle: async (events) => {
        followed.push(...events);
      },
    });
    await until(() => followed.length === 1);
    for (const seen of [await all(under.store.read('thing-1')), await all(under.store.readAll()), followed]) {
      expect(seen).toMatchObject([{ type: 'SomethingDone', data: { n: 1, since: 2 } }]);
    }
  });
});

async function embedded(upcast: Upcast = (stored) => stored): Promise<StoreUnderTest> {
  const dataFolder = await mkdtemp(join(tmpdir(), 'sejam-record-'));
  const server = await startEventStore({ dataFolder });
  return {
    store: connectEventStore(server.url, { logger, upcast }),
    async stop() {
      await server.close();
      await rm(dataFolder, { recursive: true, force: true });
    },
  };
}

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
