import { setTimeout as delay } from 'node:timers/promises';

export interface Answer<Body = Record<string, unknown>> {
  readonly status: number;
  readonly body: Body;
}

/** A client as an agency's would be: it repeats what may be repeated, and says what it was told. */
export class SejamApi {
  constructor(
    private readonly baseUrl: string,
    private readonly keys: Readonly<Record<string, string>>,
  ) {}

  get<Body = Record<string, unknown>>(path: string, key: string): Promise<Answer<Body>> {
    return this.#call('GET', path, key, undefined);
  }

  post<Body = Record<string, unknown>>(path: string, key: string, body: object): Promise<Answer<Body>> {
    return this.#call('POST', path, key, body);
  }

  delete<Body = Record<string, unknown>>(path: string, key: string): Promise<Answer<Body>> {
    return this.#call('DELETE', path, key, undefined);
  }

  /** All pages of a list. */
  async *list<Item>(path: string, key: string): AsyncGenerator<Item> {
    for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false) {
      const { status, body } = await this.get<{ items: Item[]; next?: string }>(`${path}${path.includes('?') ? '&' : '?'}limit=200${cursor === undefined ? '' : `&cursor=${cursor}`}`, key);
      if (status !== 200) throw new Error(`${path} answered ${status}: ${JSON.stringify(body)}`);
      yield* body.items;
      cursor = body.next;
    }
  }

  async #call<Body>(method: string, path: string, key: string, body: object | undefined): Promise<Answer<Body>> {
    const secret = this.keys[key];
    if (secret === undefined) throw new Error(`The credentials have no key named ${key}`);
    const headers = { authorization: `Bearer ${secret}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...(method === 'GET' ? {} : { 'idempotency-key': crypto.randomUUID() }) };
    for (let attempt = 1; ; attempt += 1) {
      let response: Response;
      try {
        response = await fetch(`${this.baseUrl}${path}`, { method, headers, signal: AbortSignal.timeout(30_000), ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
        if ((response.status !== 429 && response.status !== 503) || attempt >= 20) return { status: response.status, body: (await response.json()) as Body };
      } catch (error) {
        if (attempt >= 20) throw new Error(`${this.baseUrl} cannot be reached: ${(error as Error).message}`, { cause: error });
        await delay(500);
        continue;
      }
      await response.body?.cancel();
      await delay(Number(response.headers.get('retry-after') ?? 1) * 1_000);
    }
  }
}
