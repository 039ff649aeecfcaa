import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Controller, HttpCode, Inject, Param, Post, Req, Res } from '@nestjs/common';
import { DomainError } from '@sejam/event-sourcing';
import { parseJsonBody, RequestRefused, type RequestWithRawBody } from '@sejam/service-host';
import { verify, type Verdict } from '@sejam/webhooks';
import type { FastifyReply } from 'fastify';
import type { Credentials } from '../credentials.js';
import type { Reception } from '../script/behaviour.js';
import { CREDENTIALS, SETTINGS, type Settings } from '../tokens.js';
import { ClearingHouseKeys } from './clearing-house-keys.js';
import { Inbox } from './inbox.js';
import { isPlatform, readMessage, type Platform } from './order.js';

/** The address a platform registers as its endpoint: verify, store, answer 2xx, and only then act. */
@Controller()
export class ReceiveOrder {
  constructor(
    @Inject(CREDENTIALS) private readonly credentials: Credentials,
    @Inject(SETTINGS) private readonly settings: Settings,
    @Inject(Inbox) private readonly inbox: Inbox,
    @Inject(ClearingHouseKeys) private readonly keys: ClearingHouseKeys,
  ) {}

  @Post('/platforms/:platform/orders')
  @HttpCode(200)
  async receive(@Param('platform') platform: string, @Req() request: RequestWithRawBody, @Res({ passthrough: true }) reply: FastifyReply) {
    if (!isPlatform(platform)) throw new DomainError('platform.unknown', 'not-found', 'There is no such platform');

    // Over the bytes as they came, before anything is believed of what they say.
    const body = request.rawBody ?? Buffer.alloc(0);
    const verdict = await this.#verify(platform, request, body);
    if (!verdict.valid) throw new RequestRefused(401, 'webhook.not-authentic', `This is not from the clearing house: ${verdict.detail}`);
    const message = readMessage(parseJsonBody(body));
    if (!message) throw new DomainError('webhook.malformed', 'invalid', 'The body is no message of the contract');

    const reception = this.inbox.meet(platform, verdict.webhookId, message);
    if (reception && !succeeds(reception)) return this.#fail(reception, request, reply);

    // The same webhook-id comes again whenever our 2xx was lost: it must not be done twice.
    await this.inbox.receive({ platform, webhookId: verdict.webhookId, message, body: body.toString('utf8'), via: 'webhook', proof: verdict.proof });
    await this.#wait(reception);
    if (reception?.status !== undefined) void reply.status(reception.status);
    return { received: verdict.webhookId };
  }

  /**
   * By the clearing house's own key where it has signed with one that we know: then the order can be shown to others as well. Its document is
   * asked for a key that we do not know; as long as that could never be read, the shared secret is enough.
   */
  async #verify(platform: Platform, { headers }: RequestWithRawBody, body: Buffer): Promise<Verdict> {
    const judge = (): Verdict => {
      const secrets = [{ keyId: 'orders', secret: this.credentials.of[platform].ordersSecret }, ...this.keys.known()];
      return verify({ headers, body, secrets, now: new Date() });
    };
    const verdict = judge();
    if (verdict.valid ? verdict.proof === 'asymmetric' : verdict.reason !== 'no-matching-signature') return verdict;
    if (!String(headers['webhook-signature']).includes('v1a,')) return verdict;
    await this.keys.refresh();
    return judge();
  }

  /** What the script wants to see fail, fails here and is not stored. */
  async #fail(reception: Reception, request: RequestWithRawBody, reply: FastifyReply) {
    await this.#wait(reception);
    if (reception.hang) await once(request.raw.socket, 'close', { signal: this.settings.closing }).catch(() => {});
    if (reception.hang || reception.reset) {
      request.raw.socket.destroy();
      return undefined;
    }
    void reply.status(reception.status ?? 500);
    if (reception.retryAfterSeconds !== undefined) void reply.header('retry-after', String(reception.retryAfterSeconds));
    return { failed: 'because the script says so' };
  }

  async #wait(reception: Reception | undefined): Promise<void> {
    const waitMs = ((reception?.delaySeconds ?? 0) * 1000) / this.settings.speed;
    if (waitMs > 0) await delay(waitMs, undefined, { signal: this.settings.closing }).catch(() => {});
  }
}

function succeeds({ status = 200, hang, reset }: Reception): boolean {
  return !hang && !reset && status >= 200 && status < 300;
}
