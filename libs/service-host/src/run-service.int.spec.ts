import { execFile, fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '@sejam/testkit';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** As a service's main.ts, with the built library: what is tested here is a process, and processes run what was built. */
const main = `
import { hostSettings, readConfig, runService, StartFault, startThread } from ${JSON.stringify(pathToFileURL(join(root, 'libs/service-host/dist/index.js')).href)};
import { Controller, Get, Module } from '${pathToFileURL(join(root, 'node_modules/@nestjs/common/index.js')).href}';
class Slow { async get() { console.log('in flight'); await new Promise((r) => setTimeout(r, 400)); return { done: true }; } }
Controller()(Slow); Get('/v1/slow')(Slow.prototype, 'get', Object.getOwnPropertyDescriptor(Slow.prototype, 'get'));
class Main {} ; Module({ controllers: [Slow] })(Main);
await runService('things', async (context) => {
  const { env, onClose, closing } = context;
  const config = readConfig(hostSettings(), env);
  if (env.FAULT) throw new StartFault(env.FAULT);
  if (env.DEFECT) setTimeout(() => Promise.reject(new Error('nobody waits')), 50);
  onClose(() => console.log('closed first'));
  if (env.THREAD) {
    const { offered, stop } = startThread(new URL('./thread.mjs', import.meta.url), context);
    onClose(async () => { await stop(); await offered.twice(1).catch((error) => console.log('after its end: ' + error.message)); });
    console.log('twice 21 is ' + await offered.twice(21));
    await offered.refuse().catch((error) => console.log('refused: ' + error.message));
  }
  onClose(() => console.log('closing ' + closing.aborted));
  return { config, module: Main, access: [{ method: 'GET', path: '/v1/slow', roles: 'public' }], readiness: {} };
});
`;

const thread = `
import { runThread, StartFault } from ${JSON.stringify(pathToFileURL(join(root, 'libs/service-host/dist/index.js')).href)};
await runThread('things', async ({ env, onClose }) => {
  if (env.THREAD === 'fault') throw new StartFault('Half of it belongs to another record');
  if (env.THREAD === 'defect') setTimeout(() => Promise.reject(new Error('nobody waits in the thread')), 50);
  onClose(() => console.log('thread closed first'));
  onClose(() => console.log('closing thread'));
  return { twice: async (number) => 2 * number, refuse: async () => { throw new Error('not this'); } };
});
`;

describe('a service process', () => {
  let folder: string;
  let script: string;
  const children: ChildProcess[] = [];
  beforeAll(async () => {
    await promisify(execFile)(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b', join(root, 'libs/service-host')]);
    folder = mkdtempSync(join(tmpdir(), 'sejam-host-'));
    script = join(folder, 'main.mjs');
    writeFileSync(script, main);
    writeFileSync(join(folder, 'thread.mjs'), thread);
  }, 120_000);
  afterEach(() => children.splice(0).forEach((child) => child.kill('SIGKILL')));
  afterAll(() => rmSync(folder, { recursive: true }));

  const watch = (child: ChildProcess) => {
    children.push(child);
    const output = { text: '' };
    child.stdout?.on('data', (chunk) => (output.text += String(chunk)));
    child.stderr?.on('data', (chunk) => (output.text += String(chunk)));
    const url = () => eventually(() => /"url":"(http[^"]+)"/.exec(output.text)?.[1] ?? false) as Promise<string>;
    const exited = once(child, 'exit').then(([code, signal]) => ({ code: code as number | null, signal: signal as string | null }));
    return { child, output, url, exited };
  };
  const start = (env: Record<string, string>) => watch(spawn(process.execPath, [script], { env: { PATH: process.env['PATH'], PORT: '0', ...env }, stdio: 'pipe' }));

  it.each(['SIGTERM', 'SIGINT'] as const)('ends by %s with code 0, after the requests in flight, even when the signal comes twice', async (signal) => {
    const { child, output, url, exited } = start({});
    const answer = fetch(`${await url()}/v1/slow`).then((response) => response.json());
    await eventually(() => expect(output.text).toContain('in flight'));
    child.kill(signal);
    child.kill(signal);
    expect(await answer).toEqual({ done: true });
    expect(await exited).toEqual({ code: 0, signal: null });
    expect(output.text.indexOf('closing true')).toBeLessThan(output.text.indexOf('closed first'));
  }, 30_000);

  it('ends when its supervisor is gone', async () => {
    const { child, url, exited } = watch(fork(script, { env: { PATH: process.env['PATH'], PORT: '0' }, silent: true }));
    const told = once(child, 'message');
    await url();
    expect((await told)[0]).toMatchObject({ type: 'listening', name: 'things' });
    child.disconnect();
    expect(await exited).toEqual({ code: 0, signal: null });
  }, 30_000);

  it('says in one sentence why it cannot start, without a stack', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const cases: [Record<string, string>, number, string][] = [
      [{ PORT: 'x' }, 78, 'things cannot start. PORT must be a whole number from 0 to 65535, not \\"x\\".'],
      [{ PORT: String(port) }, 1, `things cannot start: port ${port} on 127.0.0.1 is in use by another program.`],
      [{ FAULT: 'The credentials file belongs to another record' }, 1, 'things cannot start: The credentials file belongs to another record.'],
    ];
    for (const [env, code, sentence] of cases) {
      const { output, exited } = start(env);
      expect(await exited).toEqual({ code, signal: null });
      expect(output.text).toContain(sentence);
      expect(output.text).not.toMatch(/\n\s+at /);
    }
    taken.close();
  }, 60_000);

  it('asks its thread, and ends it before itself', async () => {
    const { child, output, url, exited } = start({ THREAD: 'good' });
    await url();
    expect(output.text).toContain('twice 21 is 42');
    expect(output.text).toContain('refused: not this');
    child.kill('SIGTERM');
    expect(await exited).toEqual({ code: 0, signal: null });
    expect(output.text).toMatch(/closing thread\n[^]*thread closed first\n[^]*after its end: The thread has ended\n[^]*closed first/);
  }, 30_000);

  it('ends with the sentence of its thread that cannot start, and with code 1 for a defect there', async () => {
    const faulty = start({ THREAD: 'fault' });
    expect(await faulty.exited).toEqual({ code: 1, signal: null });
    expect(faulty.output.text).toContain('things cannot start: Half of it belongs to another record.');
    expect(faulty.output.text).not.toMatch(/\n\s+at /);
    const defect = start({ THREAD: 'defect' });
    expect(await defect.exited).toEqual({ code: 1, signal: null });
    expect(defect.output.text).toContain('nobody waits in the thread');
  }, 30_000);

  it('ends with code 1 when a defect leaves it in doubt', async () => {
    const { output, exited } = start({ DEFECT: 'yes' });
    expect(await exited).toEqual({ code: 1, signal: null });
    expect(output.text).toContain('nobody waits');
  }, 30_000);
});
