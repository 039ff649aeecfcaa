import { parseArgs } from 'node:util';
import { startEventStore } from './start-event-store.js';

const USAGE = `sejam-eventstore: an append-only event store that speaks EventStoreDB's protocol

  sejam-eventstore --data <folder> [--port 2113] [--host 127.0.0.1]    run a server

Connect with esdb://127.0.0.1:2113?tls=false. There is no authentication: listen on more than loopback only where all may write.`;

const OPTIONS = {
  data: { type: 'string', default: './data' },
  port: { type: 'string', default: '2113' },
  host: { type: 'string', default: '127.0.0.1' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** Runs the command line; resolves with the exit code. */
export async function run(args: readonly string[]): Promise<number> {
  let parsed;
  try {
    parsed = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${USAGE}\n`);
    return 2;
  }
  const { values, positionals } = parsed;
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const port = Number(values.port);
  if (positionals.length > 0 || !Number.isInteger(port) || port < 0 || port > 65_535) {
    process.stderr.write(`${positionals.length > 0 ? `There is no command ${positionals[0]}` : `${values.port} is not a port`}\n\n${USAGE}\n`);
    return 2;
  }
  try {
    await serve(values.data, values.host, port);
    return 0;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    return 1;
  }
}

async function serve(dataFolder: string, host: string, port: number): Promise<void> {
  const server = await startEventStore({ dataFolder, host, port });
  process.stdout.write(`Listening on ${server.url}, data in ${dataFolder}\n`);
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, resolve);
  });
  await server.close();
}
