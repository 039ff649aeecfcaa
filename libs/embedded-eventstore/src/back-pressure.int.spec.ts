import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ANY, END, EventStoreDBClient, START, binaryEvent } from '@eventstore/db-client';
import { eventually } from '../conformance/server-under-test.js';
import { ServerProcess, build } from '../crash/server-process.js';
import { field } from './wire/protobuf.js';

const MEGABYTE = 1_000_000;

let folder: string;
let server: ServerProcess;
let client: EventStoreDBClient;

beforeAll(async () => {
  await build();
  folder = mkdtempSync(join(tmpdir(), 'pressure-'));
  server = await ServerProcess.start(folder);
  client = EventStoreDBClient.connectionString(server.url);
});
afterAll(async () => {
  await client.dispose();
  await server.end('SIGTERM');
  rmSync(folder, { recursive: true });
});

const half = () => binaryEvent({ type: 'Large', data: Buffer.alloc(500_000) });

/** Subscribes to everything from the start and never reads more than the first window. */
function subscribeWithoutReading(): { stop(): void } {
  const session = connect(`http://127.0.0.1:${server.port}`);
  const call = session.request({ ':method': 'POST', ':path': '/event_store.client.streams.Streams/Read', 'content-type': 'application/grpc', te: 'trailers' });
  const request = field.message(1, field.message(2, field.empty(2)), field.empty(6), field.empty(8), field.message(9, field.empty(2)));
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(request.length, 1);
  call.end(Buffer.concat([prefix, request]));
  call.pause();
  return { stop: () => session.destroy() };
}

describe('a subscriber that does not read', () => {
  it('neither fills the memory of the server nor keeps others waiting', async () => {
    await client.appendToStream('warm', half());
    const before = server.memoryBytes;
    const slow = Array.from({ length: 5 }, subscribeWithoutReading);
    let received = 0;
    const live = client.subscribeToAll({ fromPosition: END });
    live.on('data', () => (received += 1));
    await new Promise<void>((resolve) => live.once('confirmation', () => resolve()));
    let highest = 0;
    for (let sent = 1; sent <= 300; sent += 1) {
      await client.appendToStream(`large-${sent % 7}`, half(), { expectedRevision: ANY });
      await eventually(() => expect(received).toBe(sent));
      highest = Math.max(highest, server.memoryBytes);
    }
    // 150 MB went through; five subscribers that took none of it would hold 750.
    expect(highest - before).toBeLessThan(150 * MEGABYTE);
    for (const { stop } of slow) stop();
    await live.unsubscribe();
  }, 60_000);
});

describe('a thousand idle subscriptions', () => {
  it('cost little, and each still has its own stream', async () => {
    const before = server.memoryBytes;
    const seen = new Map<number, number>();
    const name = randomUUID();
    const subscriptions = Array.from({ length: 1000 }, (_, index) => {
      const subscription = client.subscribeToStream(`idle-${name}-${index}`, { fromRevision: START });
      subscription.on('data', () => seen.set(index, (seen.get(index) ?? 0) + 1));
      return subscription;
    });
    await Promise.all(subscriptions.map((subscription) => new Promise<void>((resolve) => subscription.once('confirmation', () => resolve()))));
    expect(server.memoryBytes - before).toBeLessThan(100 * MEGABYTE);
    for (const index of [7, 500, 999]) await client.appendToStream(`idle-${name}-${index}`, binaryEvent({ type: 'Small', data: Buffer.alloc(1) }));
    await eventually(() => expect([...seen.keys()].sort((a, b) => a - b)).toEqual([7, 500, 999]));
    expect([...seen.values()]).toEqual([1, 1, 1]);
    await Promise.all(subscriptions.map((subscription) => subscription.unsubscribe()));
  }, 60_000);
});
