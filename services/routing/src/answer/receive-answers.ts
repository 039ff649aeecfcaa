import { Body, Controller, HttpCode, Inject, Param, Post, Req } from '@nestjs/common';
import { ApiBody } from '@nestjs/swagger';
import { IsIn, IsObject, IsString, Matches } from 'class-validator';
import { DomainError, type FurtherMetadata } from '@sejam/event-sourcing';
import {
  currentContext, fingerprint, MayBeAbsent, parseJsonBody, problemOf, RequestCause, RequestRefused, type RequestWithRawBody,
} from '@sejam/service-host';
import { verify } from '@sejam/webhooks';
import { PORTS, type RoutingPorts } from '../routing-ports.js';
import { takedownIdOf } from '../takedown/follow-clocks.js';
import { orderOf, type Takedown } from '../takedown/takedown.js';
import { answer, type Answer, type Effect } from './answer.js';
import { answerTypes, readAnswer, type ReadAnswer } from './answer-body.js';

/** The answer in words of the contract: 202 once it is in the record. */
export interface Received {
  eventId: string;
  effect: Effect;
  mergedInto?: string;
}

class KeyedAnswerBody {
  /** In place of `webhook-id`: the same again is the same answer. */
  @IsString() @Matches(/^[\x21-\x7e]{1,256}$/) answerId!: string;
  @IsIn(answerTypes) type!: Answer['type'];
  @MayBeAbsent() @IsString() timestamp?: string;
  /** As in the webhook of this type; `orderId` may be left out. */
  @IsObject() data!: Record<string, unknown>;
}

interface Inbound {
  readonly platform: string;
  /** `webhook-id` or `answerId`. */
  readonly webhookId: string;
  readonly cause: RequestCause;
  /** The parsed body, of which type and data must be the same when the id comes again. */
  readonly body: { readonly type?: unknown; readonly data?: unknown };
  /** What stands in the event's metadata of an answer by webhook: how much its signature proves, and all that it takes to judge it again. */
  readonly proven?: Pick<FurtherMetadata, 'proof' | 'signed'>;
}

const webhookSchema = {
  type: 'object',
  required: ['type', 'data'],
  properties: {
    type: { type: 'string', enum: [...answerTypes] },
    timestamp: { type: 'string', format: 'date-time' },
    data: { type: 'object', required: ['orderId'], properties: { orderId: { type: 'string' } }, additionalProperties: true },
  },
};

/** What platforms say of their orders, signed or by key. */
@Controller('v1/platforms/:platform')
export class ReceiveAnswers {
  constructor(@Inject(PORTS) private readonly ports: RoutingPorts) {}

  /** No key: the signature over the exact bytes is the proof. */
  @Post('webhooks')
  @HttpCode(202)
  @ApiBody({ schema: webhookSchema })
  async webhook(@Param('platform') platform: string, @Req() request: RequestWithRawBody): Promise<Received> {
    const body = request.rawBody ?? Buffer.alloc(0);
    const inForce = await this.ports.platforms.answerSecrets(platform);
    const secrets = inForce.flatMap(({ keyId, secret }) => (secret === undefined ? [] : [{ keyId, secret }]));
    const verdict = verify({ headers: request.headers, body, secrets, now: new Date() });
    // It may be signed with the one that is lost: a 401 would have the platform give up an answer that is good.
    if (!verdict.valid && secrets.length < inForce.length) throw new DomainError('endpoint.secrets-lost', 'unavailable', 'Signatures of this platform cannot be verified now; send it again later', { retryAfterSeconds: 60 });
    if (!verdict.valid) throw new RequestRefused(401, 'webhook.not-authentic', `The webhook is not authentic: ${verdict.detail}`);
    const { webhookId, timestamp, signature, keyId, proof } = verdict;
    const text = body.toString('utf8');
    try {
      const causationId = `webhook:${platform}:${webhookId}`;
      const { correlationId, traceparent } = currentContext() ?? { correlationId: causationId, traceparent: undefined };
      const cause = { causationId, correlationId, traceparent, by: { organisation: platform, holder: `system:${platform}` } };
      const parsed = parseJsonBody(body);
      return await this.#receive({ platform, webhookId, cause, body: (parsed ?? {}) as Inbound['body'], proven: { proof, signed: { webhookId, timestamp, signature, keyId, body: text } } }, readAnswer(parsed));
    } catch (error) {
      await this.#keepRefused({ platform, webhookId, body: text }, error);
      throw error;
    }
  }

  @Post('orders/:orderId/answers')
  @HttpCode(202)
  async byKey(
    @Param('platform') platform: string, @Param('orderId') orderId: string, @Body() body: KeyedAnswerBody, @RequestCause() cause: RequestCause,
  ): Promise<Received> {
    const { answerId, type, data } = body;
    if (data['orderId'] !== undefined && data['orderId'] !== orderId) {
      const detail = 'data.orderId is not the order of this address';
      throw new RequestRefused(422, 'request.invalid', detail, { errors: [{ pointer: '/data/orderId', code: 'other-order', detail }] });
    }
    const message = { type, data: { ...data, orderId } };
    const causationId = `webhook:${platform}:${answerId}`;
    return this.#receive({ platform, webhookId: answerId, cause: { ...cause, causationId }, body: message }, readAnswer(message));
  }

  async #receive({ platform, cause, body, proven }: Inbound, read: ReadAnswer): Promise<Received> {
    if ('faults' in read) throw new RequestRefused(422, proven === undefined ? 'request.invalid' : 'webhook.malformed', `The body has ${read.faults.length} faults, named under errors`, { errors: read.faults });
    const { orderId, answer: given } = read;
    const takedownId = takedownIdOf(orderId);
    if (!/^[0-9a-f-]{36}$/.test(takedownId)) throw unknownOrder();
    const request = { sha256: fingerprint({ type: body.type, data: body.data }) };
    const acted = await this.ports.takedowns.act(
      takedownId,
      { ...cause, request },
      (state) => {
        const events = answer(state, orderHere(state, platform, takedownId, orderId), given);
        return events.map((event, index) => (index === events.length - 1 && proven !== undefined ? { ...event, metadata: { ...event.metadata, ...proven } } : event));
      },
      (from, to) => to.status !== 'none' && to.platform === from.platform && to.orders.length > 0,
    ).catch((error: unknown) => {
      throw isReuse(error) ? new DomainError('webhook.id-reused', 'conflict', 'This id was used before, for another answer about the same takedown') : error;
    });
    const { state, events, mergedInto } = acted;
    const event = events.at(-1);
    if (event === undefined || state.status === 'none') throw unknownOrder();
    if (!acted.replayed) this.ports.metrics.accepted.inc({ what: 'answer' });
    return { eventId: event.id, effect: event.metadata['effect'] === 'applied' ? 'applied' : 'recorded', ...(mergedInto === undefined ? {} : { mergedInto }) };
  }

  /** Refusals are the operator's to see; what we could not store now comes again and is none. */
  async #keepRefused(inbound: { platform: string; webhookId: string; body: string }, error: unknown): Promise<void> {
    const { problem } = problemOf(error, currentContext()?.requestId ?? '');
    if (problem.status >= 500) return;
    try {
      await this.ports.refusedWebhooks.keep({ ...inbound, code: problem.code, status: problem.status, detail: problem.detail }, new Date());
    } catch (failure) {
      this.ports.log.warn({ err: failure, platform: inbound.platform, code: problem.code }, 'A refused webhook could not be kept');
    }
  }
}

/** An answer to an order that was merged speaks of the content, and so of the newest order of the takedown it went to. */
function orderHere(state: Takedown, platform: string, takedownId: string, orderId: string): string {
  if (state.status === 'none' || state.platform !== platform) throw unknownOrder();
  if (state.takedownId !== takedownId) return state.orders.at(-1)?.orderId ?? orderId;
  if (orderOf(state, orderId) === undefined) throw unknownOrder();
  return orderId;
}

function unknownOrder(): DomainError {
  return new DomainError('order.unknown', 'not-found', 'There is no such order');
}

function isReuse(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'request.key-reused';
}
