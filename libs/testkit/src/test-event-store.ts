import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEventStore } from '@sejam/embedded-eventstore';
import type { EventStore } from '@sejam/event-sourcing';
import { connectEventStore } from '@sejam/eventstoredb';

export interface TestEventStore {
  /** `esdb://…`, also after a restart. */
  readonly url: string;
  /** A client of it, closed by `stop`. Tests make faults on purpose, so it does not log what it overcomes. */
  readonly store: EventStore;
  /** One more client, as another instance has it. */
  connect(): EventStore;
  /** As a crash and a start on the same folder and port: whoever is connected is cut off; `whileAway` runs before the start. */
  restart(whileAway?: () => Promise<void>): Promise<void>;
  stop(): Promise<void>;
}

/** An empty embedded event store of the test file's own: `beforeAll(async () => { record = await testEventStore(); })`. */
export async function testEventStore(): Promise<TestEventStore> {
  const dataFolder = await mkdtemp(join(tmpdir(), 'sejam-test-record-'));
  const log = (): void => {};
  let server = await startEventStore({ dataFolder, log });
  const clients: EventStore[] = [];
  const connect = (): EventStore => {
    const client = connectEventStore(server.url, { logger: { warn: log }, backOff: { firstMs: 20, mostMs: 500 } });
    clients.push(client);
    return client;
  };
  return {
    url: server.url,
    store: connect(),
    connect,
    async restart(whileAway) {
      const { port } = server;
      await server.close();
      await whileAway?.();
      server = await startEventStore({ dataFolder, port, log });
    },
    async stop() {
      await Promise.all(clients.map((client) => client.close()));
      await server.close();
      await rm(dataFolder, { recursive: true, force: true });
    },
  };
}
