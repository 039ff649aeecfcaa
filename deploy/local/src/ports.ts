import { randomInt } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { StartFault } from '@sejam/service-host';

/** Below the range from which systems take ports of outgoing connections, so that a port stays free while its service restarts. */
const range = [20_000, 29_999] as const;
const host = '127.0.0.1';

/**
 * A port on loopback for each name, the same at every start as long as nobody else has taken it, remembered in `file`. A port that stands in
 * `fixed` is written down elsewhere, so it is used or the start fails.
 */
export async function choosePorts<Name extends string>(file: string, names: readonly Name[], fixed: Readonly<Partial<Record<Name, number>>>): Promise<Record<Name, number>> {
  const kept = readKept(file);
  const chosen = new Map<string, number>();
  const taken = new Set<number>(Object.values(fixed));
  for (const name of names) {
    const wanted = fixed[name] ?? kept[name];
    let port = wanted;
    while (port === undefined || (fixed[name] === undefined && taken.has(port)) || !(await isFree(port))) {
      if (fixed[name] !== undefined) throw new StartFault(`Port ${fixed[name]}, which ${name} needs, is in use by another program`);
      port = randomInt(range[0], range[1] + 1);
    }
    chosen.set(name, port);
    taken.add(port);
  }
  const ports = Object.fromEntries(chosen) as Record<Name, number>;
  writeFileSync(file, `${JSON.stringify({ ...kept, ...ports }, null, 2)}\n`);
  return ports;
}

/** Throws StartFault with what to do, where nobody can listen there. */
export async function refuseTakenPort(port: number, at: string): Promise<void> {
  const cause = await listenOnce(port, at);
  if (cause === undefined) return;
  if (cause === 'EADDRINUSE') throw new StartFault(`Port ${port} is in use by another program: end it, or choose another port, such as SEJAM_PORT=${port + 1} npm start`);
  if (cause === 'EACCES') throw new StartFault(`This user may not listen on port ${port}: choose one above 1023 in SEJAM_PORT`);
  throw new StartFault(`Sejam cannot listen on ${at}, port ${port} (${cause})`);
}

async function isFree(port: number): Promise<boolean> {
  return (await listenOnce(port, host)) === undefined;
}

/** The error code; undefined when it worked. */
function listenOnce(port: number, at: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ port, host: at }, () => server.close(() => resolve(undefined)));
  });
}

/** The port that a name had at the last start. */
export function keptPort(file: string, name: string): number | undefined {
  return readKept(file)[name];
}

function readKept(file: string): Record<string, number> {
  try {
    const kept = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    return Object.fromEntries(Object.entries(kept).filter((entry): entry is [string, number] => Number.isInteger(entry[1])));
  } catch {
    return {};
  }
}
