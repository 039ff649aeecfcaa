import { Body, Controller, HttpCode, Inject, Post } from '@nestjs/common';
import { IsInt, Max, Min } from 'class-validator';
import { MayBeAbsent, RequestCause, transactorForRequests } from '@sejam/service-host';
import { PORTS, type RoutingPorts } from '../routing-ports.js';
import { addSigningKey, signingKey, type SigningKey } from './signing-key.js';
import { SIGNING_KEYRING } from './signing-keys.js';

const DAY_MINUTES = 24 * 60;

class SigningKeyRotationBody {
  /** Wall time for which messages are signed with the old key too. 0 where it has fallen into other hands; a day without it. */
  @MayBeAbsent() @IsInt() @Min(0) @Max(DAY_MINUTES) overlapMinutes?: number;
}

/** Another key of our own, published at once. */
@Controller('v1/webhook-keys')
export class RotateSigningKey {
  readonly #transact: ReturnType<typeof transactorForRequests>;

  constructor(@Inject(PORTS) private readonly ports: RoutingPorts) {
    this.#transact = transactorForRequests(ports.transact);
  }

  @Post('rotation')
  @HttpCode(200)
  async rotate(@Body() { overlapMinutes = DAY_MINUTES }: SigningKeyRotationBody, @RequestCause() cause: RequestCause): Promise<SigningKey & { eventId: string; othersUntil?: string }> {
    const next = await this.ports.signingKeys.prepare();
    const { events } = await this.#transact(signingKey, SIGNING_KEYRING, cause, (state) => addSigningKey(state, { ...next, cause: 'rotation', wallNow: new Date(), overlapMs: overlapMinutes * 60_000 }));
    // None: another request has made this very key in the same moment.
    const made = events[0] ?? (await this.ports.signingKeys.newest());
    const { keyId, publicKey, validFrom, othersUntil } = made.data;
    return { keyId, publicKey, validFrom, ...(othersUntil === undefined ? {} : { othersUntil }), eventId: made.id };
  }
}
