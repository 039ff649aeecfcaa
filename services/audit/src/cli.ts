import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { generateNoteSigner, NoteRefused, parsePolicy, parseSignerSecret, parseVkey, PolicyRefused } from '@sejam/transparency-log';
import { AnswerProofs } from './bundle/answer-proof.js';
import { BundleUnreadable, openBundle } from './bundle/bundle.js';
import { diffBundles } from './bundle/diff-bundles.js';
import { LineMalformed } from './bundle/event-line.js';
import { exportBundle } from './bundle/export-bundle.js';
import { readKeptCheckpoint } from './bundle/kept-checkpoint.js';
import { verifyBundle } from './bundle/verify-bundle.js';
import { printDiff, printVerify } from './command-line/print-verify.js';
import { progressOf } from './command-line/progress.js';
import { printBoard, printTakedown, printVerdicts } from './command-line/print-verdicts.js';
import { boardAsOf } from './replay/board.js';
import { readStreams } from './replay/read-streams.js';
import { takedownAsOf } from './replay/takedown-state.js';
import { recomputeVerdicts } from './verdict/recompute-verdicts.js';
import { createWitnessServer } from './witness/witness-server.js';

const USAGE = `sejam-audit: check the record of a clearing house without trusting it

  export  --url <base> --key <auditor key> --out <folder>   fetch a bundle; goes on where an earlier export ended
  verify  <folder> [--checkpoint <file>]... [--key <vkey>] [--policy <file>]
                                                            recompute everything; --checkpoint: one that somebody else kept
                                                            (a note, a .tlog-proof, or the value of a Sejam-Checkpoint header)
  recompute <folder>                                        derive every clock's verdict from reports and takedowns alone,
                                                            and compare with what was recorded
  replay  <folder> --at <time> [--takedown <id>] [--platform <id>]
                                                            what the record said at a moment: the board, or one takedown
  diff    <folder> <folder>                                 compare two bundles, event by event
  witness --state <file> --secret <file> --name <name> --log <vkey>... [--port <n>] [--host <address>]
                                                            cosign checkpoints (C2SP tlog-witness); makes the secret if there is none

  --json     the report as JSON           --quiet    no progress
  Exit code: 0 everything holds, 1 something does not, 2 it could not be looked at.
`;

/** What was asked for makes no sense; the message says why. */
class Misuse extends Error {}

const OUTPUT = { json: { type: 'boolean', default: false }, quiet: { type: 'boolean', default: false } } as const;

const COMMANDS: Readonly<Record<string, (args: string[]) => number | Promise<number>>> = {
  async export(args) {
    const { values } = read(args, { url: { type: 'string' }, key: { type: 'string' }, out: { type: 'string' }, ...OUTPUT }, 0);
    const result = await exportBundle({
      url: required(values.url, '--url'), key: required(values.key, '--key'), out: required(values.out, '--out'), now: new Date(), onProgress: progressOf('export', values),
    });
    print(values.json ? json({ ...result, folder: values.out }) : `${result.origin}: ${result.size} events in ${values.out} (${result.fetched} fetched now). Next: sejam-audit verify ${values.out}\n`);
    return 0;
  },

  verify(args) {
    const { values, positionals } = read(args, { checkpoint: { type: 'string', multiple: true, default: [] }, key: { type: 'string' }, policy: { type: 'string' }, ...OUTPUT }, 1);
    const report = verifyBundle(openBundle(positionals[0]!), {
      kept: values.checkpoint.map((name) => ({ name, note: readKeptCheckpoint(name) })),
      ...(values.key === undefined ? {} : { key: parseVkey(values.key) }),
      ...(values.policy === undefined ? {} : { policy: parsePolicy(readFileSync(values.policy, 'utf8')) }),
      onProgress: progressOf('verify', values),
    });
    print(values.json ? json(report) : printVerify(report));
    return report.holds ? 0 : 1;
  },

  diff(args) {
    const { values, positionals } = read(args, OUTPUT, 2);
    const [one, other] = [positionals[0]!, positionals[1]!];
    const report = diffBundles(openBundle(one), openBundle(other));
    print(values.json ? json(report) : printDiff(report, [one, other]));
    return report.agree ? 0 : 1;
  },

  recompute(args) {
    const { values, positionals } = read(args, OUTPUT, 1);
    const report = recomputeVerdicts(readStreams(openBundle(positionals[0]!), ['report-', 'takedown-', 'clock-'], progressOf('recompute', values)));
    print(values.json ? json(report) : printVerdicts(report));
    return report.holds ? 0 : 1;
  },

  replay(args) {
    const { values, positionals } = read(args, { at: { type: 'string' }, takedown: { type: 'string' }, platform: { type: 'string' }, ...OUTPUT }, 1);
    const given = new Date(required(values.at, '--at'));
    if (Number.isNaN(given.getTime())) throw new Misuse(`${values.at} is no time; write it as 2024-11-24T09:20:00Z`);
    const at = given.toISOString();
    const streams = readStreams(openBundle(positionals[0]!), [`takedown-${values.takedown ?? ''}`], progressOf('replay', values), values.takedown === undefined ? undefined : new AnswerProofs());
    if (values.takedown === undefined) {
      const board = boardAsOf(streams, at, values.platform);
      print(values.json ? json(board) : printBoard(board));
      return 0;
    }
    const stream = `takedown-${values.takedown}`;
    const state = takedownAsOf(stream, streams.get(stream) ?? [], at);
    if (state === undefined) {
      process.stderr.write(`The record knew no takedown ${values.takedown} at ${at}\n`);
      return 1;
    }
    print(values.json ? json(state) : printTakedown(state));
    return 0;
  },

  async witness(args) {
    const { values } = read(args, {
      state: { type: 'string' }, secret: { type: 'string' }, name: { type: 'string' }, log: { type: 'string', multiple: true, default: [] },
      port: { type: 'string', default: '7380' }, host: { type: 'string', default: '127.0.0.1' }, ...OUTPUT,
    }, 0);
    if (values.log.length === 0) throw new Misuse('A witness must be told which logs it knows: --log <vkey>');
    const secretFile = required(values.secret, '--secret');
    if (!existsSync(secretFile)) {
      if (values.state !== undefined && existsSync(values.state)) throw new Misuse(`${values.state} is there and ${secretFile} is not: a witness does not change its key by itself`);
      writeFileSync(secretFile, `${generateNoteSigner(required(values.name, '--name'), 'cosignature/v1').secret}\n`, { mode: 0o600, flag: 'wx', flush: true });
    }
    const signer = parseSignerSecret(readFileSync(secretFile, 'utf8').trim());
    if (signer.verifier.kind !== 'cosignature/v1') throw new Misuse(`${secretFile} holds the key of a log, not of a witness`);
    const server = createWitnessServer({
      signer, logs: values.log.map(parseVkey), stateFile: required(values.state, '--state'), now: () => new Date(),
      ...(values.quiet ? {} : { onAnswer: (status: number, detail: string) => process.stderr.write(`${status} ${detail}\n`) }),
    });
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(Number(values.port), values.host, resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : values.port;
    print(values.json ? json({ vkey: signer.verifier.vkey, url: `http://${values.host}:${port}` }) : `Witness ${signer.verifier.vkey}\nat http://${values.host}:${port}\n`);
    await new Promise<void>((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => server.close(() => resolve()));
    });
    return 0;
  },
};

/** The exit code. Never throws: whatever goes wrong is said on stderr. */
export async function run([name = '', ...args]: readonly string[]): Promise<number> {
  const command = COMMANDS[name];
  if (command === undefined) {
    process.stderr.write(name === '' || name === '--help' || name === 'help' ? USAGE : `sejam-audit knows no ${name}\n\n${USAGE}`);
    return name === '--help' || name === 'help' ? 0 : 2;
  }
  try {
    return await command([...args]);
  } catch (error) {
    const expected = [Misuse, BundleUnreadable, LineMalformed, NoteRefused, PolicyRefused].some((kind) => error instanceof kind) || (error as { code?: unknown }).code !== undefined;
    process.stderr.write(`sejam-audit ${name}: ${expected ? (error as Error).message : (error as Error).stack}\n`);
    return 2;
  }
}

function read<O extends NonNullable<ParseArgsConfig['options']>>(args: string[], options: O, positionals: number) {
  const parsed = parseArgs({ args, options, allowPositionals: true, strict: true });
  if (parsed.positionals.length !== positionals) throw new Misuse(`${positionals} folder${positionals === 1 ? '' : 's'} must be named\n\n${USAGE}`);
  return parsed;
}

function required(value: string | undefined, option: string): string {
  if (value === undefined || value === '') throw new Misuse(`${option} is missing\n\n${USAGE}`);
  return value;
}

function print(text: string): void {
  process.stdout.write(text);
}

function json(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
