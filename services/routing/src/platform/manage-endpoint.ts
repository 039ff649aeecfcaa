import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post, Put } from '@nestjs/common';
import { IsBoolean, IsIn, IsString, Length } from 'class-validator';
import { DomainError } from '@sejam/event-sourcing';
import { fingerprint, MayBeAbsent, RequestCause, transactorForRequests } from '@sejam/service-host';
import { urlFault } from '@sejam/webhooks';
import { PORTS, type RoutingPorts } from '../routing-ports.js';
import { answerKeysInForce, platform as platforms, removeEndpoint, resumeEndpoint, rotateSecrets, setEndpoint, type Endpoint, type PlatformEvent, type SecretReference } from './platform.js';
import { readPlatform, type Known } from './read-platform.js';

class EndpointBody {
  @IsString() @Length(1, 2048) url!: string;
  /** Orders issued meanwhile are marked as tests and left out of the statistics. */
  @MayBeAbsent() @IsBoolean() test?: boolean;
}

class RotationBody {
  /** Both without it. */
  @MayBeAbsent() @IsIn(['orders', 'answers']) direction?: 'orders' | 'answers';
}

interface SecretDocument {
  secretId: string;
  /** Of the newest alone. */
  fingerprint?: string;
  /** An older one works until then. */
  worksUntil?: string;
}

export interface PlatformDocument {
  platform: string;
  name: string;
  products: readonly string[];
  endpoint: { url: string; test: boolean; paused: boolean } | null;
  /** Of the secrets in force; the secrets themselves are shown only when they are made. */
  secrets: { orders: SecretDocument[]; answers: SecretDocument[] };
  /** The platform's ed25519 keys in force, the newest first; `required`: its webhooks count with one of them alone. */
  answerKeys: { required: boolean; keys: { keyId: string; publicKey: string; worksUntil?: string }[] };
  pending: number;
  failing: number;
  parked: number;
  lastSuccessAt: Date | null;
}

export interface EndpointAnswer {
  platform: string;
  url: string;
  test: boolean;
  eventId: string;
  /** Only when they are new. */
  secrets?: { orders: string; answers: string };
}

export interface TestAnswer {
  delivered: boolean;
  webhookId: string;
  status?: number;
  cause?: string;
  durationMs: number;
}

/** A platform's endpoint, managed by the operator or by the platform itself. */
@Controller('v1/platforms/:platform')
export class ManageEndpoint {
  readonly #transact: ReturnType<typeof transactorForRequests>;

  constructor(@Inject(PORTS) private readonly ports: RoutingPorts) {
    this.#transact = transactorForRequests(ports.transact);
  }

  @Get()
  async show(@Param('platform') id: string): Promise<PlatformDocument> {
    const { state } = await readPlatform(this.ports.store, id);
    const { endpoint, lastSecrets, answerKey, name, products } = state;
    const shown = (direction: 'orders' | 'answers'): SecretDocument[] => {
      const newest = lastSecrets?.secrets[direction];
      const older = lastSecrets?.previous.filter((one) => one.direction === direction && Date.now() < Date.parse(one.until)) ?? [];
      return [...(newest === undefined ? [] : [{ ...newest }]), ...older.map(({ secretId, until }) => ({ secretId, worksUntil: until }))];
    };
    return {
      platform: id, name, products,
      endpoint: endpoint === undefined ? null : { url: endpoint.url, test: endpoint.test, paused: endpoint.paused },
      secrets: { orders: shown('orders'), answers: shown('answers') },
      answerKeys: {
        required: answerKey?.required ?? false,
        keys: answerKeysInForce(state, new Date()).map(({ keyId, publicKey, until }) => ({ keyId, publicKey, ...(until === undefined ? {} : { worksUntil: until }) })),
      },
      ...(await this.ports.delivery.courier.queue.standing(id)),
    };
  }

  /** What waits for the platform goes to the new address at once. */
  @Put('endpoint')
  @HttpCode(200)
  async set(@Param('platform') id: string, @Body() { url, test = false }: EndpointBody, @RequestCause() cause: RequestCause): Promise<EndpointAnswer> {
    const fault = urlFault(url, this.ports.delivery.allow);
    if (fault !== undefined) throw new DomainError('endpoint.url-refused', 'invalid', `This address cannot be called: ${fault}`, { pointer: '/url' });
    const { state: before } = await readPlatform(this.ports.store, id);
    // Whoever has secrets keeps them: only a rotation replaces them.
    const made = before.lastSecrets === undefined ? await this.#make(id, cause, ['orders', 'answers']) : undefined;
    const { events } = await this.#transact(platforms, id, cause, (state) => {
      const secrets = (state.status === 'none' ? undefined : state.lastSecrets?.secrets) ?? (made as Endpoint['secrets']);
      return setEndpoint(state, { url, test, secrets });
    });
    this.#hurry(id);
    const { state, history } = await readPlatform(this.ports.store, id);
    const set = events.find((event) => event.type === 'EndpointSet') ?? history.findLast((event) => event.type === 'EndpointSet');
    const isNew = state.lastSecrets?.secrets.orders.secretId === secretIdOf(id, 'orders', cause);
    return {
      platform: id, url, test, eventId: set?.id ?? '',
      ...(isNew && state.lastSecrets !== undefined ? { secrets: { orders: await this.#open(id, state.lastSecrets.secrets.orders), answers: await this.#open(id, state.lastSecrets.secrets.answers) } } : {}),
    };
  }

  /** Orders and notices that still wait stand delivered in the feed, where those to come are read. */
  @Delete('endpoint')
  @HttpCode(200)
  async remove(@Param('platform') id: string, @RequestCause() cause: RequestCause): Promise<{ platform: string; eventId: string | null }> {
    const { events } = await this.#transact(platforms, id, cause, removeEndpoint);
    await this.ports.delivery.courier.lane(id).deliverByFeed();
    return { platform: id, eventId: events[0]?.id ?? (await this.#last(id, 'EndpointRemoved')) };
  }

  /** Sends an `endpoint.ping`, signed like an order, and tells how it ended. A paused endpoint that answers is resumed. */
  @Post('endpoint/test')
  @HttpCode(200)
  async test(@Param('platform') id: string): Promise<TestAnswer> {
    const endpoint = endpointOf((await readPlatform(this.ports.store, id)).state);
    const pinged = await this.ports.delivery.courier.lane(id).ping(endpoint);
    if (pinged === 'without-secrets') throw new DomainError('endpoint.secrets-lost', 'unavailable', 'The secrets to sign with are not here: rotate them, or bring the kept tables back');
    const { webhookId, verdict, durationMs } = pinged;
    if (!verdict.delivered) return { delivered: false, webhookId, cause: verdict.cause, durationMs };
    await this.ports.delivery.courier.lane(id).answered(webhookId);
    return { delivered: true, webhookId, status: verdict.status, durationMs };
  }

  @Post('endpoint/resume')
  @HttpCode(200)
  async resume(@Param('platform') id: string, @RequestCause() cause: RequestCause): Promise<{ platform: string; eventId: string | null }> {
    const { events } = await this.#transact(platforms, id, cause, (state) => resumeEndpoint(state, { by: 'request' }));
    this.#hurry(id);
    return { platform: id, eventId: events[0]?.id ?? (await this.#last(id, 'EndpointResumed')) };
  }

  /** New secrets, shown here alone; those before work for 24 hours more, and messages are signed with both. */
  @Post('endpoint/rotation')
  @HttpCode(200)
  async rotate(
    @Param('platform') id: string, @Body() { direction }: RotationBody, @RequestCause() cause: RequestCause,
  ): Promise<{ platform: string; eventId: string; secrets: { orders?: string; answers?: string }; overlapUntil: string }> {
    await readPlatform(this.ports.store, id);
    const fresh = await this.#make(id, cause, direction === undefined ? ['orders', 'answers'] : [direction]);
    const { events } = await this.#transact(platforms, id, cause, (state) => rotateSecrets(state, fresh, { wallNow: new Date() }));
    const secrets: { orders?: string; answers?: string } = {};
    let overlapUntil = '';
    for (const event of events) {
      if (event.type !== 'SecretRotated') continue;
      secrets[event.data.direction] = await this.#open(id, event.data.secret);
      ({ overlapUntil } = event.data);
    }
    return { platform: id, eventId: events[0]?.id ?? '', secrets, overlapUntil };
  }

  /** The secrets are kept before the record refers to them. Their ids follow from the cause, so a retry finds those it made. */
  async #make(id: string, cause: RequestCause, directions: readonly ('orders' | 'answers')[]): Promise<Partial<Record<'orders' | 'answers', SecretReference>>> {
    const made: Partial<Record<'orders' | 'answers', SecretReference>> = {};
    for (const direction of directions) made[direction] = await this.ports.delivery.secrets.make(id, direction, secretIdOf(id, direction, cause));
    return made;
  }

  async #open(id: string, { secretId }: SecretReference): Promise<string> {
    const secret = await this.ports.delivery.secrets.open(id, secretId);
    if (secret === undefined) throw new DomainError('endpoint.secrets-lost', 'unavailable', 'The secret is not here any more: rotate it');
    return secret;
  }

  async #last(id: string, type: PlatformEvent['type']): Promise<string | null> {
    return (await readPlatform(this.ports.store, id)).history.findLast((event) => event.type === type)?.id ?? null;
  }

  /** In the background: the answer does not depend on it, and the courier comes to it anyway. */
  #hurry(id: string): void {
    const { courier } = this.ports.delivery;
    void courier.queue.hurry(id, this.ports.clock.now()).then(() => courier.wake(id), (error: unknown) => this.ports.log.warn({ platform: id, error: String(error) }, 'What waits for a platform goes at its own time'));
  }
}

function endpointOf({ endpoint }: Known): Endpoint {
  if (endpoint === undefined) throw new DomainError('endpoint.none', 'conflict', 'This platform has no endpoint');
  return endpoint;
}

function secretIdOf(id: string, direction: 'orders' | 'answers', { causationId }: RequestCause): string {
  return `${id}-${direction}-${fingerprint(causationId).slice(0, 16)}`;
}
