import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { EventStoreDBClient, NO_STREAM, jsonEvent } from '@eventstore/db-client';
import { ServerProcess, build } from '../crash/server-process.js';

const library = fileURLToPath(new URL('..', import.meta.url));

describe('the package as it would be published', () => {
  let folder: string;
  let installed: string;
  beforeAll(async () => {
    await build();
    folder = mkdtempSync(join(tmpdir(), 'package-'));
    installed = join(folder, 'node_modules', '@sejam', 'embedded-eventstore');
    mkdirSync(installed, { recursive: true });
    execFileSync('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: library });
    execFileSync('tar', ['-xzf', join(folder, readdirSync(folder).find((name) => name.endsWith('.tgz'))!), '-C', installed, '--strip-components=1']);
    // Its one dependency, as npm would install it beside it.
    symlinkSync(dirname(dirname(createRequire(import.meta.url).resolve('lmdb'))), join(folder, 'node_modules', 'lmdb'));
  }, 60_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  it('holds what runs, a licence and a README, and no sources', () => {
    expect(readdirSync(installed).sort()).toEqual(['LICENSE', 'README.md', 'bin', 'dist', 'package.json']);
    expect(readdirSync(join(installed, 'dist'), { recursive: true }).filter((name) => !/\.(js|d\.ts)$/.test(String(name)) && String(name).includes('.'))).toEqual([]);
  });

  it('runs without the rest of Sejam: a server that the official client speaks to, a backup and a check of it', async () => {
    const bin = join(installed, 'bin', 'sejam-eventstore.mjs');
    const [data, copy] = [join(folder, 'data'), join(folder, 'copy')];
    const server = await ServerProcess.start(data, { bin });
    const client = EventStoreDBClient.connectionString(server.url);
    await client.appendToStream('order-1', jsonEvent({ type: 'OrderPlaced', data: { total: 12 } }), { expectedRevision: NO_STREAM });
    const run = (...args: string[]) => execFileSync(process.execPath, [bin, ...args], { cwd: folder, encoding: 'utf8' });
    // One of them is the record's own first event.
    expect(run('backup', '--data', data, '--to', copy)).toContain('Copied 2 events of 2 streams');
    await client.dispose();
    expect(await server.end('SIGTERM')).toBe(0);
    for (const whole of [data, copy]) expect(run('verify', '--data', whole)).toContain('Checked 2 events of 2 streams');
    expect(run('--help')).toContain('sejam-eventstore --data');
  }, 60_000);
});
