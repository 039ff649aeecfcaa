import { randomBytes, randomUUID } from 'node:crypto';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL, fileURLToPath } from 'node:url';
import { EventStoreDBClient, ANY, NO_STREAM, START, END, jsonEvent, excludeSystemEvents } from '@eventstore/db-client';
import { open } from 'lmdb';

const BIN = fileURLToPath(new URL('../bin/sejam-eventstore.mjs', import.meta.url));
const FILLER = randomBytes(340).toString('base64');

/** About 500 bytes of JSON with a number in it. */
const event = (number) => jsonEvent({ id: randomUUID(), type: 'Measured', data: { number, at: Date.now(), filler: FILLER } });
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
    stop: (signal = 'SIGTERM') =>
      new Promise((resolve) => {
        child.once('exit', resolve);
        child.kill(signal);
      }),
  };
}

/** `concurrency` writers, each waiting for its append before the next, for `seconds`. */
async function appendLoad(client, { seconds, concurrency, batch = 1, stream }) {
  const latencies = [];
  const end = performance.now() + seconds * 1000;
  const start = performance.now();
  let events = 0;
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (performance.now() < end) {
        const began = performance.now();
        await client.appendToStream(stream(), Array.from({ length: batch }, () => event(events)), { expectedRevision: batch === 1 ? NO_STREAM : ANY });
        latencies.push(performance.now() - began);
        events += batch;
      }
    }),
  );
  latencies.sort((a, b) => a - b);
  const took = (performance.now() - start) / 1000;
  return { eventsPerSecond: Math.round(events / took), p50Ms: round(quantile(latencies, 0.5)), p99Ms: round(quantile(latencies, 0.99)), events };
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
    const single = () => `single-${randomUUID()}`;
    await appendLoad(client, { seconds: 1, concurrency: 16, stream: single });
    const one = await appendLoad(client, { seconds, concurrency: 1, stream: single });
    say('append.1', one, 'p50 ≤ 1.5 ms');
    const small = await appendLoad(client, { seconds, concurrency: 64, stream: single });
    const ceiling = await lmdbCeiling(folder, { seconds: Math.min(seconds, 3), concurrency: 64 });
    say('append.64', { ...small, lmdbPutsPerSecond: ceiling, ratioToLmdb: round(small.eventsPerSecond / ceiling, 3) }, '≥ 10000/s');
    say('append.batch100', await appendLoad(client, { seconds, concurrency: 8, batch: 100, stream: () => `batch-${randomUUID()}` }), '≥ 60000 events/s');
    say('subscribe.delay', await liveDelay(client, { seconds, perSecond: 2000 }), 'p99 ≤ 20 ms');
    await fill(client, events);
    say('readAll', { eventsPerSecond: await readEverything(client, Math.min(events, 500_000)) }, '≥ 50000 events/s');
    const before = server.memory();
    let highest = before;
    const watch = setInterval(() => (highest = Math.max(highest, server.memory())), 50);
    const catchUp = await readEverything(client, events);
    clearInterval(watch);
    say('catchUp', { events, eventsPerSecond: catchUp, grownMegabytes: Math.round((highest - before) / 1e6) }, 'flat');
    const large = await appendLoad(client, { seconds, concurrency: 64, stream: single });
    say('append.64.large', { ...large, atEvents: events, costRatio: round(small.eventsPerSecond / large.eventsPerSecond, 3) }, 'ratio ≤ 1.2');
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
