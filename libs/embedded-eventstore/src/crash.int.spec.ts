import { spawn } from 'node:child_process';
import { randomInt, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { EventStoreDBClient, NO_STREAM, jsonEvent } from '@eventstore/db-client';
import { eventually } from '../conformance/server-under-test.js';
import { ServerProcess, build } from '../crash/server-process.js';
import { checkRecord } from './check-record.js';
import { EventRecord } from './record/event-record.js';

const KILLS = 200;
const STREAMS = ['one', 'two', 'three'];
const writer = fileURLToPath(new URL('../crash/append-until-killed.mjs', import.meta.url));

interface Acknowledged {
  readonly position: number;
  readonly revision: number;
}

/** Runs the writer and kills it some milliseconds after it has begun; resolves with the lines it has said. */
function killedWriter(folder: string, next: ReadonlyMap<string, number>, killAfterMs: number): Promise<string[]> {
  const child = spawn(process.execPath, [writer, folder, ...STREAMS.map((stream) => `${stream}=${next.get(stream) ?? 0}`)], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  let timer: NodeJS.Timeout | undefined;
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    // Counted from the first sign of life, so that a slow machine kills as often in the middle of things.
    timer ??= setTimeout(() => child.kill('SIGKILL'), killAfterMs);
  });
  return new Promise((resolve) => child.once('close', () => {
    clearTimeout(timer);
    // A line that is cut off was not said.
    resolve(text.slice(0, text.lastIndexOf('\n') + 1).split('\n').filter((line) => line !== ''));
  }));
}

describe('a record whose writer is killed again and again', () => {
  let folder: string;
  beforeAll(async () => {
    await build();
    folder = mkdtempSync(join(tmpdir(), 'crash-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it(`has every acknowledged event once, in order, where it was acknowledged, after ${KILLS} kills`, async () => {
    const lanes = ['a', 'b'].map((name) => ({ folder: join(folder, name), next: new Map<string, number>(), acknowledged: new Map<string, Acknowledged[]>(STREAMS.map((stream) => [stream, []])) }));
    await Promise.all(
      lanes.map(async (lane) => {
        for (let kill = 0; kill < KILLS / lanes.length; kill += 1) {
          const lines = await killedWriter(lane.folder, lane.next, randomInt(0, 40));
          for (const line of lines) {
            const [kind, stream, asked, answered, position] = line.split(' ');
            if (kind === 'open' || kind === 'said') continue;
            expect([kind, answered]).toEqual(['appended', asked]);
            lane.acknowledged.get(stream!)!.push({ revision: Number(asked), position: Number(position) });
            lane.next.set(stream!, Number(asked) + 1);
          }
        }
      }),
    );
    for (const lane of lanes) {
      const record = await EventRecord.open({ folder: lane.folder, segmentBytes: 60_000, log: () => undefined });
      for (const stream of STREAMS) {
        const acknowledged = lane.acknowledged.get(stream)!;
        const head = record.head(stream);
        expect(head).toBeGreaterThanOrEqual(acknowledged.at(-1)?.revision ?? -1);
        const events = head < 0 ? [] : await record.readRevisions(stream, 0, head);
        expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
        for (const { revision, position } of acknowledged) expect(events[revision]!.position).toBe(position);
      }
      await record.close();
      const { events } = await checkRecord(lane.folder);
      expect(events).toBeGreaterThan(KILLS / lanes.length);
    }
  }, 300_000);
});

describe('a server that is killed', () => {
  let folder: string;
  beforeAll(async () => {
    await build();
    folder = mkdtempSync(join(tmpdir(), 'killed-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('comes back on the same port with everything it has answered for, and clients go on', async () => {
    let server = await ServerProcess.start(folder);
    const client = EventStoreDBClient.connectionString(server.url);
    const acknowledged = new Map<string, bigint>();
    let round = 0;
    while (round < 10) {
      // In the middle of things, however fast the machine is: after so many answers.
      let answersLeft = randomInt(1, 40);
      let killed: Promise<unknown> | undefined;
      await Promise.all(
        Array.from({ length: 8 }, async () => {
          for (let go = true; go; ) {
            const stream = `killed-${randomUUID()}`;
            try {
              const result = await client.appendToStream(stream, jsonEvent({ type: 'Happened', data: {} }), { expectedRevision: NO_STREAM });
              acknowledged.set(stream, result.position!.commit);
              answersLeft -= 1;
              if (answersLeft === 0) killed = server.end('SIGKILL');
            } catch {
              go = killed === undefined;
            }
          }
        }),
      );
      await killed;
      server = await ServerProcess.start(folder, { port: server.port });
      round += 1;
    }
    const found = new Map<string, bigint>();
    for await (const { event } of client.readAll()) {
      expect(found.has(event!.streamId)).toBe(false);
      found.set(event!.streamId, event!.position!.commit);
    }
    expect(acknowledged.size).toBeGreaterThan(10);
    for (const [stream, position] of acknowledged) expect(found.get(stream)).toBe(position);
    await client.dispose();
    expect(await server.end('SIGTERM')).toBe(0);
  }, 120_000);
});

// The operating system's limit on the size of files stands in for a full disk: the same errors come from the same calls.
if (process.platform === 'linux') {
  describe('a server whose disk is full', () => {
    let folder: string;
    beforeAll(async () => {
      await build();
      folder = mkdtempSync(join(tmpdir(), 'full-'));
    });
    afterAll(() => rmSync(folder, { recursive: true }));

    const append = (client: EventStoreDBClient, bytes: number, credentials?: { username: string; password: string }) =>
      client.appendToStream(`full-${randomUUID()}`, jsonEvent({ type: 'Happened', data: { text: 'x'.repeat(bytes) } }), { expectedRevision: NO_STREAM, ...(credentials && { credentials }) });
    /** How many it took. */
    const appendUntilRefused = async (client: EventStoreDBClient, bytes: number) => {
      let appended = 0;
      await expect((async () => {
        for (; appended < 1000; appended += 1) await append(client, bytes);
      })()).rejects.toThrow();
      return appended;
    };
    const count = async (client: EventStoreDBClient) => {
      let events = 0;
      for await (const { event } of client.readAll()) if (!event!.type.startsWith('$')) events += 1;
      return events;
    };

    it('refuses appends with a clear status, reads on, and takes appends again when there is room', async () => {
      const server = await ServerProcess.start(folder, { maxFileKilobytes: 600 });
      const client = EventStoreDBClient.connectionString(server.url);
      const appended = await appendUntilRefused(client, 20_000);
      expect(appended).toBeGreaterThan(10);
      await expect(append(client, 20_000, { username: 'admin', password: 'changeit' })).rejects.toThrow('RESOURCE_EXHAUSTED: The disk is full');
      expect(await count(client)).toBe(appended);
      expect(server.said.match(/The disk is full.*reads go on/g)).toHaveLength(1);
      server.allowFiles();
      await append(client, 20_000);
      expect(await count(client)).toBe(appended + 1);
      await client.dispose();
      expect(await server.end('SIGTERM')).toBe(0);
      // One of them is the record's own first event.
      expect(await checkRecord(folder)).toMatchObject({ events: appended + 2, indexChecked: true });
    }, 60_000);

    it('goes on when the index finds no room either, and when it is started so', async () => {
      const data = join(folder, 'index-too');
      let server = await ServerProcess.start(data);
      let client = EventStoreDBClient.connectionString(server.url);
      for (let number = 0; number < 10; number += 1) await append(client, 1000);
      server.limitFiles(16);
      const appended = 10 + (await appendUntilRefused(client, 1000));
      await eventually(() => expect(server.said).toContain('index could not be written'), 30_000);
      expect(await count(client)).toBe(appended);
      await client.dispose();
      expect(await server.end('SIGTERM')).toBe(0);

      server = await ServerProcess.start(data, { maxFileKilobytes: 16 });
      client = EventStoreDBClient.connectionString(server.url);
      await expect(append(client, 1000)).rejects.toThrow();
      expect(await count(client)).toBe(appended);
      server.allowFiles();
      await append(client, 1000);
      await client.dispose();
      expect(await server.end('SIGTERM')).toBe(0);
      expect(await checkRecord(data)).toMatchObject({ events: appended + 2, indexChecked: true });
    }, 60_000);
  });
}
