import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe } from '@jest/globals';
import { conformance } from '../conformance/suite.js';
import { startEventStore, type RunningEventStore } from './start-event-store.js';

const elsewhere = process.env['EVENTSTORE_CONFORMANCE_URL'] ?? process.env['EVENTSTORE_URL'];

describe(`a server that speaks EventStoreDB's protocol${elsewhere ? ` at ${elsewhere}` : ''}`, () => {
  let server: RunningEventStore | undefined;
  let folder: string | undefined;

  conformance(async () => {
    if (elsewhere) return elsewhere;
    folder = mkdtempSync(join(tmpdir(), 'conformance-'));
    server = await startEventStore({ dataFolder: folder, log: () => undefined });
    return server.url;
  });

  afterAll(async () => {
    await server?.close();
    if (folder) rmSync(folder, { recursive: true });
  });
});
