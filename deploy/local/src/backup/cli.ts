import { join, resolve } from 'node:path';
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { ConfigFault, StartFault } from '@sejam/service-host';
import { localSettings } from '../settings.js';
import { backUp } from './back-up.js';
import { restore } from './restore.js';

const USAGE = `npm run backup  -- --out <folder> [--keys <folder>] [--home <folder>]
    copies an installation that runs or is stopped: record and kept tables into <out>/record, keys into <out>/keys or where --keys says

npm run restore -- --from <folder> [--keys <folder>] [--home <folder>] [--replace | --keep-record] [--older-keys]
    puts them back into a new or empty home; --replace sets aside what is there, and removes nothing; --keep-record does so too, but for the
    record, which stays: for when PostgreSQL alone was lost; --older-keys takes keys of an earlier backup, since there are no others

--home is SEJAM_HOME or .sejam without it. EVENTSTORE_URL, DATABASE_URL and KAFKA_BROKERS name parts that are elsewhere, as at "npm start";
an event store elsewhere is copied and put back with its own tools, before this. docs/operations.md has the whole of it.`;

/** Resolves with the exit code. */
async function run([command, ...args]: readonly string[], env: Readonly<Record<string, string | undefined>> = process.env): Promise<number> {
  const began = performance.now();
  const say = (sentence: string): void => console.log(`${((performance.now() - began) / 1000).toFixed(1).padStart(7)} s  ${sentence}`);
  try {
    if (command === 'backup') await runBackup(args, env, say);
    else if (command === 'restore') await runRestore(args, env, say);
    else throw new Misuse(command === undefined ? 'Say what to do' : `There is no command ${command}`);
    return 0;
  } catch (error) {
    if (error instanceof Misuse) {
      console.error(`${error.message.replace(/\.?$/, '.')}\n\n${USAGE}`);
      return 2;
    }
    console.error(sentenceOf(error, command));
    return 1;
  }
}

async function runBackup(args: readonly string[], env: Readonly<Record<string, string | undefined>>, say: (sentence: string) => void): Promise<void> {
  const values = read(args, { out: { type: 'string' }, keys: { type: 'string' }, home: { type: 'string' } });
  const out = resolve(required(values.out, '--out'));
  const settings = localSettings({ ...env, SEJAM_HOME: values.home ?? env['SEJAM_HOME'] });
  const [main, keysOut] = [join(out, 'record'), resolve(values.keys ?? join(out, 'keys'))];
  const { recordId } = await backUp({
    ...settings,
    out: main,
    keysOut,
    masterKeyFile: env['SEJAM_MASTER_KEY_FILE'] ?? join(settings.home, 'master.key'),
    credentialsFile: env['SEJAM_CREDENTIALS_FILE'] ?? join(settings.home, 'credentials.json'),
    say,
  });
  say(`record ${recordId} is backed up in ${main}, its keys in ${keysOut}`);
}

async function runRestore(args: readonly string[], env: Readonly<Record<string, string | undefined>>, say: (sentence: string) => void): Promise<void> {
  const values = read(args, { from: { type: 'string' }, keys: { type: 'string' }, home: { type: 'string' }, replace: { type: 'boolean', default: false }, 'keep-record': { type: 'boolean', default: false }, 'older-keys': { type: 'boolean', default: false } });
  const from = resolve(required(values.from, '--from'));
  const settings = localSettings({ ...env, SEJAM_HOME: values.home ?? env['SEJAM_HOME'] });
  const { recordId, home, setAside } = await restore({
    ...settings,
    from: join(from, 'record'),
    keysFrom: resolve(values.keys ?? join(from, 'keys')),
    replace: values.replace,
    keepRecord: values['keep-record'],
    olderKeys: values['older-keys'],
    masterKeyFile: env['SEJAM_MASTER_KEY_FILE'],
    credentialsFile: env['SEJAM_CREDENTIALS_FILE'],
    say,
  });
  for (const name of setAside) say(`what was there is now ${name}`);
  say(`record ${recordId} is put back${home === undefined ? '' : ` in ${home}`}; the next start makes the rest again`);
}

/** What was asked for makes no sense; the message says why. */
class Misuse extends Error {}

function read<const Options extends NonNullable<ParseArgsConfig['options']>>(args: readonly string[], options: Options) {
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw new Misuse((error as Error).message);
  }
}

function required(value: string | undefined, option: string): string {
  if (value === undefined) throw new Misuse(`${option} is missing`);
  return value;
}

function sentenceOf(error: unknown, command: string | undefined): string {
  const { message, code, path } = error as NodeJS.ErrnoException;
  if (error instanceof StartFault || error instanceof ConfigFault) return message.replace(/\.?$/, '.');
  if (code === 'ENOSPC') return `The ${command} failed: the disk is full.`;
  if (code === 'EACCES' || code === 'EPERM') return `The ${command} failed: this user may not open ${path ?? 'a file it needs'}.`;
  return `The ${command} failed: ${(message.split('\n')[0] ?? '').replace(/\.?$/, '.')}`;
}

// Servers that were started for this end with it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130));
process.exitCode = await run(process.argv.slice(2));
