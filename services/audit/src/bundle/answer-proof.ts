import { createPublicKey, verify, type KeyObject } from 'node:crypto';
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
  /** Given by key over HTTP: there is no signature. */
  | { readonly proof: 'unsigned' }
  | { readonly proof: 'refused'; readonly code: FindingCode; readonly message: string };

/** A key that proves a platform's answers, as the record says that it was registered. Ask the platform whether it is its own. */
export interface RegisteredKey {
  readonly platform: string;
  readonly keyId: string;
  readonly publicKey: string;
  /** The platform refuses to be held to answers that the shared secret alone signs. */
  readonly required: boolean;
  readonly at: string;
  readonly by: string;
}

/**
 * What the `signed` metadata of answers proves. The keys come from the record itself, which the checkpoint covers: one that was registered
 * after an answer proves nothing about it, and one that was removed since still proves what came before. So events are judged in the record's order.
 */
export class AnswerProofs {
  readonly registered: RegisteredKey[] = [];
  readonly #keys = new Map<string, KeyObject>();
  /** Takedowns that go on as another. */
  readonly #merged = new Map<string, string>();

  /** Every event is to be shown here, before it is judged. */
  learn(line: EventLine): void {
    const { event } = line;
    if (event.type === 'AnswerKeySet') this.#register(line);
    if (event.type === 'TakedownMerged') this.#merged.set(event.stream, `takedown-${String(parse(event.data)['into'])}`);
  }

  /** Undefined for an event that is no answer of a platform. The signature alone would prove little: the message must also say what was recorded. */
  judge(line: EventLine): AnswerVerdict | undefined {
    const { event, metadata } = line;
    const recorded = RECORDED_AS[event.type];
    const signed = metadata['signed'];
    if (signed === undefined) return recorded === undefined ? undefined : { proof: 'unsigned' };
    if (!isSigned(signed)) return { proof: 'refused', code: 'answer-forged', message: 'what would prove it is not whole' };
    const verdict = this.#verify(signed, String(metadata['causationId']).split(':')[1] ?? '');
    if (verdict.proof === 'refused') return verdict;
    const difference = recorded === undefined ? undefined : this.#difference(signed.body, line, recorded);
    if (difference !== undefined) return { proof: 'refused', code: 'answer-differs', message: difference };
    const claimed = metadata['proof'];
    if (claimed === undefined || claimed === verdict.proof) return verdict;
    return { proof: 'refused', code: 'answer-differs', message: `it is recorded as ${JSON.stringify(claimed)}, its signature is ${verdict.proof}` };
  }

  #verify({ webhookId, timestamp, signature, keyId, body }: Signed, platform: string): AnswerVerdict {
    if (!signature.startsWith('v1a,')) return { proof: 'shared' };
    const key = this.#keys.get(`${platform} ${keyId}`);
    if (key === undefined) return { proof: 'refused', code: 'answer-key-unknown', message: `no key ${keyId} of ${platform} was registered before it` };
    return verify(null, Buffer.from(`${webhookId}.${timestamp}.${body}`), key, Buffer.from(signature.slice('v1a,'.length), 'base64'))
      ? { proof: 'asymmetric' }
      : { proof: 'refused', code: 'answer-forged', message: `the recorded signature of ${platform} does not hold over the recorded body` };
  }

  #register({ event, metadata }: EventLine): void {
    const platform = event.stream.replace(/^platform-/, '');
    const { keyId, publicKey, required } = parse(event.data);
    const key = readPublicKey(String(publicKey));
    // A key that is none proves nothing: answers under it are said to have no key.
    if (key === undefined) return;
    this.#keys.set(`${platform} ${String(keyId)}`, key);
    const by = metadata['by'] as { organisation?: unknown; holder?: unknown } | undefined;
    this.registered.push({
      platform, keyId: String(keyId), publicKey: String(publicKey), required: required === true, at: String(metadata.at), by: `${String(by?.organisation)}/${String(by?.holder)}`,
    });
  }

  #difference(body: string, { event }: EventLine, { message, fields }: { message: string; fields: readonly string[] }): string | undefined {
    const [sent, stored] = [parse(body) as { type?: unknown; data?: Record<string, unknown> }, parse(event.data)];
    if (sent.type !== message) return `the platform sent ${String(sent.type)}`;
    const field = fields.find((name) => sent.data?.[name] !== stored[name] && !(name === 'orderId' && this.#goesOnAs(String(sent.data?.[name]), event.stream)));
    return field === undefined ? undefined : `the platform's ${field} was ${JSON.stringify(sent.data?.[field])}, recorded is ${JSON.stringify(stored[field])}`;
  }

  /** An answer to an order of a takedown that was merged is recorded in the one that it goes on as. */
  #goesOnAs(orderId: string, stream: string): boolean {
    let place: string | undefined = `takedown-${orderId.replace(/\.\d+$/, '')}`;
    for (const seen = new Set<string>(); place !== undefined && !seen.has(place); place = this.#merged.get(place)) {
      if (place === stream && seen.size > 0) return true;
      seen.add(place);
    }
    return false;
  }
}

function isSigned(value: unknown): value is Signed {
  const fields = (value ?? {}) as Readonly<Record<string, unknown>>;
  return ['webhookId', 'timestamp', 'signature', 'keyId', 'body'].every((name) => typeof fields[name] === 'string');
}

/** Empty for what is no JSON object: bytes that were altered say nothing, and the leaf names them. */
function parse(json: Buffer | string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(json.toString());
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function readPublicKey(whpk: string): KeyObject | undefined {
  try {
    return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(whpk.replace(/^whpk_/, ''), 'base64').toString('base64url') }, format: 'jwk' });
  } catch {
    return undefined;
  }
}
