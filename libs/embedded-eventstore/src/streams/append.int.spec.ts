import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { EventStoreDBClient, NO_STREAM, jsonEvent } from '@eventstore/db-client';
import { startEventStore, type RunningEventStore } from '../start-event-store.js';

describe('a server on a folder of its own', () => {
  let folder: string;
  let server: RunningEventStore;
  let client: EventStoreDBClient;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'eventstore-'));
    server = await startEventStore({ dataFolder: folder, log: () => undefined });
    client = EventStoreDBClient.connectionString(server.url);
  });

  afterAll(async () => {
    await client.dispose();
    await server.close();
    rmSync(folder, { recursive: true });
  });

  it('gives a retried append the place of the first', async () => {
    const event = jsonEvent({ type: 'Opened', data: { by: 'somebody' } });
    const first = await client.appendToStream('case-1', event, { expectedRevision: NO_STREAM });
    const again = await client.appendToStream('case-1', event, { expectedRevision: NO_STREAM });
    expect(again.position).toEqual(first.position);
    expect(again.nextExpectedRevision).toBe(0n);
  });

  it('refuses a second server on the same folder', async () => {
    await expect(startEventStore({ dataFolder: folder })).rejects.toThrow('one process owns a folder');
  });
});
