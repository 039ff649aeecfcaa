import { createPublicKey, verify, type KeyObject } from 'node:crypto';
import type { BundleKeys } from './bundle.js';
import type { EventLine } from './event-line.js';
import type { FindingCode } from './finding.js';

/** Which event a platform's message may become, and the fields that both must say alike. */
const RECORDED_AS: Readonly<Record<string, { message: string; fields: readonly string[] }>> = {
  OrderAcknowledged: { message: 'order.acknowledged', fields: ['orderId'] },
  ClarificationRequested: { message: 'order.clarification_requested', fields: ['orderId', 'question'] },
  ContentActioned: { message: 'order.actioned', fields: ['orderId', 'action'] },
  OrderRefused: { message: 'order.refused', fields: ['orderId', 'reason', 'explanation'] },
  ObjectionRaised: { message: 'order.objected', fields: ['orderId', 'grounds'] },
  ContentReinstated: { message: 'content.reinstated', fields: ['orderId', 'reason'] },
};

interface Signed {
  webhookId: string;
  timestamp: string;
  signature: string;
  keyId: string;
  body: string;
}

export type AnswerVerdict =
  /** Signed with a secret that both sides know: neither can prove it to a third. */
  | { readonly proof: 'shared' }
  | { readonly proof: 'asymmetric' }
  | { readonly proof: 'refused'; readonly code: FindingCode; readonly message: string };

/**
 * What an event's `signed` metadata proves. The signature alone would prove little: the message must also say what was recorded.
 * Undefined for an event that is no answer of a platform.
 */
export class AnswerProofs {
  readonly #keys = new Map<string, KeyObject>();

  constructor(answerKeys: BundleKeys['answerKeys']) {
    for (const [platform, keys] of Object.entries(answerKeys)) {
      for (const { keyId, publicKey } of keys) this.#keys.set(`${platform} ${keyId}`, readPublicKey(publicKey));
    }
  }

  judge({ event, metadata }: EventLine): AnswerVerdict | undefined {
    const recorded = RECORDED_AS[event.type];
    const signed = metadata['signed'] as Signed | undefined;
    if (signed === undefined) return undefined;
    const difference = recorded === undefined ? undefined : differenceBetween(signed.body, event.data, recorded);
    if (difference !== undefined) return { proof: 'refused', code: 'answer-differs', message: difference };
    if (!signed.signature.startsWith('v1a,')) return { proof: 'shared' };
    const platform = String(metadata['causationId']).split(':')[1] ?? '';
    const key = this.#keys.get(`${platform} ${signed.keyId}`);
    if (key === undefined) return { proof: 'refused', code: 'answer-key-unknown', message: `no key ${signed.keyId} of ${platform} is in keys.json` };
    const content = Buffer.from(`${signed.webhookId}.${signed.timestamp}.${signed.body}`);
    return verify(null, content, key, Buffer.from(signed.signature.slice('v1a,'.length), 'base64'))
      ? { proof: 'asymmetric' }
      : { proof: 'refused', code: 'answer-forged', message: `the recorded signature of ${platform} does not hold over the recorded body` };
  }
}

function differenceBetween(body: string, data: Buffer, { message, fields }: { message: string; fields: readonly string[] }): string | undefined {
  let [sent, stored]: [{ type?: unknown; data?: Record<string, unknown> }, Record<string, unknown>] = [{}, {}];
  try {
    sent = JSON.parse(body) as typeof sent;
    stored = JSON.parse(data.toString()) as typeof stored;
  } catch {
    return 'the recorded body is not JSON';
  }
  if (sent.type !== message) return `the platform sent ${String(sent.type)}`;
  const field = fields.find((name) => sent.data?.[name] !== stored[name]);
  return field === undefined ? undefined : `the platform's ${field} was ${JSON.stringify(sent.data?.[field])}, recorded is ${JSON.stringify(stored[field])}`;
}

function readPublicKey(whpk: string): KeyObject {
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(whpk.replace(/^whpk_/, ''), 'base64').toString('base64url') }, format: 'jwk' });
}
