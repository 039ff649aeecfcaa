import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

const BUILD_LOCK_PORT = 47_113;
const library = new URL('../', import.meta.url);
const bin = fileURLToPath(new URL('bin/sejam-eventstore.mjs', library));

/** Compiles the library, so that a process of its own runs what the tests were written for. One test file at a time. */
export async function build(): Promise<void> {
  const compiler = fileURLToPath(new URL('../../node_modules/typescript/lib/tsc.js', library));
  const compiling = createServer();
  for (;;) {
    // The port is a lock that the system takes back when its owner is gone.
    const isMine = await new Promise<boolean>((resolve) => compiling.once('error', () => resolve(false)).listen(BUILD_LOCK_PORT, '127.0.0.1', () => resolve(true)));
    if (isMine) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  try {
    execFileSync(process.execPath, [compiler, '-b', fileURLToPath(new URL('tsconfig.json', library))]);
  } finally {
    await new Promise((resolve) => compiling.close(resolve));
  }
}

/** A server in a process of its own, which can be killed, measured and denied room. */
export class ServerProcess {
  private constructor(
    readonly url: string,
    private readonly child: ChildProcess,
    private readonly output: { text: string },
  ) {}

  /** `maxFileKilobytes` is the largest file the process may write at first; see `allowFiles`. */
  static async start(folder: string, options: { port?: number; maxFileKilobytes?: number; bin?: string } = {}): Promise<ServerProcess> {
    const args = [options.bin ?? bin, '--data', folder, '--port', String(options.port ?? 0)];
    const child =
      options.maxFileKilobytes === undefined
        ? spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
        : spawn('bash', ['-c', `ulimit -S -f ${options.maxFileKilobytes}; exec "$@"`, 'limited', process.execPath, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    const output = { text: '' };
    child.stderr!.on('data', (chunk: Buffer) => (output.text += chunk.toString()));
    const url = await new Promise<string>((resolve, reject) => {
      child.stdout!.on('data', (chunk: Buffer) => {
        output.text += chunk.toString();
        const found = /esdb:\/\/\S+tls=false/.exec(output.text);
        if (found) resolve(found[0]);
      });
      child.once('exit', (code) => reject(new Error(`The server ended with ${code}: ${output.text}`)));
    });
    return new ServerProcess(url, child, output);
  }

  get port(): number {
    return Number(new URL(this.url.replace('esdb:', 'http:')).port);
  }

  /** What the process has said so far. */
  get said(): string {
    return this.output.text;
  }

  /** Resident memory, in bytes. Linux alone. */
  get memoryBytes(): number {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.child.pid}/status`, 'utf8'))![1]) * 1024;
  }

  /** Lifts the limit on the size of files, as when somebody has made room. Linux alone. */
  allowFiles(): void {
    execFileSync('prlimit', ['--pid', String(this.child.pid), '--fsize=unlimited:unlimited']);
  }

  /** From now on no file grows beyond this. Linux alone. */
  limitFiles(kilobytes: number): void {
    execFileSync('prlimit', ['--pid', String(this.child.pid), `--fsize=${kilobytes * 1024}:`]);
  }

  /** Resolves with the exit code, null after a kill. */
  end(signal: NodeJS.Signals): Promise<number | null> {
    return new Promise((resolve) => {
      if (this.child.exitCode !== null || this.child.signalCode !== null) return resolve(this.child.exitCode);
      this.child.once('exit', (code) => resolve(code));
      this.child.kill(signal);
    });
  }
}
