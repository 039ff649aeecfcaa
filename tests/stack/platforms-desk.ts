import { randomUUID } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { sign, verify } from '@sejam/webhooks';

/** One request that reached a platform's endpoint. */
export interface Delivery {
  readonly platform: string;
  readonly webhookId: string;
  readonly type: string;
  readonly orderId: string;
  readonly data: Readonly<Record<string, unknown>> & { readonly takedownId: string; readonly sequence: number; readonly content?: { readonly contentKey: string } };
  readonly body: string;
  /** Whether the signature holds, checked as a platform would. */
  readonly verified: boolean;
  /** How it was taken: the status, or that no answer came. */
  readonly taken: Reception;
  readonly at: number;
  /** The `Sejam-Checkpoint` header, as it came. */
  readonly checkpoint: string | undefined;
}

export type Reception = number | 'hang' | 'reset';

export interface Secrets {
  readonly orders: string;
  readonly answers: string;
}

export interface Answered {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** The six platforms' ends, played by the test: takes orders as told, and answers only what the test says. */
export class PlatformsDesk {
  readonly deliveries: Delivery[] = [];
  /** How a request is taken; 204 unless a test says otherwise. */
  take: (delivery: Omit<Delivery, 'taken'>) => Reception = () => 204;
  /** Called with what was taken with 2xx. */
  taken: (delivery: Delivery) => void = () => undefined;
  #secrets: Readonly<Record<string, Secrets>> = {};
  readonly #server = createServer();

  /** Where routing finds it in place of the sandbox. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async open(): Promise<void> {
    this.#server.on('request', (request, response: ServerResponse) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const body = Buffer.concat(chunks).toString();
        const platform = /^\/platforms\/([^/]+)\/orders$/.exec(request.url ?? '')?.[1] ?? '';
        const secret = this.#secrets[platform];
        const { type, data } = JSON.parse(body) as { type: string; data: Delivery['data'] & { orderId: string } };
        const verified = secret !== undefined && verify({ headers: request.headers, body, secrets: [{ keyId: 'orders', secret: secret.orders }], now: new Date() }).valid;
        const arrived = { platform, webhookId: String(request.headers['webhook-id']), type, orderId: data.orderId, data, body, verified, at: Date.now(), checkpoint: request.headers['sejam-checkpoint']?.toString() };
        const taken = this.take(arrived);
        const delivery = { ...arrived, taken };
        this.deliveries.push(delivery);
        if (taken === 'hang') return;
        if (taken === 'reset') return void request.socket.destroy();
        response.writeHead(taken).end();
        if (taken < 300) this.taken(delivery);
      });
    });
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  knows(secrets: Readonly<Record<string, Secrets>>): void {
    this.#secrets = secrets;
  }

  of(takedownId: string, type?: string): Delivery[] {
    return this.deliveries.filter(({ data, type: one }) => data.takedownId === takedownId && (type === undefined || one === type));
  }

  /** Headers and body of an answer as the platform signs it; a test may spoil them. */
  sign(platform: string, type: string, data: object, { webhookId = randomUUID(), at = new Date() }: { webhookId?: string; at?: Date } = {}): { headers: Record<string, string>; body: string } {
    const secret = this.#secrets[platform];
    if (secret === undefined) throw new Error(`There is no platform ${platform}`);
    const body = JSON.stringify({ type, timestamp: at.toISOString(), data });
    return { headers: { 'content-type': 'application/json', ...sign({ webhookId, body, secrets: [secret.answers], at }) }, body };
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
