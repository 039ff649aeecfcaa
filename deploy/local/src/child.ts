import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream, existsSync, renameSync, type WriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { StartFault } from '@sejam/service-host';

export interface ChildOptions {
  readonly name: string;
  /** Path of the program. */
  readonly program: string;
  readonly args?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly logFile: string;
  /** Short sentences for whoever watches the terminal. */
  readonly say: (sentence: string) => void;
  /** The process listens, now or again. */
  readonly onListening: (pid: number, said: ListeningMessage) => void;
  readonly onSpawn: (pid: number) => void;
}

/** What a child says over its IPC channel when it can be used. */
export interface ListeningMessage {
  readonly type: 'listening';
  readonly url: string;
  readonly internalUrl?: string;
}

/** sysexits.h, EX_CONFIG: no restart mends it. */
const exitConfig = 78;
const backOffMs = [200, 500, 1_000, 2_000, 5_000, 10_000, 15_000] as const;
/** Whoever has lived that long is well again. */
const steadyMs = 30_000;
const startTries = 3;
const keptLogs = 5;

/** One process that is kept running: started again when it ends by itself, with growing pauses, until it is stopped. */
export class Child {
  readonly #log: WriteStream;
  readonly #warnings = new Map<string, number>();
  #process: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #stopping = false;
  #everListened = false;
  #failures = 0;
  #lastWords = '';
  #started!: { resolve: (said: ListeningMessage) => void; reject: (error: Error) => void };

  constructor(private readonly options: ChildOptions) {
    rotate(options.logFile);
    this.#log = createWriteStream(options.logFile, { mode: 0o600 });
  }

  /** Resolves when it listens for the first time. Rejects with StartFault when it cannot start. */
  start(): Promise<ListeningMessage> {
    const started = new Promise<ListeningMessage>((resolve, reject) => (this.#started = { resolve, reject }));
    this.#spawn();
    return started;
  }

  /** SIGTERM, and SIGKILL for a process that does not end within `patienceMs`. Resolves when it is gone. */
  async stop(patienceMs = 15_000): Promise<void> {
    this.#stopping = true;
    const child = this.#process;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      const cut = setTimeout(() => child.kill('SIGKILL'), patienceMs);
      await this.#ended;
      clearTimeout(cut);
    }
    await new Promise<void>((resolve) => this.#log.end(resolve));
  }

  killNow(): void {
    this.#stopping = true;
    this.#process?.kill('SIGKILL');
  }

  #spawn(): void {
    const { name, program, args = [], env } = this.options;
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', '--disable-warning=TimeoutNegativeWarning', program, ...args], {
      // A group of its own: Ctrl-C in the terminal reaches the supervisor alone, which ends the children in order.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env,
    });
    this.#process = child;
    const spawnedAt = performance.now();
    if (child.pid !== undefined) this.options.onSpawn(child.pid);
    for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream as NodeJS.ReadableStream, crlfDelay: Infinity }).on('line', (line) => this.#heard(line));
    child.on('message', (message) => {
      const { type } = message as { type?: string };
      if (type === 'failed') this.#lastWords = (message as { sentence?: string }).sentence ?? '';
      if (type === 'listening') this.#listens(child.pid ?? 0, message as ListeningMessage);
    });
    this.#ended = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        resolve();
        void this.#afterExit(code, signal, performance.now() - spawnedAt);
      });
      child.once('error', (error) => {
        resolve();
        this.#lastWords = error.message;
        void this.#afterExit(null, null, 0);
      });
    });
    this.#log.write(`${JSON.stringify({ time: new Date().toISOString(), supervisor: `${name} is started`, pid: child.pid })}\n`);
  }

  #listens(pid: number, message: ListeningMessage): void {
    this.options.onListening(pid, message);
    if (this.#everListened) this.options.say(`${this.options.name} runs again`);
    this.#everListened = true;
    this.#started.resolve(message);
  }

  async #afterExit(code: number | null, signal: NodeJS.Signals | null, livedMs: number): Promise<void> {
    const { name, say, logFile } = this.options;
    const how = signal === null ? `exit code ${code ?? 'unknown'}` : signal;
    this.#log.write(`${JSON.stringify({ time: new Date().toISOString(), supervisor: `${name} has ended`, how })}\n`);
    if (this.#stopping) return;
    if (livedMs > steadyMs) this.#failures = 0;
    const pause = backOffMs[Math.min(this.#failures, backOffMs.length - 1)] ?? 0;
    this.#failures += 1;
    // Services wait for what is away: one that gives up and says why does not want to be asked again.
    const explained = signal === null && this.#lastWords !== '';
    if (!this.#everListened && (code === exitConfig || explained || this.#failures >= startTries)) {
      this.#started.reject(new StartFault(this.#lastWords === '' ? `${name} cannot start (${how}); its log is ${logFile}` : this.#lastWords));
      return;
    }
    say(`${name} has ended (${how})${this.#lastWords === '' ? '' : `: ${this.#lastWords}`}; it is started again in ${pause / 1000} s`);
    this.#lastWords = '';
    await delay(pause);
    if (!this.#stopping) this.#spawn();
  }

  #heard(line: string): void {
    this.#log.write(`${line}\n`);
    if (this.#stopping || line.trim() === '') return;
    const { level, msg, err, cause } = parsed(line);
    if (level === 'fatal') this.#lastWords = String(msg);
    else if (level === undefined && !line.startsWith(' ')) this.#lastWords ||= /^\w*Error\b.*/.test(line) ? line : '';
    if (level !== 'warn' && level !== 'error') return;
    const said = `${this.options.name}: ${String(msg)}${typeof cause === 'string' ? ` (${cause})` : err?.message === undefined ? '' : ` (${err.message})`}`;
    // Once a minute is enough of the same; the log has them all.
    const before = this.#warnings.get(said);
    if (before !== undefined && performance.now() - before < 60_000) return;
    if (this.#warnings.size > 200) this.#warnings.clear();
    this.#warnings.set(said, performance.now());
    this.options.say(said);
  }
}

function parsed(line: string): { level?: string; msg?: unknown; cause?: unknown; err?: { message?: string } } {
  if (!line.startsWith('{')) return {};
  try {
    return JSON.parse(line) as object;
  } catch {
    return {};
  }
}

/** `<log>` of this start, `<log>.1` of the one before, and so on. */
function rotate(file: string): void {
  for (let number = keptLogs - 1; number >= 0; number--) {
    const from = number === 0 ? file : `${file}.${number}`;
    if (existsSync(from)) renameSync(from, `${file}.${number + 1}`);
  }
}
