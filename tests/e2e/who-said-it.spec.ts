import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '@sejam/testkit';
import { generateSigningKeyPair, sign } from '@sejam/webhooks';
import { Caller, type Json } from '../stack/caller.js';
import { answers, approvedCase, statusIs } from '../stack/cases.js';
import { Stack } from '../stack/stack.js';

const command = join(import.meta.dirname, '../../services/audit/bin/sejam-audit.mjs');

async function sejamAudit(...args: string[]): Promise<{ code: number; report: Json }> {
  const ended = await promisify(execFile)(process.execPath, [command, ...args, '--json', '--quiet'], { maxBuffer: 64 * 1024 * 1024 })
    .then(({ stdout }) => ({ code: 0, stdout }), (error: { code: number; stdout: string; stderr: string }) => {
      if (error.code !== 1) throw new Error(error.stderr);
      return error;
    });
  return { code: ended.code, report: JSON.parse(ended.stdout) };
}

describe('who said what', () => {
  let stack: Stack;
  let bundle: string;
  const tiktok = generateSigningKeyPair();
  beforeAll(async () => {
    stack = await Stack.start({ speed: 60, sandbox: true });
    bundle = join(stack.folder, 'bundle');
  }, 180_000);
  afterAll(() => stack.stop(), 60_000);

  /** A bundle that holds the event, and what the command line says of it. */
  async function audited(eventId: string): Promise<{ code: number; report: Json }> {
    await eventually(async () => {
      await sejamAudit('export', '--url', stack.url, '--key', stack.credentials.keys['auditor'] ?? '', '--out', bundle);
      expect(readFileSync(join(bundle, 'events.ndjson'), 'utf8')).toContain(`"id":"${eventId}"`);
    });
    return sejamAudit('verify', bundle);
  }

  const answerOf = (takedown: Json, type: string): Json => (takedown.answers as Json[]).find((answer) => answer.type === type);

  it('is proven to third parties of the platform that signs with its own key, and of no other', async () => {
    await eventually(async () => expect((await stack.as('meta').get('/v1/platforms/meta')).body).toMatchObject({ answerKeys: { keys: [expect.anything()] } }), { withinMs: 20_000 });
    const [meta, google] = [await approvedCase(stack, { platform: 'meta' }), await approvedCase(stack, { platform: 'google' })];
    const [proven, shared] = [await statusIs(stack, meta, 'actioned'), await statusIs(stack, google, 'actioned')];
    expect(answerOf(proven, 'ContentActioned')).toMatchObject({ proof: 'asymmetric', by: { organisation: 'meta' } });
    expect(answerOf(shared, 'ContentActioned')).toMatchObject({ proof: 'shared', by: { organisation: 'google' } });

    const { code, report } = await audited(answerOf(shared, 'ContentActioned').eventId);
    expect([report.findings, code]).toEqual([[], 0]);
    expect(report.answers.asymmetric).toBeGreaterThanOrEqual(2);
    expect(report.answers.shared).toBeGreaterThanOrEqual(2);
    expect(report.answerKeys).toEqual([expect.objectContaining({ platform: 'meta', by: expect.stringMatching(/^meta\//) })]);
  }, 120_000);

  it('is told of an answer by key, webhook and record, and a body or signature that was tampered with is named', async () => {
    const { orderId, takedownId } = await approvedCase(stack, { platform: 'tiktok' });
    await statusIs(stack, { takedownId }, 'actioned');
    const registered = await stack.as('tiktok').put('/v1/platforms/tiktok/answer-key', { publicKey: tiktok.publicKey, required: true });
    expect(registered).toMatchObject({ status: 200, body: { keyId: expect.any(String), eventId: expect.any(String) } });

    const [type, data] = answers.reinstated(orderId);
    const body = JSON.stringify({ type, timestamp: new Date().toISOString(), data });
    const webhookId = randomUUID();
    const post = (secret: string) => stack.as('tiktok').send('POST', '/v1/platforms/tiktok/webhooks', body, { 'content-type': 'application/json', ...sign({ webhookId, at: new Date(), body, secrets: [secret] }) });
    const answered = await eventually(async () => {
      const answer = await post(tiktok.privateKey);
      expect(answer).toMatchObject({ status: 202, body: { effect: 'applied' } });
      return answer;
    });
    expect(await post(stack.credentials.webhookSecrets['tiktok']?.answers ?? '')).toMatchObject({ status: 401, body: { code: 'webhook.not-authentic' } });
    const event = (await stack.events(`takedown-${takedownId}`)).find(({ id }) => id === answered.body.eventId);
    expect(event).toMatchObject({ type: 'ContentReinstated', metadata: { proof: 'asymmetric', signed: { webhookId, keyId: registered.body.keyId, body } } });

    const { code, report } = await audited(answered.body.eventId);
    expect([report.findings, code]).toEqual([[], 0]);
    expect(report.answerKeys).toHaveLength(2);

    const proofsIn = async (folder: string): Promise<Json[]> => {
      const { report: { timeline } } = await sejamAudit('replay', folder, '--at', '2100-01-01T00:00:00Z', '--takedown', takedownId);
      return (timeline as Json[]).filter(({ proof }) => proof !== undefined).map(({ type: of, proof }) => `${of} ${proof}` as Json);
    };
    expect(await proofsIn(bundle)).toEqual(expect.arrayContaining(['ContentActioned shared', 'ContentReinstated asymmetric']));

    const tampered = async (change: (line: string) => string): Promise<Json[]> => {
      const copy = join(stack.folder, `bundle-${randomUUID()}`);
      cpSync(bundle, copy, { recursive: true });
      const lines = readFileSync(join(copy, 'events.ndjson'), 'utf8').split('\n');
      const at = lines.findIndex((line) => line.includes(`"id":"${answered.body.eventId}"`));
      writeFileSync(join(copy, 'events.ndjson'), lines.with(at, change(lines[at] ?? '')).join('\n'));
      const { code: holds, report: { findings } } = await sejamAudit('verify', copy);
      expect(holds).toBe(1);
      expect(await proofsIn(copy)).toContain('ContentReinstated refused');
      return (findings as Json[]).filter(({ eventId }) => eventId === answered.body.eventId).map(({ code: fault }) => fault as string);
    };
    expect(await tampered((line) => line.replaceAll('Our appeals team', 'Your appeals team'))).toEqual(['event-altered', 'answer-forged']);
    expect(await tampered((line) => line.replace(/"signature":"v1a,..../, '"signature":"v1a,AAAA'))).toEqual(['event-altered', 'answer-forged']);
  }, 120_000);

  it('goes for orders too: each is signed with the key that the record and the document name', async () => {
    const { body: { keys }, headers } = await stack.as('meta').get('/.well-known/sejam-webhook-keys.json');
    expect(keys).toEqual([{ keyId: 'sejam-1', algorithm: 'ed25519', publicKey: expect.stringMatching(/^whpk_/), validFrom: expect.any(String) }]);
    expect(await stack.as('meta').send('GET', '/.well-known/sejam-webhook-keys.json', undefined, { 'if-none-match': String(headers['etag']) })).toMatchObject({ status: 304 });
    const made = await stack.events('signingkey-sejam');
    expect(made.map(({ data }) => data)).toEqual([expect.objectContaining({ keyId: 'sejam-1', publicKey: keys[0].publicKey, cause: 'first' })]);

    const { body: { items: orders } } = await new Caller(stack.sandboxUrl).get('/orders');
    expect((orders as Json[]).length).toBeGreaterThanOrEqual(3);
    expect((orders as Json[]).filter(({ proof }) => proof !== 'asymmetric')).toEqual([]);
  }, 120_000);
});
