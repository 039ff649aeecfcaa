import { randomBytes, randomUUID } from 'node:crypto';
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL, fileURLToPath } from 'node:url';
import { EventStoreDBClient, ANY, NO_STREAM, START, END, excludeSystemEvents } from '@eventstore/db-client';
import { open } from 'lmdb';
import { event } from './append-load.mjs';

const BIN = fileURLToPath(new URL('../bin/sejam-eventstore.mjs', import.meta.url));
const LOAD = fileURLToPath(new URL('append-load.mjs', import.meta.url));
/** Linux counts processor time in these. */
const TICK_MICROSECONDS = 10_000;
const quantile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
const round = (value, digits = 2) => Number(value.toFixed(digits));

/** A server in a process of its own, as in life. */
export async function startServer(folder) {
  const child = spawn(process.execPath, [BIN, '--data', folder, '--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const url = await new Promise((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
      const found = /esdb:\/\/\S+tls=false/.exec(text);
      if (found) resolve(found[0]);
    });
    child.once('exit', (code) => reject(new Error(`The server ended with ${code}`)));
  });
  return {
    url,
    pid: child.pid,
    /** Resident bytes, where the system tells. */
    memory: () => {
      try {
        return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
      } catch {
        return 0;
      }
    },
    /** Processor time of all its threads so far, where the system tells. */
    cpuMicroseconds: () => {
      try {
        const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ');
        return (Number(fields[11]) + Number(fields[12])) * TICK_MICROSECONDS;
      } catch {
        return 0;
      }
    },
    stop: (signal = 'SIGTERM') =>
      new Promise((resolve) => {
        child.once('exit', resolve);
        child.kill(signal);
      }),
  };
}

/**
 * `concurrency` writers in all, shared by `clients` processes: the official client is busier than the server, so on two cores one
 * process of it measures itself. Processor time an event, which holds on a busy machine too, tells how much each side takes.
 */
async function appendLoad(server, { seconds, concurrency, clients = 1, batch = 1, binary = false }) {
  const load = JSON.stringify({ url: server.url, seconds, concurrency: concurrency / clients, batch, binary });
  const processes = Array.from({ length: clients }, () => fork(LOAD, [load]));
  const answers = (child) => Promise.race([once(child, 'message'), once(child, 'exit').then(() => Promise.reject(new Error('A client ended without an answer')))]);
  await Promise.all(processes.map(answers));
  const cpu = server.cpuMicroseconds();
  for (const child of processes) child.send('go');
  const results = await Promise.all(processes.map(async (child) => (await answers(child))[0]));
  const serverCpu = server.cpuMicroseconds() - cpu;
  const sum = (of) => results.reduce((total, result) => total + of(result), 0);
  const events = sum((result) => result.events);
  const latencies = results.flatMap((result) => result.latencies).sort((a, b) => a - b);
  return {
    eventsPerSecond: Math.round(sum((result) => result.events / result.seconds)),
    p50Ms: round(quantile(latencies, 0.5)),
    p99Ms: round(quantile(latencies, 0.99)),
    events,
    concurrency,
    clients,
    serverCpuMicroseconds: round(serverCpu / events, 1),
    clientCpuMicroseconds: round(sum((result) => result.cpuMicroseconds) / events, 1),
  };
}

/** What LMDB itself does on this disk: the same bytes, the same number of writers, each waiting until its put is flushed. */
async function lmdbCeiling(folder, { seconds, concurrency }) {
  const database = open({ path: join(folder, 'ceiling'), encoding: 'binary', keyEncoding: 'binary' });
  const value = randomBytes(700);
  const end = performance.now() + seconds * 1000;
  const start = performance.now();
  let puts = 0;
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (performance.now() < end) {
        const key = Buffer.alloc(8);
        key.writeBigUInt64BE(BigInt(puts++));
        void database.put(key, value);
        await database.flushed;
      }
    }),
  );
  const rate = puts / ((performance.now() - start) / 1000);
  await database.close();
  return Math.round(rate);
}

/** Appends as fast as the server takes them until it holds `count` events. */
async function fill(client, count) {
  let left = count;
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      while (left > 0) {
        const size = Math.min(left, 500);
        left -= size;
        await client.appendToStream(`filled-${randomUUID()}`, Array.from({ length: size }, (_, index) => event(index)), { expectedRevision: ANY });
      }
    }),
  );
}

async function readEverything(client, maxCount) {
  const start = performance.now();
  let events = 0;
  for await (const resolved of client.readAll({ fromPosition: START, maxCount })) if (resolved) events += 1;
  return Math.round(events / ((performance.now() - start) / 1000));
}

/** How long after its append began an event reaches a live subscriber, at a steady rate. */
async function liveDelay(client, { seconds, perSecond }) {
  const delays = [];
  const subscription = client.subscribeToAll({ fromPosition: END, filter: excludeSystemEvents() });
  const confirmed = new Promise((resolve) => subscription.once('confirmation', resolve));
  subscription.on('data', ({ event: received }) => delays.push(performance.now() - sent[received.data.number]));
  await confirmed;
  const sent = [];
  const start = performance.now();
  const pending = [];
  const total = seconds * perSecond;
  while (sent.length < total) {
    const due = Math.min(total, Math.floor(((performance.now() - start) / 1000) * perSecond));
    while (sent.length < due) {
      sent.push(performance.now());
      pending.push(client.appendToStream(`live-${randomUUID()}`, event(sent.length - 1), { expectedRevision: NO_STREAM }));
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(pending);
  for (let waits = 0; delays.length < total && waits < 200; waits += 1) await new Promise((resolve) => setTimeout(resolve, 10));
  await subscription.unsubscribe();
  delays.sort((a, b) => a - b);
  return { received: delays.length, sent: total, p50Ms: round(quantile(delays, 0.5)), p99Ms: round(quantile(delays, 0.99)) };
}

/**
 * Measures a server in a process of its own with the official client, and calls `emit` with one result after the other:
 * `{bench, …figures, target}`. `events` is the size that the cost of an append is compared at; the default takes about two minutes.
 */
export async function run({ emit, seconds = 5, events = 1_000_000 } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'sejam-eventstore-bench-'));
  const say = (bench, figures, target) => emit({ bench: `eventstore.${bench}`, ...figures, target });
  let server = await startServer(join(folder, 'data'));
  let client = EventStoreDBClient.connectionString(server.url);
  try {
    say('append.1', await appendLoad(server, { seconds, concurrency: 1 }), 'p50 ≤ 1.5 ms');
    const small = await appendLoad(server, { seconds, concurrency: 64, clients: 2 });
    const ceiling = await lmdbCeiling(folder, { seconds: Math.min(seconds, 3), concurrency: 64 });
    say('append.64', { ...small, lmdbPutsPerSecond: ceiling, ratioToLmdb: round(small.eventsPerSecond / ceiling, 3) }, '≥ 10000/s');
    say('append.64.oneClient', await appendLoad(server, { seconds, concurrency: 64 }), '≥ 10000/s');
    say('append.batch100', await appendLoad(server, { seconds, concurrency: 8, clients: 2, batch: 100 }), '≥ 60000 events/s');
    say('append.batch100.binary', await appendLoad(server, { seconds, concurrency: 8, clients: 2, batch: 100, binary: true }), '≥ 60000 events/s');
    say('subscribe.delay', await liveDelay(client, { seconds, perSecond: 2000 }), 'p99 ≤ 20 ms');
    await fill(client, events);
    say('readAll', { eventsPerSecond: await readEverything(client, Math.min(events, 500_000)) }, '≥ 50000 events/s');
    const before = server.memory();
    let highest = before;
    const watch = setInterval(() => (highest = Math.max(highest, server.memory())), 50);
    const catchUp = await readEverything(client, events);
    clearInterval(watch);
    say('catchUp', { events, eventsPerSecond: catchUp, grownMegabytes: Math.round((highest - before) / 1e6) }, 'flat');
    const large = await appendLoad(server, { seconds, concurrency: 64, clients: 2 });
    say('append.64.large', { ...large, atEvents: events, costRatio: round(large.serverCpuMicroseconds / small.serverCpuMicroseconds, 3), rateRatio: round(small.eventsPerSecond / large.eventsPerSecond, 3) }, 'costRatio ≤ 1.2');
    await client.dispose();
    await server.stop('SIGKILL');
    const began = performance.now();
    server = await startServer(join(folder, 'data'));
    say('start.afterCrash', { seconds: round((performance.now() - began) / 1000), atEvents: events }, '< 3 s');
    client = EventStoreDBClient.connectionString(server.url);
  } finally {
    await client.dispose();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await run({
    emit: (result) => process.stdout.write(`${JSON.stringify(result)}\n`),
    seconds: Number(process.env.BENCH_SECONDS ?? 5),
    events: Number(process.env.BENCH_EVENTS ?? 1_000_000),
  });
}
