import { execFile } from 'node:child_process';
import { mkdtempSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

export const root = fileURLToPath(new URL('../../', import.meta.url));

/** Every file of the working tree that git tracks or would track, as paths from the root. */
export async function files(): Promise<string[]> {
  const { stdout } = await run('git', ['ls-files', '--cached', '--others', '--exclude-standard', '--deduplicate'], { cwd: root, maxBuffer: 64 * 1024 * 1024 });
  const deleted = new Set((await run('git', ['ls-files', '--deleted'], { cwd: root })).stdout.split('\n'));
  return stdout.split('\n').filter((path) => path !== '' && !deleted.has(path));
}

export function read(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

/** Our own code, without what is generated or tests it. */
export function isProduction(path: string): boolean {
  return /^(libs|services|deploy)\/.*\.ts$/.test(path) && !/(\.spec|\.contract|\.example|\.d)\.ts$|\/(generated|bench|conformance)\//.test(path);
}

/** The pure file of a noun. Audit, gateway and sandbox own no streams and have none. */
export function isNoun(path: string): boolean {
  return /^services\/(?!audit\/|gateway\/|sandbox\/)[^/]+\/src\/([^/]+)\/\1\.ts$/.test(path);
}

/** A tree of its own outside the repository that sees the repository's dependencies. Gone when `work` ends. */
export async function withPlanted<T>(planted: Readonly<Record<string, string>>, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'sejam-planted-'));
  try {
    for (const [path, text] of Object.entries(planted)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs a program of node_modules and gives back what it printed, whether or not it found faults. */
export async function tool(folder: string, script: string, args: readonly string[]): Promise<string> {
  try {
    return (await run(process.execPath, [join(root, 'node_modules', script), ...args], { cwd: folder, maxBuffer: 64 * 1024 * 1024 })).stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    if (stdout === undefined || stdout === '') throw new Error(`${script} did not run: ${stderr ?? String(error)}`, { cause: error });
    return stdout;
  }
}
