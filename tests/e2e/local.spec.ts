// `npm start` as a black box: what an operator sees of it, and what becomes of it when processes are killed.
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { eventually } from '@sejam/testkit';
import { LocalStart as Start, patience } from '../stack/local-start.js';

jest.setTimeout(120_000);


const folders: string[] = [];
const starts: Start[] = [];

function freshFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sejam-local-'));
  chmodSync(folder, 0o755);
  folders.push(folder);
  return join(folder, 'home');
}

function start(home: string, env: Record<string, string> = {}): Start {
  const one = new Start(home, env);
  starts.push(one);
  return one;
}

/** A start that cannot succeed says so in one sentence, without a stack, and leaves nothing behind. */
async function refusal(home: string, env: Record<string, string> = {}): Promise<string> {
  const one = start(home, env);
  expect(await one.ended).toBe(1);
  expect(one.output).not.toMatch(/^\s+at /m);
  expect(existsSync(join(home, 'running.json'))).toBe(false);
  return one.output.trimEnd().split('\n').at(-1) ?? '';
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^\S+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** Every process that was given this data folder, whoever remembers it. */
function processesOf(home: string): number[] {
  return readdirSync('/proc').map(Number).filter((pid) => {
    if (!Number.isInteger(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`SEJAM_HOME=${home}\0`) && isAlive(pid);
    } catch {
      return false;
    }
  });
}

afterAll(async () => {
  for (const one of starts) if (one.process.exitCode === null && one.process.signalCode === null) await one.stop();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

describe('npm start', () => {
  const home = freshFolder();
  let sejam: Start;
  beforeAll(async () => {
    sejam = await start(home).ready();
  });

  it('brings up everything behind one address and says what it does meanwhile', async () => {
    expect(sejam.output).toMatch(/the event store is ready/);
    expect(sejam.output).toMatch(/PostgreSQL is ready/);
    expect(sejam.output).toMatch(/everything is ready/);
    const ready = await fetch(`${sejam.url}/health/ready`);
    expect(ready.status).toBe(200);
    expect(await ready.json()).toMatchObject({ record: { id: sejam.credentials.recordId, speed: 1 }, parts: { intake: { status: expect.stringMatching(/ready|degraded/) } } });
    expect((await fetch(sejam.url)).status).toBe(200);
    expect((await sejam.submit('ONE')).status).toBe(201);
  });

  it('writes the keys of every party where only their owner reads them', () => {
    const { keys, webhookSecrets, baseUrl } = sejam.credentials;
    expect(statSync(join(home, 'credentials.json')).mode & 0o777).toBe(0o600);
    expect(statSync(join(home, 'master.key')).mode & 0o777).toBe(0o600);
    expect(Object.keys(keys).sort()).toEqual(['auditor', 'bawaslu', 'bawasluReviewer', 'consumer', 'google', 'kominfo', 'kominfoReviewer', 'kpu', 'kpuReviewer', 'line', 'meta', 'operator', 'partner', 'snackvideo', 'telegram', 'tiktok']);
    expect(keys['bawasluReviewer']).toMatch(/^sjm_bawaslu-reviewer_[\w-]{43}$/);
    expect(Object.keys(webhookSecrets).sort()).toEqual(['google', 'line', 'meta', 'snackvideo', 'telegram', 'tiktok']);
    for (const { orders, answers } of Object.values(webhookSecrets)) for (const secret of [orders, answers]) expect(secret).toMatch(/^whsec_/);
    expect(baseUrl).toBe(sejam.running.url);
    expect(sejam.output).not.toMatch(/sjm_[a-z]|whsec_/);
  });

  it('refuses a second one on the same folder, and the first goes on', async () => {
    const second = start(home);
    expect(await second.ended).toBe(1);
    expect(second.output.trimEnd().split('\n').at(-1)).toMatch(/^Another Sejam \(process \d+\) runs on .*: stop it first, or give this one a folder of its own in SEJAM_HOME\.$/);
    expect((await sejam.submit('ONE')).status).toBe(200);
  });

  it.each(['intake', 'event-store', 'postgres', 'gateway'])('starts %s again when it is killed', async (name) => {
    const before = sejam.pidOf(name);
    process.kill(before, 'SIGKILL');
    await eventually(() => expect(sejam.pidOf(name)).not.toBe(before), patience);
    await eventually(async () => expect((await fetch(`${sejam.url}/health/ready`)).status).toBe(200), patience);
    await eventually(async () => expect((await sejam.submit(`after-${name}`)).ok).toBe(true), patience);
    expect((await sejam.submit('ONE')).status).toBe(200);
  });

  it('ends on Ctrl-C with everything it started, and exit code 0', async () => {
    const pids = Object.values(sejam.running.processes).map(({ pid }) => pid);
    expect(await sejam.stop()).toBe(0);
    expect(pids.filter(isAlive)).toEqual([]);
    expect(processesOf(home)).toEqual([]);
    expect(existsSync(join(home, 'running.json'))).toBe(false);
    expect(sejam.output).toMatch(/Sejam has ended\n$/);
  });

  it('goes on where it was at the next start, with the same keys', async () => {
    const { keys } = sejam.credentials;
    sejam = await start(home).ready();
    expect(sejam.credentials.keys).toEqual(keys);
    expect((await sejam.submit('ONE')).status).toBe(200);
  });

  it('leaves no child behind when it is killed itself, and the next start goes on', async () => {
    const { processes, supervisor } = sejam.running;
    process.kill(supervisor.pid, 'SIGKILL');
    await sejam.ended;
    await eventually(() => expect(Object.values(processes).map(({ pid }) => pid).filter(isAlive)).toEqual([]), patience);
    sejam = await start(home).ready();
    expect((await sejam.submit('ONE')).status).toBe(200);
  });

  it('goes on after kill -9 of everything at once', async () => {
    const { processes, supervisor } = sejam.running;
    for (const pid of [supervisor.pid, ...Object.values(processes).map((one) => one.pid)]) process.kill(pid, 'SIGKILL');
    await sejam.ended;
    sejam = await start(home).ready();
    expect((await sejam.submit('ONE')).status).toBe(200);
  });

  it('without its credentials file makes no new one, says how to get keys, and serves those who have theirs', async () => {
    const { keys } = sejam.credentials;
    await sejam.stop();
    const file = join(home, 'credentials.json');
    renameSync(file, `${file}.away`);
    sejam = await start(home).ready();
    expect(sejam.output).toContain('npx sejam-keys rotate <organisation>');
    expect(existsSync(file)).toBe(false);
    expect((await fetch(`${sejam.url}/v1/reports`, { headers: { authorization: `Bearer ${keys['bawaslu']}` } })).status).toBe(200);
    await sejam.stop();
    renameSync(`${file}.away`, file);
  });

  describe('says in one sentence', () => {
    it('that another program has the port', async () => {
      const other = createServer().listen(0, '127.0.0.1');
      await once(other, 'listening');
      const { port } = other.address() as AddressInfo;
      expect(await refusal(home, { SEJAM_PORT: String(port) })).toBe(`Port ${port} is in use by another program: end it, or choose another port, such as SEJAM_PORT=${port + 1} npm start.`);
      other.close();
    });

    it('that the master key is lost', async () => {
      const file = join(home, 'master.key');
      renameSync(file, `${file}.away`);
      expect(await refusal(home)).toMatch(/^The master key file .*master\.key is missing: put it back from your backup/);
      expect(existsSync(file)).toBe(false);
      renameSync(`${file}.away`, file);
    });

    it('that the credentials file is of another record', async () => {
      const file = join(home, 'credentials.json');
      const text = readFileSync(file, 'utf8');
      writeFileSync(file, text.replace(/"recordId": "[^"]+"/, '"recordId": "another"'));
      expect(await refusal(home)).toMatch(/^The credentials file .* belongs to record another, but this record is /);
      writeFileSync(file, text);
    });

    it('that the record runs at another speed', async () => {
      expect(await refusal(home, { SEJAM_SPEED: '60' })).toMatch(/^This record runs at speed 1, not 60: /);
    });

    it('that the data folder is broken', async () => {
      const version = join(home, 'postgres', 'PG_VERSION');
      const text = readFileSync(version, 'utf8');
      writeFileSync(version, '9.6\n');
      expect(await refusal(home)).toMatch(/^PostgreSQL did not start: .*version/);
      writeFileSync(version, text);
    });

    it('that there is a file in the place of the folder', async () => {
      const path = join(freshFolder(), '..', 'file');
      writeFileSync(path, '');
      const one = start(path);
      expect(await one.ended).toBe(1);
      expect(one.output.trimEnd().split('\n').at(-1)).toMatch(/^Sejam needs a folder at .*file, but there is a file: /);
    });

    it('every fault of the environment', async () => {
      const one = start(freshFolder(), { SEJAM_PORT: 'x', SEJAM_SPEED: '-1' });
      expect(await one.ended).toBe(1);
      expect(one.output).toMatch(/SEJAM_PORT must be a whole number[^]*SEJAM_SPEED must be a number above 0/);
    });
  });

  it('can be ended while it starts', async () => {
    const one = start(home);
    await eventually(() => expect(one.output).toContain('is ready'), patience);
    expect(await one.stop()).toBe(0);
    expect(existsSync(join(home, 'running.json'))).toBe(false);
    expect(processesOf(home)).toEqual([]);
  });
});
