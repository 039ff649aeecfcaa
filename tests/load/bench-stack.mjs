// What the load tests stand on: real services as processes on an embedded store and PostgreSQL, in a folder that is removed afterwards.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startEmbeddedPostgres } from '@sejam/postgres';

const root = join(import.meta.dirname, '../..');

export function print(figure) {
  const rounded = Object.fromEntries(Object.entries(figure).map(([name, value]) => [name, typeof value === 'number' ? Number(value.toPrecision(4)) : value]));
  process.stdout.write(`${JSON.stringify(rounded)}\n`);
}

/** Runs `work` for so many seconds, so many at a time. */
export async function timed(seconds, concurrency, work) {
  const end = performance.now() + seconds * 1_000;
  const startedAt = performance.now();
  let done = 0;
  const worker = async () => {
    while (performance.now() < end) {
      await work();
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return { perSecond: (done * 1_000) / (performance.now() - startedAt), done };
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
  const common = { ...process.env, NODE_ENV: 'production', LOG_LEVEL: 'warn', RATE_LIMIT_PER_KEY: '1000000', RATE_LIMIT_WEBHOOKS: '1000000' };
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
  await Promise.all(services.map(async (name) => {
    const child = start(`services/${name}/dist/main.js`, { ...parts, PORT: '0', INTERNAL_PORT: '0' });
    urls[name] = await new Promise((resolve, reject) => {
      child.once('exit', () => reject(new Error(`${name} ended before it listened`)));
      child.on('message', (message) => message.type === 'listening' && resolve(message.url));
    });
  }));
  const { keys, webhookSecrets } = JSON.parse(readFileSync(files.SEJAM_CREDENTIALS_FILE, 'utf8'));
  return {
    home, eventStoreUrl, urls, keys, webhookSecrets, databaseUrl: postgres.url, pids: Object.fromEntries(services.map((name, index) => [name, children[index + 2]?.pid])),
    async stop() {
      for (const child of [...children].reverse()) {
        if (child.exitCode !== null) continue;
        const exit = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGTERM');
        await Promise.race([exit, delay(10_000, undefined, { ref: false })]);
      }
      await postgres.stop();
      rmSync(home, { recursive: true, force: true });
    },
  };
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
