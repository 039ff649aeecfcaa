import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { foreignEnvironment } from './local-start.js';

const root = join(import.meta.dirname, '..', '..');
const programs = {
  backup: ['deploy/local/dist/backup/cli.js', 'backup'],
  restore: ['deploy/local/dist/backup/cli.js', 'restore'],
  'sejam-audit': ['services/audit/bin/sejam-audit.mjs'],
  'sejam-eventstore': ['libs/embedded-eventstore/bin/sejam-eventstore.mjs'],
  /** The entry point of the image; `SERVICE` says what of it. */
  image: ['deploy/docker/start-service.mjs'],
} as const;

export interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** A command line as an operator or an auditor runs it, built. `whileRunning` may kill it. */
export async function command(name: keyof typeof programs, args: readonly string[], { env = {}, whileRunning }: { env?: Readonly<Record<string, string>>; whileRunning?: (kill: () => void) => void } = {}): Promise<Ended> {
  const [program, ...first] = programs[name];
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', '--disable-warning=TimeoutNegativeWarning', join(root, program), ...first, ...args], { cwd: root, env: { ...foreignEnvironment(), ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)));
  const ended = once(child, 'close');
  whileRunning?.(() => child.kill('SIGKILL'));
  const [code] = (await ended) as [number | null];
  return { code, output };
}
