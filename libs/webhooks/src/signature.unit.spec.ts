import { createHmac } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { generateSecret, generateSigningKeyPair, parseSecret, secretFingerprint } from './secret.js';
import { sign, verify, type Verdict } from './signature.js';

const now = new Date('2024-11-27T05:00:00.400Z');
const secret = `whsec_${Buffer.from('a secret of exactly 32 bytes, ok').toString('base64')}`;
const other = generateSecret();
const body = '{"type":"order.acknowledged","data":{"orderId":"x.1"}}';

const signed = (over: Partial<Parameters<typeof sign>[0]> = {}) => ({ ...sign({ webhookId: 'msg_1', at: now, body, secrets: [secret], ...over }) });
const judge = (headers: Record<string, string | string[] | undefined>, over: Partial<Parameters<typeof verify>[0]> = {}) =>
  verify({ headers, body, secrets: [{ keyId: 'k1', secret }], now, ...over });
const reason = (verdict: Verdict) => (verdict.valid ? 'valid' : verdict.reason);

describe('a signed webhook', () => {
  it('is the HMAC of id, timestamp and body', () => {
    const expected = createHmac('sha256', 'a secret of exactly 32 bytes, ok').update(`msg_1.1732683600.${body}`).digest('base64');
    expect(signed()).toEqual({ 'webhook-id': 'msg_1', 'webhook-timestamp': '1732683600', 'webhook-signature': `v1,${expected}` });
  });

  it('verifies, and says which key and which signature held', () => {
    const headers = signed({ secrets: [other, secret] });
    expect(judge(headers, { secrets: [{ keyId: 'new', secret: generateSecret() }, { keyId: 'old', secret }] })).toEqual({
      valid: true,
      webhookId: 'msg_1',
      timestamp: '1732683600',
      signature: headers['webhook-signature'].split(' ')[1],
      keyId: 'old',
      proof: 'shared',
    });
  });

  it('is read by the public implementation, and reads what that one signs', () => {
    const library = new Webhook(secret);
    const wallNow = new Date();
    fc.assert(
      fc.property(fc.uuid(), fc.json(), (webhookId, json) => {
        expect(library.verify(json, signed({ webhookId, at: wallNow, body: json }) as unknown as Record<string, string>, { jsonParse: false })).toBeUndefined();
        const headers = { 'webhook-id': webhookId, 'webhook-timestamp': String(Math.floor(now.getTime() / 1000)), 'webhook-signature': library.sign(webhookId, now, json) };
        expect(judge(headers, { body: json }).valid).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  it('covers raw bytes, also such as are not UTF-8', () => {
    const bytes = Buffer.from([0xff, 0x00, 0xfe]);
    expect(judge(signed({ body: bytes }), { body: bytes }).valid).toBe(true);
    expect(reason(judge(signed({ body: bytes }), { body: bytes.toString('utf8') }))).toBe('no-matching-signature');
  });

  it('takes header names in any case', () => {
    const headers = Object.fromEntries(Object.entries(signed()).map(([name, value]) => [name.toUpperCase(), value]));
    expect(judge(headers).valid).toBe(true);
  });

  it('is tolerated for five minutes either way, to the second', () => {
    const shifted = (seconds: number) => reason(judge(signed(), { now: new Date(Date.parse('2024-11-27T05:00:00Z') + seconds * 1000) }));
    expect([-301, -300, 0, 300, 301].map(shifted)).toEqual(['too-new', 'valid', 'valid', 'valid', 'too-old']);
  });

  it('loses its validity with any change of any bit', () => {
    const headers = signed();
    fc.assert(
      fc.property(fc.nat(Buffer.byteLength(body) * 8 - 1), (bit) => {
        const changed = Buffer.from(body);
        changed[bit >> 3]! ^= 1 << (bit & 7);
        expect(reason(judge(headers, { body: changed }))).toBe('no-matching-signature');
      }),
    );
    expect(reason(judge({ ...headers, 'webhook-id': 'msg_2' }))).toBe('no-matching-signature');
    expect(reason(judge({ ...headers, 'webhook-timestamp': '1732683601' }))).toBe('no-matching-signature');
    expect(reason(judge({ ...headers, 'webhook-signature': headers['webhook-signature'].slice(0, -3) }))).toBe('no-matching-signature');
    expect(reason(judge(headers, { secrets: [{ keyId: 'k2', secret: other }] }))).toBe('no-matching-signature');
    expect(reason(judge(headers, { secrets: [] }))).toBe('no-matching-signature');
  });

  it('is refused without its headers, with doubled ones and with ones that make no sense', () => {
    for (const name of ['webhook-id', 'webhook-timestamp', 'webhook-signature'] as const) {
      expect(reason(judge({ ...signed(), [name]: undefined }))).toBe('missing-header');
      expect(reason(judge({ ...signed(), [name]: '' }))).toBe('missing-header');
      expect(reason(judge({ ...signed(), [name]: [signed()[name], signed()[name]] }))).toBe('missing-header');
    }
    for (const timestamp of ['1e9', '-1', '0x65', ' 1732683600', '1732683600.0', 'NaN', '9'.repeat(13)]) {
      expect(reason(judge({ ...signed(), 'webhook-timestamp': timestamp }))).toBe('malformed-header');
    }
    expect(reason(judge({ ...signed(), 'webhook-signature': Array(40).fill('v1,AAAA').join(' ') }))).toBe('malformed-header');
    expect(reason(judge({ ...signed(), 'webhook-id': 'a b' }))).toBe('malformed-header');
  });

  it('answers hostile headers with a verdict, never with an exception', () => {
    const text = fc.oneof(fc.string(), fc.constantFrom('v1,', 'v1', ',', 'v1a,AAAA', 'v1,=', 'v1a,' + 'A'.repeat(86) + '=='));
    fc.assert(
      fc.property(text, text, fc.oneof(text, fc.array(text).map((parts) => parts.join(' '))), (id, timestamp, signature) => {
        expect(judge({ 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature }).valid).toBe(false);
        expect(judge({ ...signed(), 'webhook-signature': signature }).valid).toBe(false);
      }),
    );
  });

  it('is never made without a secret, nor with an id that the specification forbids', () => {
    expect(() => signed({ secrets: [] })).toThrow(expect.objectContaining({ code: 'webhook.secret-malformed' }));
    for (const webhookId of ['', 'a.b', 'a b', 'é', 'x'.repeat(257)]) {
      expect(() => signed({ webhookId })).toThrow(expect.objectContaining({ code: 'webhook.id-malformed' }));
    }
  });
});

describe('an ed25519 signature', () => {
  // RFC 8032, 7.1, tests 2 and 3: the keys; the signature over our content is checked by the pair itself.
  const seed = '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb';
  const publicKey = '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c';
  const whpk = `whpk_${Buffer.from(publicKey, 'hex').toString('base64')}`;

  it('belongs to the public key that RFC 8032 gives for its seed', () => {
    for (const privateHex of [seed, seed + publicKey]) {
      const headers = signed({ secrets: [`whsk_${Buffer.from(privateHex, 'hex').toString('base64')}`] });
      expect(headers['webhook-signature']).toMatch(/^v1a,[A-Za-z0-9+/]{86}==$/);
      expect(judge(headers, { secrets: [{ keyId: 'ed', secret: whpk }] })).toMatchObject({ valid: true, keyId: 'ed' });
    }
    expect(secretFingerprint(whpk)).toBe(secretFingerprint(`whsk_${Buffer.from(seed, 'hex').toString('base64')}`));
  });

  it('is the one that another implementation made over the same content', () => {
    // A vector from the tests of Svix's server, the first implementation of v1a; its key is seed and public key.
    const whsk = 'whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==';
    const headers = sign({ webhookId: 'msg_p5jXN8AQM9LWM0D4loKWxJek', at: new Date(1614265330_000), body: '{"test": 2432232314}', secrets: [whsk] });
    expect(headers['webhook-signature']).toBe('v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==');
  });

  it('stands beside an HMAC in one header', () => {
    const pair = generateSigningKeyPair();
    const headers = signed({ secrets: [secret, pair.privateKey] });
    expect(judge(headers).valid).toBe(true);
    expect(judge(headers, { secrets: [{ keyId: 'ed', secret: pair.publicKey }] })).toMatchObject({ valid: true, keyId: 'ed' });
    expect(judge(headers, { secrets: [{ keyId: 'ed', secret: generateSigningKeyPair().publicKey }] }).valid).toBe(false);
    expect(new Webhook(secret).sign('msg_1', now, body)).toBe(headers['webhook-signature'].split(' ')[0]);
  });

  it('decides where it is offered and can be judged: a valid HMAC beside a wrong one saves nothing', () => {
    const [pair, stranger] = [generateSigningKeyPair(), generateSigningKeyPair()];
    const secrets = [{ keyId: 'shared', secret }, { keyId: 'ed', secret: pair.publicKey }];
    expect(judge(signed({ secrets: [secret, pair.privateKey] }), { secrets })).toMatchObject({ valid: true, keyId: 'ed', proof: 'asymmetric', signature: expect.stringMatching(/^v1a,/) });
    expect(judge(signed({ secrets: [secret, stranger.privateKey, pair.privateKey] }), { secrets })).toMatchObject({ valid: true, keyId: 'ed' });
    expect(judge(signed({ secrets: [secret, stranger.privateKey] }), { secrets })).toMatchObject({ valid: false, detail: expect.stringContaining('no v1a signature') });
    expect(judge(signed({ secrets: [secret] }), { secrets })).toMatchObject({ valid: true, keyId: 'shared', proof: 'shared' });
    // Without a key to judge it by, v1a is what it always was: something beside.
    expect(judge(signed({ secrets: [secret, stranger.privateKey] }))).toMatchObject({ valid: true, proof: 'shared' });
    expect(judge(signed({ secrets: [secret] }), { secrets: secrets.slice(1) })).toMatchObject({ valid: false, detail: expect.stringContaining('no v1a signature') });
  });

  it('is the same from a key that was read before', () => {
    const { privateKey } = generateSigningKeyPair();
    expect(signed({ secrets: [parseSecret(privateKey)] })).toEqual(signed({ secrets: [privateKey] }));
  });

  it('cannot be made with the public key', () => {
    expect(() => signed({ secrets: [whpk] })).toThrow(expect.objectContaining({ code: 'webhook.secret-malformed' }));
  });
});

describe('a webhook secret', () => {
  it('is 24 to 64 bytes of base64, with or without padding', () => {
    expect(parseSecret(generateSecret())).toMatchObject({ scheme: 'v1' });
    expect(parseSecret(secret.replace(/=+$/, ''))).toEqual(parseSecret(secret));
    expect(secretFingerprint(secret)).toMatch(/^[0-9a-f]{16}$/);
  });

  it('is refused when it is too short, cut off, mistyped or of no known kind, without being repeated', () => {
    const faulty = [
      '', 'whsec_', `whsec_${Buffer.alloc(23).toString('base64')}`, `whsec_${Buffer.alloc(65).toString('base64')}`,
      `whsec_${'*'.repeat(44)}`, secret.slice(0, -3) + '!', 'sk_live_abc', 'whpk_AAAA', 'whsk_AAAA', `whsk_${Buffer.alloc(64, 7).toString('base64')}`,
    ];
    for (const secretText of faulty) {
      expect(() => parseSecret(secretText)).toThrow(expect.objectContaining({ code: 'webhook.secret-malformed', message: expect.not.stringContaining(secretText.slice(6) || '\0') }));
    }
  });
});
