import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { EMPTY_ROOT, formatAddCheckpoint, Frontier, leafHash, noteSigner, openCheckpoint, proveConsistency, readCosignatures, sha256, signCheckpoint, type Hash } from '@sejam/transparency-log';
import { createWitnessServer } from './witness-server.js';

const log = noteSigner('sejam.example/record', 'ed25519', sha256('log'));
const kpu = noteSigner('kpu.example/witness', 'cosignature/v1', sha256('kpu'));

const stored = new Map<string, Hash>();
const frontier = new Frontier();
const roots: Hash[] = [EMPTY_ROOT];
for (let index = 0; index < 30; index += 1) {
  frontier.append(leafHash(Buffer.of(index)), (node) => stored.set(`${node.level}/${node.index}`, node.hash));
  roots.push(frontier.root());
}
const request = async (from: number, to: number, root = roots[to]!) => formatAddCheckpoint({
  oldSize: from, checkpoint: signCheckpoint({ size: to, root }, log),
  proof: await proveConsistency(from, to, (nodes) => Promise.resolve(nodes.map(({ level, index }) => stored.get(`${level}/${index}`)!))),
});

let folder: string;
let server: Server;
let url: string;

async function start() {
  server = createWitnessServer({ signer: kpu, logs: [log.verifier], stateFile: join(folder, 'witness.json'), now: () => new Date('2024-11-24T09:20:00Z') });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
const stop = () => new Promise((resolve) => {
  server.closeAllConnections();
  server.close(resolve);
});
const post = (body: string) => fetch(`${url}/add-checkpoint`, { method: 'POST', body });

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sejam-witness-'));
  await start();
});

afterEach(async () => {
  await stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('a witness server', () => {
  it('cosigns a log as it grows and remembers it over a restart', async () => {
    expect((await post(await request(0, 7))).status).toBe(200);
    await stop();
    await start();
    const behind = await post(await request(0, 20));
    expect([behind.status, behind.headers.get('content-type'), await behind.text()]).toEqual([409, 'text/x.tlog.size', '7\n']);
    const answer = await post(await request(7, 20));
    expect(answer.status).toBe(200);
    const checkpoint = signCheckpoint({ size: 20, root: roots[20]! }, log);
    expect(readCosignatures(checkpoint, await answer.text(), [kpu.verifier])).toMatchObject([{ timestamp: Date.parse('2024-11-24T09:20:00Z') / 1000 }]);
  });

  it('never cosigns another tree than before', async () => {
    await post(await request(0, 7));
    expect((await post(await request(7, 7, roots[6]!))).status).toBe(422);
    expect((await post(await request(7, 20, roots[19]!))).status).toBe(422);
    expect((await post(await request(7, 20))).status).toBe(200);
  });

  it('cosigns only one of two requests that begin at the same size', async () => {
    await post(await request(0, 7));
    const bodies = await Promise.all([request(7, 20), request(7, 30), request(7, 12)]);
    const answers = await Promise.all(bodies.map(post));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409]);
  });

  it('shows monitors what it has cosigned', async () => {
    const page = `${url}/${createHash('sha256').update('sejam.example/record').digest('hex')}/checkpoint`;
    expect((await fetch(page)).status).toBe(404);
    await post(await request(0, 7));
    expect(openCheckpoint(await (await fetch(page)).text(), { log: [log.verifier], witnesses: [kpu.verifier] })).toMatchObject({ size: 7, cosignatures: [{}] });
  });

  it('refuses what is too large or is no request', async () => {
    expect((await post('x'.repeat(100_000))).status).toBe(413);
    expect((await post('old 0')).status).toBe(400);
    expect((await fetch(`${url}/add-checkpoint`)).status).toBe(404);
  });
});
