import { mkdtempSync, rmSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { AccessDeniedError, EventStoreDBClient, NO_STREAM, UnavailableError, jsonEvent, persistentSubscriptionToStreamSettingsFromDefaults } from '@eventstore/db-client';
import streamsRpc from '@eventstore/db-client/generated/streams_grpc_pb.js';
import shared from '@eventstore/db-client/generated/shared_pb.js';
import streams from '@eventstore/db-client/generated/streams_pb.js';
import { Metadata, credentials, status, type ServiceError } from '@grpc/grpc-js';
import { startEventStore, type RunningEventStore } from './start-event-store.js';

let folder: string;
let said: string[];
let server: RunningEventStore;
let client: EventStoreDBClient;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'refusals-'));
  said = [];
  server = await startEventStore({ dataFolder: folder, log: (message) => said.push(message) });
  client = EventStoreDBClient.connectionString(server.url);
});
afterEach(async () => {
  await client.dispose();
  await server.close();
  rmSync(folder, { recursive: true });
});

const happened = () => jsonEvent({ type: 'Happened', data: {} });
const event = { type: 'Happened', isJson: true };

describe('what would remove events', () => {
  beforeEach(async () => {
    await client.appendToStream('case-1', happened());
  });

  it.each([
    ['deleting', () => client.deleteStream('case-1')],
    ['tombstoning', () => client.tombstoneStream('case-1')],
    ['metadata with $maxCount', () => client.setStreamMetadata('case-1', { maxCount: 1 })],
    ['metadata with $maxAge', () => client.setStreamMetadata('case-1', { maxAge: 1 })],
    ['metadata with $tb', () => client.setStreamMetadata('case-1', { truncateBefore: 1 })],
    ['metadata by Append', () => client.setStreamMetadata('case-1', { truncateBefore: 1 }, { credentials: { username: 'admin', password: 'changeit' } })],
    ['metadata with $maxCount under another type', () => client.appendToStream('$$case-1', jsonEvent({ type: 'Other', data: { $maxCount: 1 } }))],
  ])('is refused as access denied, in a sentence: %s', async (_, refused) => {
    await expect(refused()).rejects.toThrow(AccessDeniedError);
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(/case-1 .*was refused.*append-only/);
    for await (const { event: found } of client.readStream('case-1')) expect(found).toMatchObject(event);
  });

  it('is refused with the trailer that clients of other languages look for', async () => {
    const raw = new streamsRpc.StreamsClient(`127.0.0.1:${server.port}`, credentials.createInsecure());
    const identifier = new shared.StreamIdentifier();
    identifier.setStreamName(Buffer.from('case-1').toString('base64'));
    const options = new streams.DeleteReq.Options();
    options.setStreamIdentifier(identifier);
    options.setAny(new shared.Empty());
    const request = new streams.DeleteReq();
    request.setOptions(options);
    const error = await new Promise<ServiceError | null>((resolve) => raw.delete(request, new Metadata(), resolve));
    expect(error?.code).toBe(status.PERMISSION_DENIED);
    expect(error?.metadata.get('exception')).toEqual(['access-denied']);
    raw.close();
  });
});

describe('what this server is not', () => {
  it('answers UNIMPLEMENTED, and says so once', async () => {
    const create = () => client.createPersistentSubscriptionToStream('case-1', 'group', persistentSubscriptionToStreamSettingsFromDefaults());
    await expect(create()).rejects.toThrow('UNIMPLEMENTED');
    await expect(create()).rejects.toThrow('UNIMPLEMENTED');
    await expect(client.listProjections()).rejects.toThrow('UNIMPLEMENTED');
    expect(said.filter((sentence) => sentence.includes('PersistentSubscriptions'))).toHaveLength(1);
  });

  it('takes no events into $all, nor into a stream without a name', async () => {
    await expect(client.appendToStream('$all', happened())).rejects.toThrow(AccessDeniedError);
    await expect(client.appendToStream('$$', happened())).rejects.toThrow();
  });

  it('is no second server on a folder that one owns already', async () => {
    await expect(startEventStore({ dataFolder: folder })).rejects.toThrow('one process owns a folder');
  });

  it('tells a client that speaks TLS what to do, once, and hangs up', async () => {
    for (let time = 0; time < 2; time += 1) {
      await new Promise<void>((resolve) => {
        const socket = connectTls({ port: server.port, host: '127.0.0.1', rejectUnauthorized: false });
        socket.on('error', () => resolve());
        socket.on('close', () => resolve());
      });
    }
    expect(said).toEqual(['A client tried to connect with TLS; this server speaks plain gRPC, so connect with esdb://…?tls=false.']);
  });

  it('answers a browser and a health check on the same port', async () => {
    expect((await fetch(`http://127.0.0.1:${server.port}/health/live`)).status).toBe(200);
    expect((await fetch(`http://127.0.0.1:${server.port}/`)).status).toBe(404);
  });

  it('survives what is no protocol at all', async () => {
    for (const bytes of [Buffer.alloc(200, 0xff), Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff', 'latin1'), Buffer.from('\r\n')]) {
      await new Promise<void>((resolve) => {
        const socket = connectTcp(server.port, '127.0.0.1', () => socket.end(bytes));
        socket.on('error', () => resolve());
        socket.on('close', () => resolve());
        socket.resume();
      });
    }
    expect((await client.appendToStream('case-1', happened(), { expectedRevision: NO_STREAM })).success).toBe(true);
  });
});

describe('a server that shuts down', () => {
  it('ends its streams as unavailable, never as if they were complete', async () => {
    const subscription = client.subscribeToAll();
    const ended = new Promise<unknown>((resolve) => {
      subscription.on('error', resolve);
      subscription.on('end', () => resolve('ended'));
    });
    await new Promise<void>((resolve) => subscription.once('confirmation', () => resolve()));
    await client.appendToStream('case-1', happened());
    await server.close();
    expect(await ended).toBeInstanceOf(UnavailableError);
  });

  it('answers for every append it has taken', async () => {
    const appends = Array.from({ length: 200 }, (_, index) => client.appendToStream(`case-${index}`, happened(), { expectedRevision: NO_STREAM }).then(() => index, () => undefined));
    await appends[0];
    await server.close();
    const answered = (await Promise.all(appends)).filter((index) => index !== undefined);
    const again = await startEventStore({ dataFolder: folder, log: () => undefined });
    const other = EventStoreDBClient.connectionString(again.url);
    for (const index of answered) for await (const { event: found } of other.readStream(`case-${index}`)) expect(found?.revision).toBe(0n);
    await other.dispose();
    await again.close();
  });
});
