import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { beforeAll, beforeEach, afterEach, describe, expect, it } from '@jest/globals';
import { transactor, type Aggregate, type EventStore, type StoredEvent } from '@sejam/event-sourcing';
import { all, event, streamName, until } from '@sejam/event-sourcing/contract';
import { fakeClock } from '@sejam/event-sourcing/testing';
import { connectEventStore } from './index.js';

const embedded = dirname(dirname(fileURLToPath(import.meta.resolve('@sejam/embedded-eventstore'))));

describe('the record over restarts of its server', () => {
  let dataFolder: string;
  let port: number;
  let server: ChildProcess;
  let store: EventStore;

  beforeAll(() => {
    const compiler = createRequire(import.meta.url).resolve('typescript/lib/tsc.js');
    const { status, stdout } = spawnSync(process.execPath, [compiler, '-b', embedded], { encoding: 'utf8' });
    if (status !== 0) throw new Error(stdout);
  }, 120_000);

  beforeEach(async () => {
    dataFolder = await mkdtemp(join(tmpdir(), 'sejam-record-'));
    port = await freePort();
    server = await startServer(dataFolder, port);
    store = connectEventStore(`esdb://127.0.0.1:${port}?tls=false`, { appendTimeoutMs: 2_000, backOff: { firstMs: 10, mostMs: 100 }, logger: { warn: () => undefined } });
  }, 30_000);

  afterEach(async () => {
    await store.close();
    await kill(server);
    await rm(dataFolder, { recursive: true, force: true });
  }, 30_000);

  it('follows on after the server was killed, each event once and in order', async () => {
    const prefix = streamName('killed');
    const seen: StoredEvent[] = [];
    const subscription = store.subscribe({
      name: 'test',
      prefixes: [prefix],
      handle: async (events) => {
        seen.push(...events);
      },
    });
    await store.append(`${prefix}-1`, [event()], 'no-stream');
    await until(() => seen.length === 1);
    for (const revision of [0, 1, 2]) {
      await kill(server);
      await until(() => !subscription.status().connected);
      server = await startServer(dataFolder, port);
      await retried(() => store.append(`${prefix}-1`, [event()], revision));
      await until(() => seen.length === revision + 2);
    }
    expect(seen.map(({ revision }) => revision)).toEqual([0, 1, 2, 3]);
    expect(subscription.status().connected).toBe(true);
  }, 60_000);

  it('records each cause once and loses none that was acknowledged, while the server is killed again and again', async () => {
    const clock = fakeClock();
    const transact = transactor(store, clock, { triesMax: 60, backOffMs: 10, decisionsMax: 200 });
    const by = { organisation: 'sejam', holder: 'system:test' };
    const seen: StoredEvent[] = [];
    store.subscribe({ name: 'test', prefixes: ['counter-'], handle: async (events) => void seen.push(...events) });
    const counters = Array.from({ length: 4 }, (_, n) => streamName(`c${n}`));
    let acknowledged = 0;
    let writing = true;
    const writers = counters.flatMap((counter) => [0, 1].map(async (writer) => {
      for (let n = 0; writing; n += 1) {
        const cause = { causationId: `${counter}:${writer}:${n}`, correlationId: 'c', by };
        await transact(counting, counter, cause, (count) => [{ type: 'Counted', data: { count: count + 1 } }]);
        acknowledged += 1;
      }
    }));
    for (let kills = 0; kills < 5; kills += 1) {
      const before = acknowledged;
      await until(() => acknowledged > before + 20, 30_000);
      await kill(server);
      server = await startServer(dataFolder, port);
    }
    writing = false;
    await Promise.all(writers);
    let total = 0;
    for (const counter of counters) {
      const events = await all(store.read(`counter-${counter}`));
      expect(events.map(({ data }) => (data as { count: number }).count)).toEqual(events.map((_, index) => index + 1));
      expect(new Set(events.map(({ metadata }) => metadata.causationId)).size).toBe(events.length);
      total += events.length;
    }
    expect(total).toBe(acknowledged);
    await until(() => seen.length >= total);
    expect(seen.map(({ id }) => id)).toEqual((await all(store.readAll({ prefixes: ['counter-'] }))).map(({ id }) => id));
  }, 120_000);

  it('keeps a flood of appends from ending the process when the server is killed under it', async () => {
    const outcomes = Promise.allSettled(Array.from({ length: 500 }, (_, n) => store.append(`${streamName('flood')}-${n}`, [event({ filler: 'x'.repeat(20_000) })], 'no-stream')));
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
    await kill(server);
    const names = (await outcomes).map((outcome) => (outcome.status === 'rejected' ? (outcome.reason as Error).name : 'appended'));
    expect(names.filter((name) => name !== 'appended' && name !== 'StoreUnavailable')).toEqual([]);
    expect(names).toContain('StoreUnavailable');
    server = await startServer(dataFolder, port);
    await retried(() => store.append(streamName('after'), [event()], 'no-stream'));
  }, 60_000);

  it('says that a frozen server does not answer, and works again when it thaws', async () => {
    await store.ping();
    server.kill('SIGSTOP');
    const stream = streamName('frozen');
    const events = [event()];
    await expect(store.append(stream, events, 'no-stream')).rejects.toMatchObject({ name: 'StoreUnavailable' });
    await expect(store.ping()).rejects.toMatchObject({ name: 'StoreUnavailable' });
    server.kill('SIGCONT');
    await retried(() => store.append(stream, events, 'no-stream'));
    expect(await all(store.read(stream))).toMatchObject([{ id: events[0]?.id }]);
  }, 60_000);

  it('reads the whole record beside a subscription that stands still', async () => {
    const prefix = streamName('still');
    for (let n = 0; n < 20; n += 1) await store.append(`${prefix}-${n}`, Array.from({ length: 50 }, () => event({ filler: 'x'.repeat(1_000) })), 'no-stream');
    let release: () => void = () => undefined;
    let handled = 0;
    store.subscribe({
      name: 'still',
      prefixes: [prefix],
      batchMax: 10,
      handle: async (events) => {
        handled += events.length;
        await new Promise<void>((resolve) => (release = resolve));
      },
    });
    await until(() => handled > 0);
    expect(await all(store.readAll({ prefixes: [prefix] }))).toHaveLength(1_000);
    expect(handled).toBeLessThanOrEqual(10);
    release();
    const releasing = setInterval(() => release(), 0);
    await until(() => handled === 1_000);
    clearInterval(releasing);
    const last = setInterval(() => release(), 5);
    await store.close();
    clearInterval(last);
  }, 60_000);
});

const counting: Aggregate<number, { type: 'Counted'; data: { count: number } }> = {
  category: 'counter',
  initialState: 0,
  eventTypes: ['Counted'],
  evolve: (_, { data }) => data.count,
};

async function startServer(dataFolder: string, port: number): Promise<ChildProcess> {
  const child = spawn(process.execPath, [join(embedded, 'bin/sejam-eventstore.mjs'), '--data', dataFolder, '--port', String(port)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [said] = await Promise.race([once(createInterface(child.stdout), 'line'), once(child, 'exit')]);
  if (!String(said).startsWith('Listening')) throw new Error(`The server did not start: ${String(said)}`);
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, 'close');
  return port;
}

/** As transact does: the same append again while its outcome is unknown. */
async function retried<Result>(append: () => Promise<Result>): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await append();
    } catch (error) {
      if ((error as Error).name !== 'StoreUnavailable' || attempt > 50) throw error;
      await new Promise((resolve) => {
        setTimeout(resolve, 50);
      });
    }
  }
}
