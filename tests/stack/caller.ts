import { request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

/** What a caller reads out of JSON, taken as it comes. */
export type Json = ReturnType<typeof JSON.parse>;

export interface Answer {
  readonly status: number;
  readonly body: Json;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** Speaks HTTP to one gateway: exactly what it is told, once. */
export class Caller {
  constructor(
    readonly baseUrl: string,
    private readonly key?: string,
  ) {}

  get(path: string): Promise<Answer> {
    return this.send('GET', path);
  }

  post(path: string, body: object, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.send('POST', path, JSON.stringify(body), { 'content-type': 'application/json', ...headers });
  }

  put(path: string, body: object): Promise<Answer> {
    return this.send('PUT', path, JSON.stringify(body), { 'content-type': 'application/json' });
  }

  delete(path: string): Promise<Answer> {
    return this.send('DELETE', path);
  }

  /** As a client that gives up only after `withinMs`: repeats on 503, 429 and broken connections, under one Idempotency-Key. */
  async insist(method: string, path: string, body?: object, { withinMs = 60_000, headers = {} as Readonly<Record<string, string>> } = {}): Promise<Answer> {
    const idempotent = method === 'GET' ? {} : { 'idempotency-key': crypto.randomUUID() };
    const content = body === undefined ? {} : { 'content-type': 'application/json' };
    for (const deadline = Date.now() + withinMs; ; await delay(100)) {
      try {
        const answer = await this.send(method, path, body === undefined ? undefined : JSON.stringify(body), { ...content, ...idempotent, ...headers });
        if (answer.status !== 503 && answer.status !== 429 && answer.status !== 502) return answer;
        if (Date.now() > deadline) return answer;
      } catch (error) {
        if (Date.now() > deadline) throw error;
      }
    }
  }

  /** node:http and not fetch, since tests send what fetch would not. */
  send(method: string, path: string, body?: string | Buffer, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const url = new URL(this.baseUrl);
      const outgoing = request({ host: url.hostname, port: url.port, method, path, headers: { ...(this.key === undefined ? {} : { authorization: `Bearer ${this.key}` }), ...headers }, timeout: 30_000 }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          resolve({ status: response.statusCode ?? 0, body: parsed(text), headers: response.headers });
        });
      });
      outgoing.on('timeout', () => outgoing.destroy(new Error(`No answer from ${method} ${path} within 30 s`)));
      outgoing.on('error', reject);
      if (body === undefined || body.length < 1_000_000) return void outgoing.end(body);
      // A server that refuses by the length that was announced answers before the body, and a client that writes on would not hear it.
      outgoing.setHeader('content-length', Buffer.byteLength(body));
      outgoing.flushHeaders();
      const writing = setTimeout(() => outgoing.end(body), 500);
      outgoing.once('response', () => clearTimeout(writing));
    });
  }
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text);
  } catch {
    return { text };
  }
}
