import { createPublicKey } from 'node:crypto';
import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  appendSignatures, EMPTY_ROOT, formatAddCheckpoint, formatTlogProof, Frontier, generateNoteSigner, judgeAddCheckpoint, leafHash, noteSigner, NoteRefused, openCheckpoint, openNote,
  parseAddCheckpoint, parseNote, parsePolicy, parseSignerSecret, parseTlogProof, parseVkey, proveConsistency, proveInclusion, readCosignatures, sha256, signCheckpoint, verifyTlogProof,
  type Hash, type NodeId, type TreeHead,
} from './index.js';

const seed = (name: string) => sha256(name);
const log = noteSigner('sejam.example/record', 'ed25519', seed('log'));
const kpu = noteSigner('kpu.example/witness', 'cosignature/v1', seed('kpu'));
const bawaslu = noteSigner('bawaslu.example/witness', 'cosignature/v1', seed('bawaslu'));
const stranger = noteSigner('sejam.example/record', 'ed25519', seed('stranger'));

function logOf(count: number) {
  const stored = new Map<string, Hash>();
  const frontier = new Frontier();
  const leaves = Array.from({ length: count }, (_, index) => leafHash(Buffer.from(`entry ${index}`)));
  for (const leaf of leaves) frontier.append(leaf, ({ level, index, hash }) => stored.set(`${level}/${index}`, hash));
  const read = (nodes: readonly NodeId[]) => Promise.resolve(nodes.map(({ level, index }) => stored.get(`${level}/${index}`)!));
  return { leaves, read, head: { size: count, root: frontier.root() } };
}

describe('a signed note', () => {
  const published = 'This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n';
  const publishedKey = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k';

  it('of the specification is verified with the key of the specification', () => {
    const key = parseVkey(publishedKey);
    expect(openNote(published, [key])).toMatchObject({ text: 'This is an example message.\n', verified: [{ verifier: { name: 'example.com/foo' } }] });
    expect(key.vkey).toBe(publishedKey);
  });

  it('is refused when a known key\'s signature fails, even beside a good one', () => {
    const note = signCheckpoint({ size: 0, root: EMPTY_ROOT }, log);
    const { text, signatures } = parseNote(note);
    const forged = Buffer.from(signatures[0]!.signature);
    forged[10]! ^= 1;
    const both = appendSignatures(note, [{ ...signatures[0]!, signature: forged }]);
    expect(() => openNote(both, [log.verifier])).toThrow(expect.objectContaining({ code: 'signature-invalid' }));
    expect(openNote(note, [log.verifier]).text).toBe(text);
  });

  it('is refused when only unknown keys have signed', () => {
    expect(() => openNote(signCheckpoint({ size: 0, root: EMPTY_ROOT }, stranger), [log.verifier])).toThrow(expect.objectContaining({ code: 'unsigned' }));
  });

  it('loses every change of its text or signature', () => {
    const note = Buffer.from(signCheckpoint(logOf(5).head, log));
    fc.assert(fc.property(fc.nat(note.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
      const changed = Buffer.from(note);
      changed[at]! ^= mask;
      expect(() => openCheckpoint(changed.toString(), { log: [log.verifier] })).toThrow(NoteRefused);
    }));
    for (let length = 0; length < note.length; length += 1) {
      expect(() => openCheckpoint(note.subarray(0, length).toString(), { log: [log.verifier] })).toThrow(NoteRefused);
    }
  });

  it.each([
    ['a control character', 'a\tb\n\n— n AAAAAAA=\n'],
    ['no signature', 'a\n\n'],
    ['no empty line', 'a\n— n AAAAAAA=\n'],
    ['a signature too short', 'a\n\n— n AAAA\n'],
    ['base64 with another spelling', 'a\n\n— n AAAAAAB=\n'],
    ['a name with a plus', 'a\n\n— n+m AAAAAAA=\n'],
    ['a hyphen for the dash', 'a\n\n- n AAAAAAA=\n'],
  ])('with %s is malformed', (_, note) => {
    expect(() => parseNote(note)).toThrow(expect.objectContaining({ code: 'malformed' }));
  });

  it('has keys that survive writing and reading, and whose ids are checked', () => {
    const made = generateNoteSigner('kpu.example/w', 'cosignature/v1');
    expect(parseSignerSecret(made.secret).verifier.vkey).toBe(made.verifier.vkey);
    expect(parseVkey(made.verifier.vkey).keyId).toBe(made.verifier.keyId);
    expect(() => parseVkey(made.verifier.vkey.replace(/\+[0-9a-f]{8}\+/, '+00000000+'))).toThrow(/key id/);
    expect(() => parseSignerSecret('PRIVATE+KEY+x+00000000+AAAA')).toThrow(NoteRefused);
  });
});

describe('a checkpoint', () => {
  it('is understood by the parser of another project', () => {
    const require = createRequire(import.meta.url);
    const oracle = require('../../../node_modules/@sigstore/verify/dist/tlog/checkpoint.js') as {
      verifyCheckpoint(entry: object, tlogs: object[]): { origin: string; logSize: bigint; logHash: Buffer };
    };
    const { head } = logOf(11);
    const envelope = signCheckpoint(head, log);
    const authority = (key: typeof log) => ({
      logID: Buffer.from(key.verifier.keyId, 'hex'),
      baseURL: `https://${key.verifier.name}`,
      publicKey: createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(key.verifier.publicKey).toString('base64url') }, format: 'jwk' }),
    });
    const entry = (text: string) => ({ inclusionProof: { checkpoint: { envelope: text } } });
    const read = oracle.verifyCheckpoint(entry(envelope), [authority(log)]);
    expect(read).toMatchObject({ origin: 'sejam.example/record', logSize: 11n });
    expect(read.logHash).toEqual(Buffer.from(head.root));
    expect(() => oracle.verifyCheckpoint(entry(envelope), [authority(stranger)])).toThrow(/signature/);
    expect(() => oracle.verifyCheckpoint(entry(envelope.replace('\n11\n', '\n12\n')), [authority(log)])).toThrow(/signature/);
  });

  it('of one log is not taken from the key of another', () => {
    const other = noteSigner('other.example/log', 'ed25519', seed('other'));
    const { text } = parseNote(signCheckpoint({ size: 0, root: EMPTY_ROOT }, log));
    const crossed = appendSignatures(signCheckpoint({ size: 0, root: EMPTY_ROOT }, log), [other.sign(text)]).replace(/— sejam[^\n]*\n/, '');
    expect(() => openCheckpoint(crossed, { log: [log.verifier, other.verifier] })).toThrow(expect.objectContaining({ code: 'wrong-origin' }));
  });

  it('is not signed by a witness alone', () => {
    const { text } = parseNote(signCheckpoint({ size: 0, root: EMPTY_ROOT }, log));
    const cosigned = appendSignatures(signCheckpoint({ size: 0, root: EMPTY_ROOT }, log), [kpu.sign(text, 1_700_000_000)]).replace(/— sejam[^\n]*\n/, '');
    expect(() => openCheckpoint(cosigned, { log: [log.verifier], witnesses: [kpu.verifier] })).toThrow(expect.objectContaining({ code: 'unsigned' }));
  });
});

describe('a proof file', () => {
  it('shows its entry, with the cosignatures that stand on it', async () => {
    const { leaves, read, head } = logOf(21);
    const note = signCheckpoint(head, log);
    const cosigned = appendSignatures(note, [kpu.sign(parseNote(note).text, 1_732_200_000)]);
    const text = formatTlogProof({ index: 13, hashes: await proveInclusion(13, 21, read), checkpoint: cosigned, extra: Buffer.from('where') });
    const proof = parseTlogProof(text);
    expect(Buffer.from(proof.extra!).toString()).toBe('where');
    const checkpoint = verifyTlogProof(proof, leaves[13]!, { log: [log.verifier], witnesses: [kpu.verifier] });
    expect(checkpoint).toMatchObject({ size: 21, cosignatures: [{ timestamp: 1_732_200_000, verifier: { name: 'kpu.example/witness' } }] });
    expect(() => verifyTlogProof(proof, leaves[12]!, { log: [log.verifier] })).toThrow(/leaf 13/);
  });

  it('loses every changed line', async () => {
    const { leaves, read, head } = logOf(21);
    const text = formatTlogProof({ index: 13, hashes: await proveInclusion(13, 21, read), checkpoint: signCheckpoint(head, log) });
    const accepts = (changed: string) => {
      try {
        verifyTlogProof(parseTlogProof(changed), leaves[13]!, { log: [log.verifier] });
        return true;
      } catch (error) {
        if (error instanceof NoteRefused) return false;
        throw error;
      }
    };
    expect(accepts(text)).toBe(true);
    const bytes = Buffer.from(text);
    fc.assert(fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
      const changed = Buffer.from(bytes);
      changed[at]! ^= mask;
      expect(accepts(changed.toString())).toBe(false);
    }));
    const lines = text.split('\n');
    for (const at of lines.keys()) expect(accepts(lines.toSpliced(at, 1).join('\n'))).toBe(false);
  });
});

describe('a witness', () => {
  const small = logOf(6);
  const large = logOf(14);
  const at = 1_732_200_000;

  const ask = async ({ from = 6, to = large, signer = log, known = small.head, body }: { from?: number; to?: typeof large; signer?: typeof log; known?: TreeHead | undefined; body?: string } = {}) =>
    judgeAddCheckpoint(body ?? formatAddCheckpoint({ oldSize: from, proof: from > to.head.size ? [] : await proveConsistency(from, to.head.size, to.read), checkpoint: signCheckpoint(to.head, signer) }), {
      logs: [log.verifier], signer: kpu, latest: () => known, timestamp: at,
    });

  it('cosigns what extends the log, and says when', async () => {
    const answer = await ask();
    expect(answer).toMatchObject({ status: 200, head: large.head });
    const checkpoint = signCheckpoint(large.head, log);
    expect(readCosignatures(checkpoint, answer.body, [kpu.verifier, bawaslu.verifier])).toMatchObject([{ timestamp: at, verifier: { keyId: kpu.verifier.keyId } }]);
    expect(readCosignatures(checkpoint, answer.body, [bawaslu.verifier])).toEqual([]);
    expect(() => readCosignatures(signCheckpoint(small.head, log), answer.body, [kpu.verifier])).toThrow(NoteRefused);
  });

  it('keeps a note that carries both signatures', async () => {
    const answer = await ask();
    if (answer.status !== 200) throw new Error(answer.body);
    expect(openCheckpoint(answer.checkpoint, { log: [log.verifier], witnesses: [kpu.verifier] }).cosignatures).toHaveLength(1);
  });

  it('begins with any log it is told to know', async () => {
    const answer = judgeAddCheckpoint(formatAddCheckpoint({ oldSize: 0, proof: [], checkpoint: signCheckpoint(large.head, log) }), {
      logs: [log.verifier], signer: kpu, latest: () => undefined, timestamp: at,
    });
    expect(answer.status).toBe(200);
  });

  it('answers 409 with the size it knows', async () => {
    expect(await ask({ from: 4 })).toMatchObject({ status: 409, body: '6\n' });
  });

  it('answers 422 to a log that was rewritten, and to another tree of the same size', async () => {
    const rewritten = { ...large, head: { size: 14, root: leafHash(Buffer.from('rewritten')) } };
    expect((await ask({ to: rewritten })).status).toBe(422);
    expect((await ask({ from: 14, to: rewritten, known: large.head })).status).toBe(422);
    expect((await ask({ from: 14, known: large.head })).status).toBe(200);
  });

  it('answers 403 to another key, 404 to another log and 400 to what is none', async () => {
    expect((await ask({ signer: stranger })).status).toBe(403);
    expect((await ask({ signer: noteSigner('other.example/log', 'ed25519', seed('log')) })).status).toBe(404);
    expect((await ask({ body: 'old 6\n' })).status).toBe(400);
    expect((await ask({ body: (await bodyOf()).replace('old 6', 'old 06') })).status).toBe(400);
    expect((await ask({ from: 15 })).status).toBe(400);
  });

  it('never shrinks a log', async () => {
    expect((await ask({ from: 6, to: small, known: large.head })).status).toBe(409);
    expect((await ask({ from: 14, to: small, known: large.head })).status).toBe(400);
  });

  async function bodyOf() {
    return formatAddCheckpoint({ oldSize: 6, proof: await proveConsistency(6, 14, large.read), checkpoint: signCheckpoint(large.head, log) });
  }

  it('reads back what is written', async () => {
    const body = await bodyOf();
    expect(formatAddCheckpoint(parseAddCheckpoint(body))).toBe(body);
  });
});

describe('a policy', () => {
  const text = [
    '# who must have seen it', `log ${log.verifier.vkey} http://localhost:8080`, '',
    `witness kpu ${kpu.verifier.vkey} http://kpu.example`, `witness\tbawaslu ${bawaslu.verifier.vkey}`,
    'group both all kpu bawaslu', 'group either any kpu bawaslu', 'quorum either', '',
  ].join('\n');

  it('says who is believed and how many are enough', () => {
    const policy = parsePolicy(text);
    expect(policy.logs[0]).toMatchObject({ url: 'http://localhost:8080', key: { name: 'sejam.example/record' } });
    expect(policy.witnesses.map(({ name, url }) => [name, url])).toEqual([['kpu', 'http://kpu.example'], ['bawaslu', undefined]]);
    expect(policy.isQuorum([])).toBe(false);
    expect(policy.isQuorum([bawaslu.verifier])).toBe(true);
    const strict = parsePolicy(text.replace('quorum either', 'quorum both'));
    expect(strict.isQuorum([bawaslu.verifier])).toBe(false);
    expect(strict.isQuorum([kpu.verifier, bawaslu.verifier])).toBe(true);
    expect(parsePolicy('quorum none\n').isQuorum([])).toBe(true);
  });

  it.each([
    ['no quorum', '\n'],
    ['two quorums', 'quorum none\nquorum none\n'],
    ['a group of unknown members', 'group g any x\nquorum g\n'],
    ['a group that nobody can satisfy', `witness a ${kpu.verifier.vkey}\ngroup g 2 a\nquorum g\n`],
    ['one key under two names', `witness a ${kpu.verifier.vkey}\nwitness b ${kpu.verifier.vkey}\nquorum a\n`],
    ['a log key for a witness', `witness a ${log.verifier.vkey}\nquorum a\n`],
    ['the name none', `witness none ${kpu.verifier.vkey}\nquorum none\n`],
    ['an unknown word', 'trust everybody\nquorum none\n'],
  ])('with %s is refused', (_, policy) => {
    expect(() => parsePolicy(policy)).toThrow(expect.objectContaining({ name: 'PolicyRefused' }));
  });
});
