import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { formatSignatureLine, noteSigner, parseNote, parsePolicy, sha256, type RecordedEvent } from '@sejam/transparency-log';
import { openBundle } from './bundle.js';
import { diffBundles } from './diff-bundles.js';
import { logOf, ordinaryEvents, testSigner, writeTestBundle, type TestLog } from './testing.js';
import { verifyBundle, type VerifyOptions } from './verify-bundle.js';
import { BundleWriter } from './write-bundle.js';

let home: string;
let made = 0;

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'sejam-audit-'));
});

afterAll(() => {
  rmSync(home, { recursive: true, force: true });
});

function bundleOf(log: TestLog, frame?: Parameters<typeof writeTestBundle>[2]): string {
  const folder = join(home, String(made += 1));
  writeTestBundle(folder, log, frame);
  return folder;
}

const verify = (folder: string, options?: VerifyOptions) => verifyBundle(openBundle(folder), options);
const SIZES = [5, 20, 40];
const events = ordinaryEvents(60, { streams: 7 });
const log = logOf(events, { signAt: SIZES });
const kept = (size: number, of = log) => [{ name: 'kept by tiktok', note: of.checkpoints.get(size)! }];
/** Manifest and checkpoint speak of `log`; only the events differ. */
function withLines(lines: readonly string[]): string {
  const folder = bundleOf(log);
  writeFileSync(join(folder, 'events.ndjson'), lines.join(''));
  return folder;
}

describe('a bundle', () => {
  it('that was not touched holds, with every checkpoint', () => {
    const report = verify(bundleOf(log), { kept: kept(20) });
    expect(report).toMatchObject({ holds: true, events: 60, streams: 7, findings: [], keyIsPinned: false });
    expect(report.checkpoints.map(({ size, holds }) => [size, holds])).toEqual([[5, true], [20, true], [20, true], [40, true], [60, true]]);
  });

  it('of a single event holds', () => {
    const folder = bundleOf(logOf([events[0]!]));
    expect(verify(folder).holds).toBe(true);
  });

  it('loses any flipped bit of its events, and the fault is named at its line', () => {
    const text = Buffer.from(log.lines.join(''));
    const starts = log.lines.map((line) => line.length).reduce<number[]>((ends, length) => [...ends, (ends.at(-1) ?? 0) + length], []);
    const folder = bundleOf(log);
    fc.assert(fc.property(fc.nat(text.length - 1), fc.nat(7), (at, bit) => {
      const flipped = Buffer.from(text);
      flipped[at]! ^= 1 << bit;
      writeFileSync(join(folder, 'events.ndjson'), flipped);
      const report = verify(folder);
      expect(report.holds).toBe(false);
      const line = starts.findIndex((end) => at < end) + 1;
      expect(report.findings.some((finding) => finding.line === line || finding.line === line + 1 || finding.index === line - 1)).toBe(true);
    }), { numRuns: 150 });
  });

  it('names the event that was altered, and says that the others are as signed', () => {
    const lines = log.lines.with(30, log.lines[30]!.replace('timeout', 'refused'));
    const report = verify(withLines(lines));
    expect(report.findings[0]).toMatchObject({ code: 'event-altered', index: 30, line: 31, stream: events[30]!.stream, revision: events[30]!.revision, eventId: events[30]!.id });
    expect(report.findings.find(({ code }) => code === 'root-differs')?.message).toContain('exactly the altered events named here');
  });

  it('names what was removed, swapped, repeated or put in between', () => {
    expect(verify(withLines(log.lines.toSpliced(30, 1))).findings).toContainEqual(expect.objectContaining({ code: 'event-missing', index: 30 }));
    expect(verify(withLines(log.lines.with(30, log.lines[31]!).with(31, log.lines[30]!))).findings).toContainEqual(expect.objectContaining({ code: 'event-moved', index: 30 }));
    expect(verify(withLines(log.lines.toSpliced(31, 0, log.lines[30]!))).findings).toContainEqual(expect.objectContaining({ code: 'event-repeated', index: 30 }));
    const foreign = logOf(ordinaryEvents(61, { streams: 3 })).lines[30]!;
    expect(verify(withLines(log.lines.toSpliced(30, 0, foreign))).findings).toContainEqual(expect.objectContaining({ code: 'event-repeated', index: 30 }));
    expect(verify(withLines(log.lines.slice(0, -1))).findings).toContainEqual(expect.objectContaining({ code: 'record-short', index: 59 }));
    expect(verify(withLines([...log.lines, logOf([...events, events[0]!]).lines[60]!])).findings).toContainEqual(expect.objectContaining({ code: 'record-long' }));
  });

  it.each<[string, (events: RecordedEvent[]) => RecordedEvent[], string]>([
    ['an altered event', (list) => list.with(30, { ...list[30]!, data: { forged: true } }), 'root-differs'],
    ['a removed event', (list) => list.toSpliced(30, 1), 'revision-gap'],
    ['swapped events', (list) => list.with(30, list[31]!).with(31, list[30]!), 'root-differs'],
    ['an inserted event', (list) => list.toSpliced(30, 0, { ...list[30]!, stream: 'takedown-forged', revision: 0 }), 'root-differs'],
    ['an event moved in time', (list) => list.with(30, { ...list[30]!, metadata: { ...(list[30]!.metadata as object), at: '2020-01-01T00:00:00.000Z' } }), 'time-fell'],
    ['an event without time', (list) => list.with(30, { ...list[30]!, metadata: {} }), 'time-missing'],
  ])('with %s and every hash made anew is caught, between the checkpoints around it', (_, forge, code) => {
    const report = verify(withLines(logOf(forge(events)).lines));
    expect(report.holds).toBe(false);
    expect(report.counts).toHaveProperty(code);
    const root = report.findings.find((finding) => finding.code === 'root-differs');
    expect(root?.message).toContain('among events 20 to 39');
  });

  it('of a record that was rewritten by its own keeper is caught by a checkpoint that a platform kept', () => {
    const rewritten = logOf(events.with(10, { ...events[10]!, data: { forged: true } }));
    expect(verify(bundleOf(rewritten)).holds).toBe(true);
    const report = verify(bundleOf(rewritten), { kept: kept(20) });
    expect(report.findings).toEqual([expect.objectContaining({ code: 'record-rewritten', message: expect.stringContaining('kept by tiktok') })]);
  });

  it('of a record that was cut back is caught by a checkpoint that a platform kept', () => {
    const cut = logOf(events.slice(0, 33));
    expect(verify(bundleOf(cut)).holds).toBe(true);
    expect(verify(bundleOf(cut), { kept: kept(40) }).findings).toEqual([expect.objectContaining({ code: 'record-truncated', index: 33 })]);
  });

  it('does not take a kept checkpoint from anybody but the log', () => {
    const stranger = noteSigner('sejam.example/record', 'ed25519', sha256('stranger'));
    const report = verify(bundleOf(log), { kept: kept(20, logOf(events, { signer: stranger, signAt: SIZES })) });
    expect(report.findings).toEqual([expect.objectContaining({ code: 'checkpoint-refused', message: expect.stringContaining('kept by tiktok') })]);
    expect(verify(bundleOf(log), { key: stranger.verifier }).counts).toEqual({ 'checkpoint-refused': 4 });
  });

  it('loses a forged or shortened checkpoint', () => {
    const folder = bundleOf(log);
    const path = join(folder, 'checkpoint');
    const note = readFileSync(path);
    fc.assert(fc.property(fc.nat(note.length - 1), fc.nat(7), (at, bit) => {
      const flipped = Buffer.from(note);
      flipped[at]! ^= 1 << bit;
      writeFileSync(path, flipped);
      expect(verify(folder).counts).toHaveProperty('checkpoint-refused');
      writeFileSync(path, note.subarray(0, at));
      expect(verify(folder).counts).toHaveProperty('checkpoint-refused');
    }), { numRuns: 60 });
    writeFileSync(path, log.checkpoints.get(40)!);
    expect(verify(folder).holds).toBe(false);
  });
});

describe('cosignatures', () => {
  const kpu = noteSigner('kpu.example/witness', 'cosignature/v1', sha256('kpu'));
  const text = parseNote(log.checkpoints.get(60)!).text;
  const keys = { witnesses: [{ name: 'kpu', vkey: kpu.verifier.vkey }] };
  const policy = parsePolicy(`log ${testSigner.verifier.vkey}\nwitness kpu ${kpu.verifier.vkey}\nquorum kpu\n`);

  it('of a known witness are named with their time', () => {
    const folder = bundleOf(log, { keys, cosignatures: formatSignatureLine(kpu.sign(text, 1_732_440_000)) });
    expect(verify(folder, { policy })).toMatchObject({ holds: true, keyIsPinned: true, cosignedBy: [{ name: 'kpu.example/witness', at: '2024-11-24T09:20:00.000Z' }] });
  });

  it('that are missing fail the policy, and those on another text fail themselves', () => {
    expect(verify(bundleOf(log, { keys }), { policy }).counts).toEqual({ 'quorum-missing': 1 });
    const other = formatSignatureLine(kpu.sign(`${text}x\n`, 1_732_440_000));
    expect(verify(bundleOf(log, { keys, cosignatures: other })).counts).toEqual({ 'cosignature-refused': 1 });
  });
});

describe('a platform\'s answer', () => {
  const pair = generateKeyPairSync('ed25519');
  const publicKey = `whpk_${Buffer.from(pair.publicKey.export({ format: 'jwk' }).x!, 'base64url').toString('base64')}`;
  const at = '2024-11-24T09:20:00.000Z';
  const body = { type: 'order.actioned', data: { orderId: 'a.1', action: 'removed' } };
  const key: RecordedEvent = {
    stream: 'platform-tiktok', revision: 0, id: '0193be00-0000-7000-8000-000000000000', type: 'AnswerKeySet', data: { platform: 'tiktok', keyId: 'k1', publicKey, required: false },
    metadata: { at, by: { organisation: 'tiktok', holder: 'system:tiktok' }, causationId: 'request:tiktok:1' },
  };

  const answer = (sent: object, recorded: object, { scheme = 'v1a', stream = 'takedown-a', proof }: { scheme?: 'v1' | 'v1a'; stream?: string; proof?: string } = {}): RecordedEvent => {
    const text = JSON.stringify(sent);
    const signature = scheme === 'v1a' ? sign(null, Buffer.from(`msg_1.1732440000.${text}`), pair.privateKey).toString('base64') : 'AAAA';
    return {
      stream, revision: 0, id: '0193be00-0000-7000-8000-000000000001', type: 'ContentActioned', data: recorded,
      metadata: { at, causationId: 'webhook:tiktok:msg_1', ...(proof === undefined ? {} : { proof }), signed: { webhookId: 'msg_1', timestamp: '1732440000', signature: `${scheme},${signature}`, keyId: 'k1', body: text } },
    };
  };
  const judge = (...events: RecordedEvent[]) => verify(bundleOf(logOf(events)));

  it('is proven by the platform\'s own key, which the record names', () => {
    expect(judge(key, answer(body, body.data, { proof: 'asymmetric' }))).toMatchObject({
      holds: true, answers: { asymmetric: 1, shared: 0 }, answerKeys: [{ platform: 'tiktok', keyId: 'k1', publicKey, required: false, at, by: 'tiktok/system:tiktok' }],
    });
    expect(judge(key, answer(body, body.data, { scheme: 'v1' }))).toMatchObject({ holds: true, answers: { asymmetric: 0, shared: 1 } });
    const { signed: _, ...byKey } = answer(body, body.data).metadata as { signed: object };
    expect(judge({ ...answer(body, body.data), metadata: byKey })).toMatchObject({ holds: true, answers: { unsigned: 1, shared: 0 } });
  });

  it('that the platform did not sign, or that says something else than was recorded, is named', () => {
    const differing = answer(body, { orderId: 'a.1', action: 'demoted' });
    expect(judge(key, differing).findings).toEqual([expect.objectContaining({ code: 'answer-differs', message: expect.stringContaining('"removed"') })]);
    const { signed, ...rest } = differing.metadata as { signed: { body: string; signature: string } };
    const altered = (over: object): RecordedEvent => ({ ...differing, metadata: { ...rest, signed: { ...signed, ...over } } });
    expect(judge(key, altered({ body: signed.body.replace('removed', 'demoted') })).findings).toEqual([expect.objectContaining({ code: 'answer-forged', eventId: differing.id })]);
    expect(judge(key, altered({ signature: signed.signature.replace(/,../, ',AA') })).counts).toEqual({ 'answer-forged': 1 });
    for (const over of [{ signature: undefined }, { body: 4 }, { keyId: null }]) expect(judge(key, altered(over)).counts).toEqual({ 'answer-forged': 1 });
    expect(judge(key, { ...differing, metadata: { ...rest, signed: null } }).counts).toEqual({ 'answer-forged': 1 });
    expect(judge(key, answer(body, body.data, { scheme: 'v1', proof: 'asymmetric' })).findings).toEqual([expect.objectContaining({ code: 'answer-differs', message: expect.stringContaining('its signature is shared') })]);
  });

  it('is proven by no key that was registered later, for another platform, or that is none', () => {
    expect(judge(answer(body, body.data)).counts).toEqual({ 'answer-key-unknown': 1 });
    expect(judge(answer(body, body.data), key).counts).toEqual({ 'answer-key-unknown': 1 });
    expect(judge({ ...key, stream: 'platform-meta' }, answer(body, body.data)).counts).toEqual({ 'answer-key-unknown': 1 });
    expect(judge({ ...key, data: { keyId: 'k1', publicKey: 'whpk_AAAA' } }, answer(body, body.data))).toMatchObject({ counts: { 'answer-key-unknown': 1 }, answerKeys: [] });
  });

  it('to an order of a takedown that was merged holds where the takedown goes on, and nowhere else', () => {
    const merged: RecordedEvent = { stream: 'takedown-a', revision: 0, id: '0193be00-0000-7000-8000-000000000002', type: 'TakedownMerged', data: { into: 'b' }, metadata: { at } };
    expect(judge(key, merged, answer(body, { orderId: 'b.1', action: 'removed' }, { stream: 'takedown-b' })).holds).toBe(true);
    expect(judge(key, merged, answer(body, { orderId: 'c.1', action: 'removed' }, { stream: 'takedown-c' })).counts).toEqual({ 'answer-differs': 1 });
    expect(judge(key, answer(body, { orderId: 'b.1', action: 'removed' }, { stream: 'takedown-b' })).counts).toEqual({ 'answer-differs': 1 });
  });
});

describe('two bundles', () => {
  it('agree where one goes on from the other, and are told apart at the first event that differs', () => {
    const [whole, part] = [openBundle(bundleOf(log)), openBundle(bundleOf(logOf(events.slice(0, 40))))];
    expect(diffBundles(whole, part)).toMatchObject({ agree: true, events: [60, 40], common: 40, differences: [] });
    const other = openBundle(bundleOf(logOf(events.with(30, { ...events[30]!, type: 'OrderDelivered' }))));
    expect(diffBundles(whole, other)).toMatchObject({ agree: false, common: 30, differing: 1, differences: [{ index: 30, one: { type: 'OrderDeliveryFailed' }, other: { type: 'OrderDelivered' } }] });
  });
});

describe('an export that was cut off', () => {
  it('goes on after its last whole line', () => {
    const folder = bundleOf(log);
    writeFileSync(join(folder, 'events.ndjson'), log.lines.join('').slice(0, -20));
    const writer = new BundleWriter(folder);
    expect(writer.next).toBe(59);
    writer.append(Buffer.from(log.lines[59]!), 1);
    writer.finish({
      manifest: { origin: testSigner.verifier.name, size: 60, exportedAt: '2024-11-24T12:00:00.000Z', baseUrl: '' }, checkpoint: log.checkpoints.get(60)!, earlier: [],
      keys: { log: [testSigner.verifier.vkey], witnesses: [] },
    });
    expect(verify(folder).holds).toBe(true);
  });
});
