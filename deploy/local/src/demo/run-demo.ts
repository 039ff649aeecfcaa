import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';
import { accountFor } from './account-for.js';
import { electionDay, type Figures } from './election-day.js';
import { playDay } from './play-day.js';
import { SejamApi } from './sejam-api.js';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../../..');
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const usage = `npm run demo -- [options]
  --speed <n>      domain seconds per second, 60 without it; at least 30
  --reports <n>    reports on the day; the published 397 without it
  --minutes <n>    domain minutes in which reports come in; 200 without it
  --seed <n>       another day; 20241127 without it
  --url <base>     a Sejam that runs already, of speed 30 or more, with --credentials <file>`;

class DemoFault extends Error {}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { speed: { type: 'string' }, reports: { type: 'string' }, minutes: { type: 'string' }, seed: { type: 'string' }, url: { type: 'string' }, credentials: { type: 'string' }, help: { type: 'boolean' } },
  });
  if (values.help) {
    say(usage);
    return 0;
  }
  const number = (name: 'speed' | 'reports' | 'minutes' | 'seed', fallback: number, min: number): number => {
    const value = values[name] === undefined ? fallback : Number(values[name]);
    if (!Number.isFinite(value) || value < min) throw new DemoFault(`--${name} must be a number of at least ${min}\n${usage}`);
    return value;
  };
  const figures = JSON.parse(readFileSync(join(root, 'deploy/local/data/pilkada-2024.json'), 'utf8')) as Figures;
  const wanted = { speed: number('speed', 60, 30), reports: number('reports', figures.pilkada2024_bawaslu.reports, 1), minutes: number('minutes', 200, 1), seed: number('seed', 20241127, 0) };
  const stack = values.url === undefined ? await ownStack(wanted.speed) : running(values.url, values.credentials);
  try {
    const { baseUrl, keys } = JSON.parse(readFileSync(stack.credentialsFile, 'utf8')) as { baseUrl: string; keys: Record<string, string> };
    const api = new SejamApi(stack.url ?? baseUrl, keys);
    const speed = await speedOf(stack.url ?? baseUrl);
    if (speed < 30) throw new DemoFault(`This Sejam runs at speed ${speed}: a day would take ${Math.round(7 / speed)} hours. The demo needs a speed of 30 or more.`);
    // LINE takes part without an endpoint: its messages wait in the feed, and it fetches them.
    await api.delete('/v1/platforms/line/endpoint', 'operator');

    const steps = electionDay(figures, wanted);
    say(`\nElection day, 27 November 2024, at ${speed} domain seconds per second: ${wanted.reports} reports within ${wanted.minutes} minutes.\n`);
    const day = await playDay({ api, steps, speed, afterMinutes: 75, progress: say });
    const accounts = await accountFor(api, day.accepted);
    say('\nWhat the platforms did within the hour');
    say(await complianceTable(api));
    say(`\n${accounts.reports} accepted reports, ${day.unroutable} unroutable. Their contents: ${Object.entries(accounts.contents).map(([what, n]) => `${n} ${what}`).join(', ')}.`);
    const faults = [...day.surprises, ...accounts.unaccounted];
    for (const fault of faults.slice(0, 20)) say(`  ! ${fault}`);
    const verified = verify(stack.url ?? baseUrl, keys['auditor'] ?? '');
    say(faults.length === 0 ? 'Every accepted report is accounted for.' : `${faults.length} things are not as they should be.`);
    return faults.length === 0 && verified ? 0 : 1;
  } finally {
    await stack.stop();
  }
}

interface Stack {
  readonly url?: string;
  readonly credentialsFile: string;
  stop(): Promise<void>;
}

function running(url: string, credentials: string | undefined): Stack {
  const credentialsFile = credentials ?? join(root, '.sejam/credentials.json');
  if (!existsSync(credentialsFile)) throw new DemoFault(`There is no credentials file ${credentialsFile}: name it with --credentials`);
  return { url: url.replace(/\/+$/, ''), credentialsFile, stop: () => Promise.resolve() };
}

/** Everything as `npm start` runs it, in an emptied folder of its own, on a free port. */
async function ownStack(speed: number): Promise<Stack> {
  const home = join(root, '.sejam-demo');
  rmSync(home, { recursive: true, force: true });
  const port = await freePort();
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', join(root, 'deploy/local/dist/main.js')], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: {
      ...process.env, SEJAM_HOME: home, SEJAM_PORT: String(port), SEJAM_SPEED: String(speed), SEJAM_ORIGIN: '2024-11-27T00:00:00.000Z',
      RATE_LIMIT_PER_KEY: '2000', RATE_LIMIT_WEBHOOKS: '2000', SEJAM_SANDBOX: 'on', SEJAM_SANDBOX_SCRIPT: join(root, 'services/sandbox/scripts/election-day.json'),
    },
  });
  const stop = () => ended(child);
  // The first Ctrl-C ends the day and the stack with it.
  process.once('SIGINT', () => void stop().then(() => process.exit(130)));
  try {
    const url = `http://127.0.0.1:${port}`;
    for (let waitedMs = 0; waitedMs < 120_000; waitedMs += 250) {
      if (child.exitCode !== null) throw new DemoFault('The stack ended before it was ready; see above.');
      const response = await fetch(`${url}/health/ready`).catch(() => undefined);
      await response?.body?.cancel();
      if (response?.ok === true) return { url, credentialsFile: join(home, 'credentials.json'), stop };
      await delay(250);
    }
    throw new DemoFault('The stack was not ready within two minutes.');
  } catch (error) {
    await stop();
    throw error;
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await Promise.race([exit, delay(30_000, undefined, { ref: false }).then(() => child.kill('SIGKILL'))]);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

async function speedOf(url: string): Promise<number> {
  const response = await fetch(`${url}/health/ready`);
  const { record } = (await response.json()) as { record?: { speed: number } };
  return record?.speed ?? 1;
}

interface Group {
  readonly group: string;
  readonly [figure: string]: unknown;
}

async function complianceTable(api: SejamApi): Promise<string> {
  const { status, body } = await api.get<{ groups: Group[] }>('/v1/statistics/compliance?from=2024-11-26T00:00:00Z&to=2024-11-29T00:00:00Z&groupBy=platform', 'auditor');
  if (status !== 200) throw new DemoFault(`The statistics answered ${status}: ${JSON.stringify(body)}`);
  const columns = ['issued', 'actioned', 'refused', 'objected', 'withdrawn', 'missed', 'deemed', 'withinTerms', 'within60MinOfDelivery', 'medianSeconds', 'p90Seconds'] as const;
  const heads = ['issued', 'actioned', 'refused', 'objected', 'withdrawn', 'missed', 'deemed', 'in terms', 'in 60 min', 'median s', 'p90 s'];
  const rows = body.groups.map((group) => [group.group, ...columns.map((column) => shown(group[column]))]);
  const table = [['platform', ...heads], ...rows];
  const widths = table[0]?.map((_, index) => Math.max(...table.map((row) => (row[index] ?? '').length))) ?? [];
  return table.map((row) => `  ${row.map((cell, index) => (index === 0 ? cell.padEnd(widths[index] ?? 0) : cell.padStart(widths[index] ?? 0))).join('  ')}`).join('\n');
}

function shown(value: unknown): string {
  if (typeof value === 'number') return String(Math.round(value));
  if (typeof value === 'object' && value !== null) return String(Object.values(value).reduce<number>((sum, part) => sum + (typeof part === 'number' ? part : 0), 0));
  return '–';
}

/** An auditor's own check, with the command line that auditors have. */
function verify(url: string, key: string): boolean {
  const cli = join(root, 'services/audit/bin/sejam-audit.mjs');
  const folder = mkdtempSync(join(tmpdir(), 'sejam-demo-bundle-'));
  try {
    for (const [what, args] of [['export', ['export', '--url', url, '--key', key, '--out', folder]], ['verify', ['verify', folder]], ['recompute', ['recompute', folder]]] as const) {
      say(`\nsejam-audit ${what}`);
      const { status } = spawnSync(process.execPath, [cli, ...args], { stdio: ['ignore', 'inherit', 'inherit'] });
      if (status !== 0) return false;
    }
    return true;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof DemoFault)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
