import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { eventually } from '@sejam/testkit';
import { compileCache } from './stack-process.js';

const root = join(import.meta.dirname, '..', '..');
export const patience = { withinMs: 60_000 };

interface Running {
  supervisor: { pid: number };
  url: string;
  eventStoreUrl: string;
  processes: Record<string, { pid: number; internalUrl?: string }>;
}

/** One `npm start`, without npm around it. */
export class LocalStart {
  output = '';
  readonly process: ChildProcess;
  readonly ended: Promise<number | null>;

  constructor(readonly home: string, env: Record<string, string> = {}) {
    this.process = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', join(root, 'tools/start.mjs')], {
      cwd: root,
      env: { ...foreignEnvironment(), SEJAM_HOME: home, SEJAM_PORT: '0', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.process.stdout, this.process.stderr]) stream?.on('data', (chunk) => (this.output += String(chunk)));
    this.ended = once(this.process, 'close').then(([code]) => code as number | null);
  }

  async ready(): Promise<this> {
    await eventually(() => {
      if (this.process.exitCode !== null) throw new Error(`It has ended:\n${this.output}`);
      expect(this.output).toContain('Ctrl-C ends it');
    }, patience);
    return this;
  }

  get running(): Running {
    return JSON.parse(readFileSync(join(this.home, 'running.json'), 'utf8')) as Running;
  }

  get credentials(): { baseUrl: string; recordId: string; keys: Record<string, string>; webhookSecrets: Record<string, { orders: string; answers: string }> } {
    return JSON.parse(readFileSync(join(this.home, 'credentials.json'), 'utf8')) as LocalStart['credentials'];
  }

  get url(): string {
    return this.running.url.replace('localhost', '127.0.0.1');
  }

  pidOf(name: string): number {
    const pid = this.running.processes[name]?.pid;
    if (pid === undefined) throw new Error(`There is no process ${name}`);
    return pid;
  }

  /** As a terminal does it: Ctrl-C reaches the process, and npm passes it on as well. */
  async stop(): Promise<number | null> {
    this.process.kill('SIGINT');
    this.process.kill('SIGINT');
    return this.ended;
  }

  async submit(reference: string): Promise<Response> {
    return fetch(`${this.url}/v1/reports`, {
      method: 'POST',
      headers: { authorization: `Bearer ${this.credentials.keys['bawaslu']}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        reference, category: 'hoax.voting_procedure', contentForm: 'video', region: '32.73', target: 'voters', summary: 'Claims that voting moved to 28 November',
        legalBasis: ['UU-10-2016:69-c'], contents: [{ url: 'https://www.tiktok.com/@x/video/7399295712095227142' }],
      }),
    });
  }
}


/** What a shell has, without what would tell a start of the test's own run. */
export function foreignEnvironment(): Record<string, string> {
  const kept = Object.entries(process.env).filter((entry): entry is [string, string] => !/^(SEJAM_|KAFKA_BROKERS|DATABASE_URL|EVENTSTORE_URL|NODE_OPTIONS|JEST_)/.test(entry[0]));
  return { ...Object.fromEntries(kept), ...compileCache };
}
