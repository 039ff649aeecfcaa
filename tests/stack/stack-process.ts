import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream, type WriteStream } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';

/** What earlier starts have compiled: most of the time of a start goes into that. */
export const compileCache = { NODE_COMPILE_CACHE: join(tmpdir(), 'sejam-tests-compiled') } as const;

export interface StackProcessOptions {
  readonly name: string;
  /** Path of the built program. */
  readonly program: string;
  readonly args?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly logFile: string;
  /** A start that takes longer has failed. */
  readonly patienceMs?: number;
}

/** One program of a stack, which a test may kill, stop for a while and start again under the same ports. */
export class StackProcess {
  readonly #log: WriteStream;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  /** Ends that no test asked for, each with how. */
  readonly unexpectedEnds: string[] = [];
  #listening = false;
  /** Where it shows its metrics, once it has listened. */
  internalUrl: string | undefined;

  constructor(private readonly options: StackProcessOptions) {
    this.#log = createWriteStream(options.logFile, { flags: 'a' });
  }

  get name(): string {
    return this.options.name;
  }

  /** It has said that it listens, and was not ended since. */
  get listening(): boolean {
    return this.#listening;
  }

  /** Resolves with what it said when it listens. Rejects with its last words when it ends before. */
  start(): Promise<{ url: string; internalUrl?: string }> {
    const { name, program, args = [], env, logFile, patienceMs = 60_000 } = this.options;
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', '--disable-warning=TimeoutNegativeWarning', program, ...args], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', ...env },
    });
    this.#child = child;
    let lastWords = '';
    for (const stream of [child.stdout, child.stderr] as Readable[]) {
      stream.on('data', (chunk: Buffer) => {
        lastWords = chunk.toString();
        this.#log.write(chunk);
      });
    }
    this.#exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        if (this.#child === child && this.#listening) this.unexpectedEnds.push(`${name} ended by itself (${signal ?? `exit code ${code ?? 'unknown'}`}): ${lastWords}`);
        resolve();
      });
    });
    return new Promise((resolve, reject) => {
      const impatience = setTimeout(() => reject(new Error(`${name} did not listen within ${patienceMs} ms; its log is ${logFile}`)), patienceMs);
      child.once('error', reject);
      child.once('exit', (code, signal) => {
        clearTimeout(impatience);
        reject(new Error(`${name} ended before it listened (${signal ?? code}): ${lastWords}`));
      });
      child.on('message', (message: { type?: string; url?: string; internalUrl?: string }) => {
        if (message.type !== 'listening' || message.url === undefined) return;
        clearTimeout(impatience);
        this.#listening = true;
        this.internalUrl = message.internalUrl;
        resolve({ url: message.url, ...(message.internalUrl === undefined ? {} : { internalUrl: message.internalUrl }) });
      });
    });
  }

  /** As under a supervisor: tries again until it listens. A server of its own folder may need a moment to be gone. */
  async startAgain(withinMs = 60_000): Promise<void> {
    for (const deadline = Date.now() + withinMs; ; await delay(300)) {
      try {
        return void (await this.start());
      } catch (error) {
        if (Date.now() > deadline) throw error;
      }
    }
  }

  /** SIGKILL unless another is given: it has no time to put anything in order. Resolves when it is gone. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.#listening = false;
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await this.#exited;
  }

  /** It stays, and does nothing, until `thaw`: a server that is away without a closed connection. */
  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child?.kill('SIGCONT');
  }

  /** Ends it well, and by force if it does not within ten seconds. */
  async end(): Promise<void> {
    this.thaw();
    const cut = setTimeout(() => this.#child?.kill('SIGKILL'), 10_000);
    await this.kill('SIGTERM');
    clearTimeout(cut);
    await new Promise<void>((resolve) => this.#log.end(resolve));
  }
}
