import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { FolderInUse } from './faults.js';

interface Owner {
  pid: number;
  host: string;
  /** When the process began, in the kernel's own units: a process id comes again, together with this it does not. */
  startedAt: string;
}

/**
 * One process owns a data folder. On Linux a socket in the abstract namespace is the lock, which the kernel takes back when the process
 * ends, however it ends. The file `owner` says who it is, and is the lock elsewhere.
 */
export class FolderLock {
  private constructor(
    private readonly path: string,
    private readonly socket: Server | undefined,
  ) {}

  /** Throws FolderInUse. */
  static async take(folder: string): Promise<FolderLock> {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, 'owner');
    const socket = process.platform === 'linux' ? await bindPatiently(folder, path) : undefined;
    try {
      takeFile(path);
    } catch (error) {
      // Where the socket is the lock, the file is a note, and a disk without room for it must not keep a record from being read.
      if (!socket || error instanceof FolderInUse) {
        socket?.close();
        throw error;
      }
      rmSync(path, { force: true });
    }
    return new FolderLock(path, socket);
  }

  release(): void {
    try {
      unlinkSync(this.path);
    } catch {
      // The folder may be gone already.
    }
    this.socket?.close();
  }
}

/** A process that was killed holds its socket until the kernel has taken it apart, which may be a moment after whoever waits for it knows. */
const dyingMs = 3_000;

async function bindPatiently(folder: string, path: string): Promise<Server> {
  for (const deadline = Date.now() + dyingMs; ; await delay(50)) {
    try {
      return await bind(folder, path);
    } catch (error) {
      if (!(error instanceof FolderInUse) || Date.now() > deadline) throw error;
    }
  }
}

async function bind(folder: string, path: string): Promise<Server> {
  const { dev, ino } = statSync(folder, { bigint: true });
  const server = createServer((connection) => connection.destroy());
  server.unref();
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(error.code === 'EADDRINUSE' ? inUse(path) : error));
    server.listen({ path: `\0sejam-eventstore-${dev}-${ino}` }, resolve);
  });
  return server;
}

function takeFile(path: string): void {
  const mine = `${path}.${process.pid}`;
  try {
    writeFileSync(mine, JSON.stringify({ pid: process.pid, host: hostname(), startedAt: startOf(process.pid) } satisfies Owner), { mode: 0o600 });
    for (let attempt = 0; attempt < 3; attempt += 1) {
      try {
        linkSync(mine, path);
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const before = readOwner(path);
      if (before && isAlive(before)) throw inUse(path);
      const stale = `${path}.stale.${process.pid}`;
      renameSync(path, stale);
      unlinkSync(stale);
    }
    throw inUse(path);
  } finally {
    rmSync(mine, { force: true });
  }
}

function readOwner(path: string): Owner | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Owner;
  } catch {
    return undefined;
  }
}

function inUse(path: string): FolderInUse {
  const owner = readOwner(path);
  return new FolderInUse(`The data folder belongs to ${owner ? `process ${owner.pid} on ${owner.host}` : 'another process'}; one process owns a folder`);
}

/** A process of another host cannot be looked up; on Linux the socket has already spoken for this one. */
function isAlive(owner: Owner): boolean {
  if (owner.pid === process.pid) return owner.startedAt === startOf(process.pid);
  if (owner.host !== hostname()) return false;
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  return startOf(owner.pid) === owner.startedAt;
}

/** Empty for a process that is gone, or dead and only waits for its parent to ask. */
function startOf(pid: number): string {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? '' : (fields[19] ?? '');
  } catch {
    return '';
  }
}
