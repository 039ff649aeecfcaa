import { Body, Controller, Delete, HttpCode, Inject, Param, Put } from '@nestjs/common';
import { IsBoolean, IsString, Length } from 'class-validator';
import { DomainError } from '@sejam/event-sourcing';
import { MayBeAbsent, RequestCause, transactorForRequests } from '@sejam/service-host';
import { publicKeyFault, publicKeyOf, secretFingerprint } from '@sejam/webhooks';
import { PORTS, type RoutingPorts } from '../routing-ports.js';
import { platform as platforms, removeAnswerKey, setAnswerKey } from './platform.js';
import { readPlatform } from './read-platform.js';

class AnswerKeyBody {
  /** ed25519, `whpk_` and the base64 of its 32 bytes. */
  @IsString() @Length(1, 200) publicKey!: string;
  /** From now on a webhook that the shared secret alone signs is refused. */
  @MayBeAbsent() @IsBoolean() required?: boolean;
}

export interface AnswerKeyAnswer {
  platform: string;
  keyId: string;
  publicKey: string;
  required: boolean;
  eventId: string;
  /** Keys before it that count as well, and how long. */
  previous: { keyId: string; worksUntil: string }[];
}

/**
 * The key by which a platform proves its answers to everybody, us included: what the shared secret signs we could have written ourselves. Without
 * `required` an answer with `v1` alone still counts, recorded as `proof: shared`, so that a platform can go over to `v1a` without a moment in
 * which its answers are lost. With it nobody who knows the shared secret, we least of all, can answer in the platform's name by leaving `v1a` out.
 */
@Controller('v1/platforms/:platform/answer-key')
export class ManageAnswerKey {
  readonly #transact: ReturnType<typeof transactorForRequests>;

  constructor(@Inject(PORTS) private readonly ports: RoutingPorts) {
    this.#transact = transactorForRequests(ports.transact);
  }

  @Put()
  @HttpCode(200)
  async set(@Param('platform') id: string, @Body() { publicKey: given, required = false }: AnswerKeyBody, @RequestCause() cause: RequestCause): Promise<AnswerKeyAnswer> {
    const fault = publicKeyFault(given);
    if (fault !== undefined) throw new DomainError('answer-key.unusable', 'invalid', `This key cannot prove anything: ${fault}`, { pointer: '/publicKey' });
    const publicKey = publicKeyOf(given);
    const keyId = `${id}-v1a-${secretFingerprint(publicKey)}`;
    const { events, state } = await this.#transact(platforms, id, cause, (known) => setAnswerKey(known, { keyId, publicKey, required, wallNow: new Date() }));
    const set = events[0] ?? (await readPlatform(this.ports.store, id)).history.findLast(({ type }) => type === 'AnswerKeySet');
    const previous = state.status === 'none' ? [] : (state.answerKey?.previous ?? []).filter(({ until }) => Date.now() < Date.parse(until));
    return { platform: id, keyId, publicKey, required, eventId: set?.id ?? '', previous: previous.map((key) => ({ keyId: key.keyId, worksUntil: key.until })) };
  }

  /** The shared secret alone proves the answers again. */
  @Delete()
  @HttpCode(200)
  async remove(@Param('platform') id: string, @RequestCause() cause: RequestCause): Promise<{ platform: string; eventId: string | null }> {
    const { events } = await this.#transact(platforms, id, cause, removeAnswerKey);
    const removed = events[0] ?? (await readPlatform(this.ports.store, id)).history.findLast(({ type }) => type === 'AnswerKeyRemoved');
    return { platform: id, eventId: removed?.id ?? null };
  }
}
