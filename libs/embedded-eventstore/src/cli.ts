import { parseArgs } from 'node:util';
import { backUpRecord } from './back-up-record.js';
import { checkRecord, type CheckedRecord, type Progress } from './check-record.js';
import { startEventStore } from './start-event-store.js';

const USAGE = `sejam-eventstore: an append-only event store that speaks EventStoreDB's protocol

  sejam-eventstore --data <folder> [--port 2113] [--host 127.0.0.1]    run a server
  sejam-eventstore backup --data <folder> --to <empty folder>          copy all that is acknowledged, beside a running server
  sejam-eventstore verify --data <folder>                              read and check everything; exit code 1 at the first fault

Connect with esdb://127.0.0.1:2113?tls=false. There is no authentication: listen on more than loopback only where all may write.`;

const OPTIONS = {
  data: { type: 'string', default: './data' },
  port: { type: 'string', default: '2113' },
  to: { type: 'string' },
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
  const command = positionals[0] ?? 'serve';
  const fault =
    positionals.length > 1 || !['serve', 'backup', 'verify'].includes(command) ? `There is no command ${positionals.join(' ')}`
    : !Number.isInteger(port) || port < 0 || port > 65_535 ? `${values.port} is not a port`
    : command === 'backup' && values.to === undefined ? 'backup needs --to'
    : undefined;
  if (fault !== undefined) {
    process.stderr.write(`${fault}\n\n${USAGE}\n`);
    return 2;
  }
  try {
    if (command === 'backup') describe('Copied', await backUpRecord(values.data, values.to!, progress('Copied'), progress('Checked')));
    else if (command === 'verify') describe('Checked', await checkRecord(values.data, progress('Checked')));
    else await serve(values.data, values.host, port);
    return 0;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    return 1;
  }
}

/** Says on standard error how far it is, once a second: a long record takes a while. */
function progress(did: string): Progress {
  let told = Date.now();
  return (done, of) => {
    if (Date.now() - told < 1000) return;
    told = Date.now();
    process.stderr.write(`${did} ${Math.round(done / 1e6)} of ${Math.round(of / 1e6)} MB\n`);
  };
}

function describe(did: string, { events, streams, position, indexChecked }: CheckedRecord): void {
  process.stdout.write(`${did} ${events} events of ${streams} streams up to position ${position}${indexChecked ? ', and the index' : ''}. All is whole.\n`);
}

async function serve(dataFolder: string, host: string, port: number): Promise<void> {
  const server = await startEventStore({ dataFolder, host, port });
  process.stdout.write(`Listening on ${server.url}, data in ${dataFolder}\n`);
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, resolve);
  });
  await server.close();
}
