// What the load tests stand on: real services as processes on an embedded store and PostgreSQL, in a folder that is removed afterwards.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startEmbeddedPostgres } from '@sejam/postgres';

const root = join(import.meta.dirname, '../..');

export function print(figure) {
  const rounded = Object.fromEntries(Object.entries(figure).map(([name, value]) => [name, typeof value === 'number' ? Number(value.toPrecision(4)) : value]));
  process.stdout.write(`${JSON.stringify(rounded)}\n`);
}

/** Runs `work` for so many seconds, so many at a time, each doing `items`; `cpuMsEach` is what one item took of the processors, in all processes together. */
export async function timed(seconds, concurrency, work, items = 1) {
  const end = performance.now() + seconds * 1_000;
  const startedAt = performance.now();
  const cpuAtStart = cpuMs();
  const partsAtStart = cpuMsOfParts();
  let done = 0;
  const worker = async () => {
    while (performance.now() < end) {
      await work();
      done += items;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return { perSecond: (done * 1_000) / (performance.now() - startedAt), cpuMsEach: (cpuMs() - cpuAtStart) / done, cpuMsByPart: cpuMsEachSince(partsAtStart, done) };
}

/** Begins `work` so many times a second, however long each takes, for so many seconds or as long as `more` says; resolves when all are done. */
export async function atRate(perSecond, seconds, work, more = () => true) {
  const startedAt = performance.now();
  const elapsed = () => performance.now() - startedAt;
  const underway = new Set();
  let failed;
  for (let begun = 0; elapsed() < seconds * 1_000 && more(); ) {
    for (; begun * 1_000 <= elapsed() * perSecond && more(); begun += 1) {
      const one = work().catch((error) => (failed ??= error)).finally(() => underway.delete(one));
      underway.add(one);
    }
    await delay(1);
  }
  await Promise.all(underway);
  if (failed !== undefined) throw failed;
}

/**
 * Processor time in milliseconds that this process and all that descend from it have used: what a piece of work costs, also on a machine that
 * does other things meanwhile. NaN where the system does not tell.
 */
export function cpuMs() {
  return existsSync('/proc/self/stat') ? Object.values(cpuMsOfParts()).reduce((sum, ms) => sum + ms, 0) : Number.NaN;
}

/** The same by part: each service, the store, PostgreSQL, Kafka, and the bench with what it plays. Empty where the system does not tell. */
export function cpuMsOfParts() {
  if (!existsSync('/proc/self/stat')) return {};
  const processes = new Map(readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ');
      return [[Number(pid), { parent: Number(fields[1]), ms: (Number(fields[11]) + Number(fields[12])) * 10, part: partOf(readFileSync(`/proc/${pid}/cmdline`, 'utf8')) }]];
    } catch {
      return []; // it has just ended
    }
  }));
  const isOurs = (pid) => pid === process.pid || (processes.has(pid) && isOurs(processes.get(pid).parent));
  const parts = {};
  for (const [pid, { ms, part }] of processes) if (isOurs(pid)) parts[part] = (parts[part] ?? 0) + ms;
  return parts;
}

function partOf(commandLine) {
  const service = /services\/(\w+)\/dist\/main\.js/.exec(commandLine)?.[1];
  if (service !== undefined) return service;
  if (commandLine.includes('sejam-eventstore')) return 'store';
  if (commandLine.includes('kafka.Kafka')) return 'kafka';
  return /postgres/.test(commandLine.split('\0', 1)[0]) ? 'postgres' : 'bench';
}

/** What one of `count` took in each part since `before`. */
export function cpuMsEachSince(before, count) {
  return Object.fromEntries(Object.entries(cpuMsOfParts()).map(([part, ms]) => [part, Number(((ms - (before[part] ?? 0)) / count).toPrecision(3))]));
}

export function percentiles(milliseconds) {
  const sorted = [...milliseconds].sort((one, other) => one - other);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { count: sorted.length, p50Ms: at(0.5), p90Ms: at(0.9), p99Ms: at(0.99), maxMs: sorted.at(-1) ?? Number.NaN };
}

let counter = 0;
const run = Date.now().toString(36);

/** A report like those of the day: one content, a page of text. */
export function report() {
  counter += 1;
  const id = String(7_000_000_000_000_000_000n + BigInt(Date.now()) * 100_000n + BigInt(counter));
  return {
    reference: `B-${run}-${process.pid}-${counter}`, category: 'hate_speech', contentForm: 'video', language: 'id', region: '32.73', legalBasis: ['UU-ITE:28-2'],
    summary: 'Ujaran yang menyerang suatu golongan menjelang pemungutan suara, dibagikan lewat akun anonim',
    contents: [{ url: `https://www.tiktok.com/@akun/video/${id}?_r=1` }],
  };
}

/** Starts the store, PostgreSQL, the first start's files and the services named; `kafka` takes brokers in place of the log bus. */
export async function benchStack({ services, kafka, speed = 1, env = {} }) {
  const home = mkdtempSync(join(tmpdir(), 'sejam-bench-'));
  const children = [];
  const common = { ...process.env, NODE_ENV: 'production', LOG_LEVEL: 'error', RATE_LIMIT_PER_KEY: '1000000', RATE_LIMIT_WEBHOOKS: '1000000' };
  const start = (path, extra, ipc = true) => {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', '--disable-warning=TimeoutNegativeWarning', join(root, path)], {
      env: { ...common, ...extra }, stdio: ['ignore', 'inherit', 'inherit', ...(ipc ? ['ipc'] : [])],
    });
    children.push(child);
    return child;
  };
  const postgres = await startEmbeddedPostgres({ dataFolder: join(home, 'postgres') });
  const port = await freePort();
  const store = spawn(process.execPath, [join(root, 'node_modules/.bin/sejam-eventstore'), '--port', String(port), '--data', join(home, 'record')], { stdio: ['ignore', 'ignore', 'inherit'] });
  children.push(store);
  const eventStoreUrl = `esdb://127.0.0.1:${port}?tls=false`;
  const files = { SEJAM_MASTER_KEY_FILE: join(home, 'master.key'), SEJAM_CREDENTIALS_FILE: join(home, 'credentials.json') };
  const parts = { EVENTSTORE_URL: eventStoreUrl, DATABASE_URL: postgres.url, KAFKA_BROKERS: kafka ?? '', ...files, SEJAM_SPEED: String(speed), ...env };
  await exited(start('deploy/local/dist/bootstrap.js', { ...parts, SEJAM_BASE_URL: 'http://127.0.0.1' }, false));
  const urls = {};
  const running = {};
  /** Starts a service, again after `end`; resolves when it listens. */
  const startService = async (name) => {
    const child = start(`services/${name}/dist/main.js`, { ...parts, PORT: '0', INTERNAL_PORT: '0' });
    running[name] = child;
    urls[name] = await new Promise((resolve, reject) => {
      child.once('exit', () => reject(new Error(`${name} ended before it listened`)));
      child.on('message', (message) => message.type === 'listening' && resolve(message.url));
    });
  };
  await Promise.all(services.map(startService));
  const { keys, webhookSecrets } = JSON.parse(readFileSync(files.SEJAM_CREDENTIALS_FILE, 'utf8'));
  return {
    home, eventStoreUrl, urls, keys, webhookSecrets, databaseUrl: postgres.url,
    start: startService,
    end: (name) => ended(running[name]),
    /** Resident memory of a service in MiB; undefined where the system does not tell. */
    memoryMiB(name) {
      const kib = /^VmRSS:\s+(\d+)/m.exec(existsSync('/proc/self/status') ? readFileSync(`/proc/${running[name].pid}/status`, 'utf8') : '')?.[1];
      return kib === undefined ? undefined : Number(kib) / 1024;
    },
    async stop() {
      for (const child of [...children].reverse()) await ended(child);
      await postgres.stop();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

async function ended(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await Promise.race([exit, delay(10_000, undefined, { ref: false })]);
}

async function exited(child) {
  const code = child.exitCode ?? (await new Promise((resolve) => child.once('exit', resolve)));
  if (code !== 0) throw new Error(`The first start failed with ${code}`);
}

async function freePort() {
  const { createServer } = await import('node:net');
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}
