import { isNativeError } from 'node:util/types';
import { request, type Dispatcher } from 'undici';
import type { AttemptFault, AttemptOutcome } from './attempt.js';
import { VettedConnection, VettingError, type ConnectionOptions } from './vetted-connection.js';

export interface SenderOptions extends Omit<ConnectionOptions, 'connectTimeoutMs'> {
  /** From the call to the end of the answer's headers, wall time. Default 15 s. */
  readonly timeoutMs?: number;
  /** How much of an answer is kept; the rest is not read. Default 4 KiB. */
  readonly answerBytesMax?: number;
  readonly userAgent?: string;
  /** Added to every message as it goes out; never part of what is signed. */
  readonly alongside?: () => Readonly<Record<string, string>>;
}

export interface Message {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | string;
}

export interface Sender {
  /**
   * POSTs the message once and tells how it ended; never rejects. Redirects are not followed. A connection that is reset within a
   * second is tried once more at once: it may have been an idle one that the other side was just closing.
   */
  send(message: Message, options?: { signal?: AbortSignal }): Promise<AttemptOutcome>;
  /** Ends all connections; what is under way ends as `other` or `connection-reset`. */
  close(): Promise<void>;
}

const RESET_RETRY_WITHIN_MS = 1_000;

/** Sends webhooks to addresses that other people have entered: see `VettedConnection` for what it will not reach. */
export function createSender({ timeoutMs = 15_000, answerBytesMax = 4_096, userAgent = 'Sejam/0.1 (+webhooks)', alongside = () => ({}), ...connection }: SenderOptions = {}): Sender {
  const vetted = new VettedConnection({ ...connection, connectTimeoutMs: timeoutMs });

  async function send(message: Message, { signal }: { signal?: AbortSignal } = {}): Promise<AttemptOutcome> {
    const started = performance.now();
    const elapsedMs = () => Math.round(performance.now() - started);
    const timeout = AbortSignal.timeout(timeoutMs);
    const limits = { timeout, signal: signal ? AbortSignal.any([signal, timeout]) : timeout };
    const fail = (fault: AttemptFault, detail: string): AttemptOutcome => ({ kind: 'failed', fault, detail, durationMs: elapsedMs() });

    let dispatcher: Dispatcher;
    try {
      dispatcher = await vetted.vet(message.url, limits.signal);
    } catch (error) {
      if (error instanceof VettingError) return fail(error.fault, error.message);
      // Still resolving: that is not the platform's delay.
      return limits.timeout.aborted ? fail('dns', `the host name was not resolved within ${timeoutMs} ms`) : fail('cancelled', 'the attempt was cancelled');
    }
    for (let tried = 1; ; tried++) {
      try {
        const answer = await request(message.url, {
          dispatcher,
          method: 'POST',
          headers: { 'content-type': 'application/json', ...alongside(), ...message.headers, 'user-agent': userAgent },
          body: typeof message.body === 'string' ? message.body : Buffer.from(message.body),
          signal: limits.signal,
          headersTimeout: timeoutMs,
          bodyTimeout: timeoutMs,
        });
        const retryAfter = answer.headers['retry-after'];
        return {
          kind: 'answered',
          status: answer.statusCode,
          ...(typeof retryAfter === 'string' ? { retryAfter } : {}),
          body: await beginning(answer.body, answerBytesMax),
          durationMs: elapsedMs(),
        };
      } catch (error) {
        if (signal?.aborted) return fail('cancelled', 'the attempt was cancelled');
        const fault = limits.timeout.aborted ? 'timeout' : faultOf(error);
        if (fault === 'connection-reset' && tried === 1 && elapsedMs() < RESET_RETRY_WITHIN_MS) continue;
        return fail(fault, fault === 'timeout' ? `no answer within ${timeoutMs} ms` : describe(error));
      }
    }
  }

  return { send, close: () => vetted.close() };
}

/** What a failed connection says about whose fault it is. */
export function faultOf(error: unknown): AttemptFault {
  const errors = flatten(error);
  const vetting = errors.find((one): one is VettingError => one instanceof VettingError);
  if (vetting) return vetting.fault;
  const codes = errors.map((one) => String((one as NodeJS.ErrnoException).code ?? ''));
  const any = (...wanted: string[]) => codes.some((code) => wanted.includes(code));
  if (any('ECONNREFUSED')) return 'connection-refused';
  if (any('ETIMEDOUT', 'UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT')) return 'timeout';
  if (codes.some((code) => TLS_CODES.test(code)) || errors.some((one) => one.message.includes('before secure TLS connection was established'))) return 'tls';
  // An answer that is not HTTP is as much the other side's doing as a connection cut short.
  if (any('ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET') || errors.some((one) => one.name === 'HTTPParserError')) return 'connection-reset';
  if (any('ENETUNREACH', 'EHOSTUNREACH', 'EADDRNOTAVAIL', 'ENETDOWN')) return 'network-unreachable';
  if (any('ENOTFOUND', 'EAI_AGAIN')) return 'dns';
  return 'other';
}

const TLS_CODES = /^(ERR_SSL_|ERR_TLS_|CERT_|UNABLE_TO_|SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|HOSTNAME_MISMATCH|INVALID_CA|EPROTO)/;

function flatten(error: unknown): Error[] {
  // Never instanceof: the socket's errors may come from another realm.
  if (!isNativeError(error)) return [];
  const inner = 'errors' in error && Array.isArray(error.errors) ? error.errors.flatMap(flatten) : [];
  return [error, ...inner, ...flatten(error.cause)];
}

function describe(error: unknown): string {
  return flatten(error).map((one) => one.message).find((message) => message !== '') ?? String(error);
}

/** The status line has decided already, so a body that stalls or breaks off changes nothing. */
async function beginning(body: Dispatcher.ResponseData['body'], bytesMax: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      length += chunk.length;
      if (length >= bytesMax) break; // leaving the loop destroys the body and with it the connection
    }
  } catch {
    // What has come is kept.
  }
  return Buffer.concat(chunks).subarray(0, bytesMax).toString('utf8');
}
