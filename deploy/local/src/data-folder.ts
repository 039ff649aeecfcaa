import { accessSync, constants, existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { StartFault } from '@sejam/service-host';

/** A process id comes again; together with the moment at which the process began it does not. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startedAt: string;
}

export interface RunningState {
  readonly supervisor: ProcessIdentity;
  /** Where all of it is reached. */
  readonly url?: string;
  readonly eventStoreUrl?: string;
  /** With user and password. */
  readonly databaseUrl?: string;
  readonly processes: Readonly<Record<string, ProcessIdentity & { readonly internalUrl?: string }>>;
}

/** The folder that one supervisor at a time owns. All that the embedded way keeps lies in it. */
export class DataFolder {
  readonly #lockFile: string;
  readonly #stateFile: string;
  #state: RunningState;

  private constructor(readonly path: string) {
    this.#lockFile = join(path, 'supervisor.lock');
    this.#stateFile = join(path, 'running.json');
    this.#state = { supervisor: identityOf(process.pid), processes: {} };
  }

  /** Makes the folder where it is missing and takes it. Throws StartFault: no permission, or another supervisor has it. */
  static take(path: string): DataFolder {
    const folder = new DataFolder(path);
    if (existsSync(restoringFolder(path))) throw new StartFault(`A restore into ${path} was not finished: run it again, or remove ${restoringFolder(path)}`);
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 });
      accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
      mkdirSync(join(path, 'logs'), { recursive: true });
      folder.#lock();
    } catch (error) {
      const { code, syscall } = error as NodeJS.ErrnoException;
      if (error instanceof StartFault) throw error;
      if (code === 'EEXIST' || code === 'ENOTDIR') throw new StartFault(`Sejam needs a folder at ${path}, but there is a file: remove it, or name another place in SEJAM_HOME`);
      if (code === 'ENOSPC') throw new StartFault(`The disk that holds ${path} is full`);
      throw new StartFault(`Sejam may not write into ${path} (${code ?? syscall ?? String(error)}): give the folder to this user, or name another one in SEJAM_HOME`);
    }
    return folder;
  }

  /** What its owner remembers while it is alive; undefined when nobody runs on the folder. */
  static running(path: string): RunningState | undefined {
    const folder = new DataFolder(path);
    const owner = readIdentity(folder.#lockFile);
    if (owner === undefined || !isAlive(owner)) return undefined;
    const state = folder.#read();
    return state?.supervisor.pid === owner.pid ? state : { supervisor: owner, processes: {} };
  }

  file(...names: readonly string[]): string {
    return join(this.path, ...names);
  }

  /**
   * Ends what a supervisor that was killed has left behind, and waits until it is gone. Such processes end by themselves, so they are
   * given time before they are made to.
   */
  async endLeftovers(say: (sentence: string) => void): Promise<void> {
    const before = this.#read();
    if (before === undefined) return;
    const alive = (): [string, ProcessIdentity][] => Object.entries(before.processes).filter(([, one]) => isAlive(one));
    for (const [signal, patienceMs] of [['SIGTERM', 15_000], ['SIGKILL', 5_000]] as const) {
      const left = alive();
      if (left.length === 0) break;
      say(`ending what an earlier start left behind: ${left.map(([name]) => name).join(', ')}`);
      for (const [, { pid }] of left) endProcess(pid, signal);
      for (const deadline = Date.now() + patienceMs; alive().length > 0 && Date.now() < deadline; ) await delay(50);
    }
    const [stuck] = alive();
    if (stuck !== undefined) throw new StartFault(`A process of an earlier start cannot be ended: ${stuck[0]}, process ${stuck[1].pid}`);
  }

  /** Who runs now, for the next start and for the command line. */
  remember(change: Partial<Omit<RunningState, 'supervisor' | 'processes'>> & { readonly process?: { readonly name: string; readonly pid: number; readonly internalUrl?: string | undefined } }): void {
    const { process: changed, ...rest } = change;
    const processes = { ...this.#state.processes };
    if (changed !== undefined) processes[changed.name] = { ...identityOf(changed.pid), ...(changed.internalUrl === undefined ? {} : { internalUrl: changed.internalUrl }) };
    this.#state = { ...this.#state, ...rest, processes };
    const fresh = `${this.#stateFile}.new`;
    writeFileSync(fresh, `${JSON.stringify(this.#state, null, 2)}\n`, { mode: 0o600 });
    renameSync(fresh, this.#stateFile);
  }

  release(): void {
    rmSync(this.#stateFile, { force: true });
    rmSync(this.#lockFile, { force: true });
  }

  #read(): RunningState | undefined {
    try {
      return JSON.parse(readFileSync(this.#stateFile, 'utf8')) as RunningState;
    } catch {
      return undefined;
    }
  }

  /** A link does not replace what another process has made meanwhile. */
  #lock(): void {
    const mine = `${this.#lockFile}.${process.pid}`;
    writeFileSync(mine, JSON.stringify(identityOf(process.pid)), { mode: 0o600 });
    try {
      for (let attempt = 0; attempt < 3; attempt++) {
        try {
          linkSync(mine, this.#lockFile);
          return;
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
        }
        const owner = readIdentity(this.#lockFile);
        if (owner !== undefined && owner.pid !== process.pid && isAlive(owner)) throw inUse(this.path, owner.pid);
        rmSync(this.#lockFile, { force: true });
      }
      throw inUse(this.path);
    } finally {
      rmSync(mine, { force: true });
    }
  }
}

/** Beside the folder: where it is being put back from a backup, until it is whole and takes the folder's name. */
export function restoringFolder(path: string): string {
  return `${path}.restoring`;
}

function inUse(path: string, pid?: number): StartFault {
  return new StartFault(`Another Sejam${pid === undefined ? '' : ` (process ${pid})`} runs on ${path}: stop it first, or give this one a folder of its own in SEJAM_HOME`);
}

function readIdentity(file: string): ProcessIdentity | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as ProcessIdentity;
  } catch {
    return undefined;
  }
}

function identityOf(pid: number): ProcessIdentity {
  return { pid, startedAt: startOf(pid) };
}

function isAlive({ pid, startedAt }: ProcessIdentity): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  return startOf(pid) === startedAt && !isZombie(pid);
}

/** Where there is no /proc, the process id alone must do. */
function startOf(pid: number): string {
  return statOf(pid)[19] ?? '';
}

/** Ended, but its parent has not looked yet. */
function isZombie(pid: number): boolean {
  return statOf(pid)[0] === 'Z';
}

function statOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ');
  } catch {
    return [];
  }
}

function endProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone meanwhile, or not ours: the wait that follows finds out.
  }
}
