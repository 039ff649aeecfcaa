import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { encodeCheckpointHeader } from './bundle/kept-checkpoint.js';
import { logOf, ordinaryEvents, testSigner, writeTestBundle } from './bundle/testing.js';
import { run } from './cli.js';

const log = logOf(ordinaryEvents(30, { streams: 3 }), { signAt: [10] });
let folder: string;
let bundle: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sejam-cli-'));
  bundle = join(folder, 'bundle');
  writeTestBundle(bundle, log);
});

afterEach(() => {
  jest.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

async function sejamAudit(...args: string[]) {
  const written = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    jest.spyOn(process[stream], 'write').mockImplementation((chunk) => {
      written[stream] += String(chunk);
      return true;
    });
  }
  const code = await run(args);
  jest.restoreAllMocks();
  return { code, ...written };
}

function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

describe('sejam-audit verify', () => {
  it('ends with 0 only where everything holds', async () => {
    expect(await sejamAudit('verify', bundle)).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('Everything holds.') });
    const lines = readFileSync(join(bundle, 'events.ndjson'), 'utf8');
    writeFileSync(join(bundle, 'events.ndjson'), lines.replace('"attempt":3', '"attempt":4'));
    const broken = await sejamAudit('verify', bundle);
    expect(broken.code).toBe(1);
    expect(broken.stdout).toContain('FAULT       event-altered: Event 9 (OrderDeliveryFailed');
    const report = JSON.parse((await sejamAudit('verify', bundle, '--json')).stdout) as { holds: boolean; findings: { code: string; index: number }[] };
    expect(report).toMatchObject({ holds: false, findings: [{ code: 'event-altered', index: 9 }, { code: 'root-differs' }, { code: 'root-differs' }] });
  });

  it('takes kept checkpoints as notes and as header values', async () => {
    const note = file('note', log.checkpoints.get(10)!);
    const header = file('header', `Sejam-Checkpoint: ${encodeCheckpointHeader(log.checkpoints.get(10)!)}\n`);
    expect((await sejamAudit('verify', bundle, '--checkpoint', note, '--checkpoint', header, '--key', testSigner.verifier.vkey)).stdout).toContain(`holds       ${header} (10 events)`);
    const longer = file('longer', logOf(ordinaryEvents(31, { streams: 3 })).checkpoints.get(31)!);
    const cut = await sejamAudit('verify', bundle, '--checkpoint', longer);
    expect(cut).toMatchObject({ code: 1, stdout: expect.stringContaining(`record-truncated: ${longer} shows that the log once held 31 events`) });
  });

  it('ends with 2 where nothing can be said', async () => {
    expect(await sejamAudit('verify', join(folder, 'nowhere'))).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('cannot be read') });
    expect(await sejamAudit('verify', bundle, '--checkpoint', join(folder, 'nowhere'))).toMatchObject({ code: 2 });
    expect(await sejamAudit('verify', bundle, '--wrong')).toMatchObject({ code: 2 });
    expect(await sejamAudit('verify')).toMatchObject({ code: 2 });
    expect(await sejamAudit('prove')).toMatchObject({ code: 2, stderr: expect.stringContaining('sejam-audit knows no prove') });
  });
});

describe('sejam-audit recompute, replay and diff', () => {
  it('read a bundle', async () => {
    expect(await sejamAudit('recompute', bundle)).toMatchObject({ code: 0, stdout: expect.stringContaining('Every recorded verdict follows from the events.') });
    expect(await sejamAudit('replay', bundle, '--at', '2024-11-24T12:00:00+07:00')).toMatchObject({ code: 0, stdout: expect.stringContaining('As of 2024-11-24T05:00:00.000Z: 3 takedowns') });
    expect(await sejamAudit('replay', bundle, '--at', 'noon')).toMatchObject({ code: 2 });
    expect(await sejamAudit('replay', bundle, '--at', '2024-11-24T12:00:00Z', '--takedown', 'none')).toMatchObject({ code: 1 });
    const other = join(folder, 'other');
    writeTestBundle(other, logOf(ordinaryEvents(30, { streams: 2 })));
    expect(await sejamAudit('diff', bundle, bundle)).toMatchObject({ code: 0 });
    expect(await sejamAudit('diff', bundle, other)).toMatchObject({ code: 1, stdout: expect.stringContaining('these are two records') });
  });
});
