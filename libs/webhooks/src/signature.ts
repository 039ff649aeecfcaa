import { createHmac, sign as signBytes, timingSafeEqual, verify as verifyBytes } from 'node:crypto';
import { DomainError } from '@sejam/event-sourcing';
import { parseSecret, type WebhookKey } from './secret.js';

/** Standard Webhooks 1.0: a message older or newer than this is refused as a replay or a wrong clock. */
export const TOLERANCE_SECONDS = 300;

// An ed25519 check costs as much as thirty HMACs; a header full of them must not keep the process busy.
const SIGNATURES_MAX = 32;
const HEADER_LENGTH_MAX = 8_192;
const WEBHOOK_ID_LENGTH_MAX = 256;

export interface SignedHeaders {
  'webhook-id': string;
  'webhook-timestamp': string;
  'webhook-signature': string;
}

/**
 * The three headers of Standard Webhooks 1.0 over exactly these bytes. `at` is wall time, the time of the attempt, not of the message.
 * Several secrets give several signatures, so that a receiver in the middle of a rotation finds the one it knows. A key that signs often is
 * best given as `parseSecret` made it: reading an ed25519 key costs more than signing with it.
 * Throws `webhook.secret-malformed`, and `webhook.id-malformed` for an id that the specification forbids.
 */
export function sign({ webhookId, at, body, secrets }: { webhookId: string; at: Date; body: Uint8Array | string; secrets: readonly (string | WebhookKey)[] }): SignedHeaders {
  // A dot in the id would make `id.timestamp.body` readable in two ways.
  if (!/^[\x21-\x2d\x2f-\x7e]{1,256}$/.test(webhookId)) {
    throw new DomainError('webhook.id-malformed', 'invalid', 'A webhook id is 1 to 256 visible ASCII characters without a dot');
  }
  if (secrets.length === 0) throw new DomainError('webhook.secret-malformed', 'invalid', 'A webhook is never sent unsigned: no secret was given');
  const timestamp = String(Math.floor(at.getTime() / 1000));
  const content = signedContent(webhookId, timestamp, body);
  const signatures = secrets.map((secret) => {
    const key = typeof secret === 'string' ? parseSecret(secret) : secret;
    if (key.scheme === 'v1') return `v1,${createHmac('sha256', key.key).update(content).digest('base64')}`;
    if (key.half === 'public') throw new DomainError('webhook.secret-malformed', 'invalid', 'A public key (whpk_) verifies and cannot sign');
    return `v1a,${signBytes(null, content, key.key).toString('base64')}`;
  });
  return { 'webhook-id': webhookId, 'webhook-timestamp': timestamp, 'webhook-signature': signatures.join(' ') };
}

export type VerifyFault = 'missing-header' | 'malformed-header' | 'too-old' | 'too-new' | 'no-matching-signature';

export type Verdict =
  | {
      readonly valid: true;
      readonly webhookId: string;
      /** The three values as they were sent; with the body they prove the message to a third party. */
      readonly timestamp: string;
      /** The one signature that matched. */
      readonly signature: string;
      /** Whose secret it was. */
      readonly keyId: string;
      /** `shared`: by a secret that both sides know, which proves nothing to a third. `asymmetric`: by a key that the sender alone has. */
      readonly proof: 'shared' | 'asymmetric';
    }
  | { readonly valid: false; readonly reason: VerifyFault; readonly detail: string };

/**
 * Judges a received message. `body` are the bytes as received: parsed and printed again they would be other bytes. `now` is wall time.
 * Whatever the headers hold, the answer is a verdict and never an exception; only a malformed secret of our own throws
 * (`webhook.secret-malformed`). Comparisons take the same time wherever they differ.
 *
 * Where a public key is among the secrets and the header offers `v1a`, the message stands or falls by that: a `v1` that holds beside it does not
 * save it, or whoever knows the shared secret could pass off a broken proof as an honest message. A header without `v1a` is judged by `v1`
 * alone; whoever wants none of those gives public keys only.
 */
export function verify({ headers, body, secrets, now, toleranceSeconds = TOLERANCE_SECONDS }: {
  headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  body: Uint8Array | string;
  secrets: readonly { readonly keyId: string; readonly secret: string }[];
  now: Date;
  toleranceSeconds?: number;
}): Verdict {
  const keys = secrets.map(({ keyId, secret }) => ({ keyId, key: parseSecret(secret) }));
  const webhookId = header(headers, 'webhook-id');
  const timestamp = header(headers, 'webhook-timestamp');
  const signatures = header(headers, 'webhook-signature');
  if (webhookId === undefined || timestamp === undefined || signatures === undefined) {
    return refuse('missing-header', 'webhook-id, webhook-timestamp and webhook-signature are each required exactly once');
  }
  // Dots are let through although the specification asks senders to leave them out: our bodies begin with `{`, so no second
  // reading of `id.timestamp.body` is a message.
  if (webhookId.length > WEBHOOK_ID_LENGTH_MAX || !/^[\x21-\x7e]+$/.test(webhookId)) return refuse('malformed-header', 'webhook-id must be 1 to 256 visible ASCII characters');
  if (!/^\d{1,12}$/.test(timestamp)) return refuse('malformed-header', 'webhook-timestamp must be Unix time in whole seconds');
  const offered = signatures.split(' ').filter((part) => part !== '');
  if (signatures.length > HEADER_LENGTH_MAX || offered.length > SIGNATURES_MAX) return refuse('malformed-header', `webhook-signature holds more than ${SIGNATURES_MAX} signatures`);

  const ageSeconds = now.getTime() / 1000 - Number(timestamp);
  if (ageSeconds > toleranceSeconds) return refuse('too-old', `webhook-timestamp is ${Math.round(ageSeconds)} s in the past, ${toleranceSeconds} s are tolerated`);
  if (ageSeconds < -toleranceSeconds) return refuse('too-new', `webhook-timestamp is ${Math.round(-ageSeconds)} s in the future, ${toleranceSeconds} s are tolerated`);

  const content = signedContent(webhookId, timestamp, body);
  const isPublic = ({ key }: (typeof keys)[number]): boolean => key.scheme === 'v1a';
  const scheme = keys.some(isPublic) && (keys.every(isPublic) || offered.some((signature) => signature.startsWith('v1a,'))) ? 'v1a' : 'v1';
  for (const { keyId, key } of keys) {
    if (key.scheme !== scheme) continue;
    const expected = key.scheme === 'v1' ? createHmac('sha256', key.key).update(content).digest() : undefined;
    for (const signature of offered) {
      const bytes = signatureBytes(signature, key.scheme);
      if (!bytes) continue;
      const matches = expected ? bytes.length === expected.length && timingSafeEqual(bytes, expected) : key.scheme === 'v1a' && verifyBytes(null, content, key.key, bytes);
      if (matches) return { valid: true, webhookId, timestamp, signature, keyId, proof: scheme === 'v1a' ? 'asymmetric' : 'shared' };
    }
  }
  return refuse('no-matching-signature', `no ${scheme} signature of the header was made with a ${scheme === 'v1a' ? 'key' : 'secret'} in force over these exact bytes`);
}

function signedContent(webhookId: string, timestamp: string, body: Uint8Array | string): Buffer {
  return Buffer.concat([Buffer.from(`${webhookId}.${timestamp}.`), typeof body === 'string' ? Buffer.from(body) : body]);
}

/** Undefined when absent, empty or sent twice: which of two would have been meant is not ours to choose. */
function header(headers: Readonly<Record<string, string | readonly string[] | undefined>>, name: keyof SignedHeaders): string | undefined {
  const found = Object.keys(headers).filter((key) => key.toLowerCase() === name).flatMap((key) => headers[key] ?? []);
  return found.length === 1 && found[0] !== '' ? found[0] : undefined;
}

function signatureBytes(signature: string, scheme: 'v1' | 'v1a'): Buffer | undefined {
  if (!signature.startsWith(`${scheme},`)) return undefined;
  const text = signature.slice(scheme.length + 1);
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

function refuse(reason: VerifyFault, detail: string): Verdict {
  return { valid: false, reason, detail };
}
