import { Controller, Get, Header, Headers, Inject, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { fingerprint } from '@sejam/service-host';
import { PORTS, type RoutingPorts } from '../routing-ports.js';

export interface SigningKeyDocument {
  keyId: string;
  algorithm: 'ed25519';
  /** `whpk_…`, the notation of Standard Webhooks. */
  publicKey: string;
  /** Wall time, as `webhook-timestamp` is. */
  validFrom: string;
  /** Nothing signed later is ours. Missing while we sign with the key and know of no end. */
  validUntil?: string;
}

/** With what anybody verifies the `v1a` of our webhooks: those of today, and those that were kept. */
@Controller('.well-known')
export class ShowSigningKeys {
  constructor(@Inject(PORTS) private readonly ports: RoutingPorts) {}

  /** Oldest first. */
  @Get('sejam-webhook-keys.json')
  @Header('cache-control', 'public, max-age=300')
  show(@Headers('if-none-match') known: string | undefined, @Res({ passthrough: true }) reply: FastifyReply): { keys: SigningKeyDocument[] } | undefined {
    const keys = this.ports.signingKeys.published().map((key): SigningKeyDocument => ({ ...key, algorithm: 'ed25519' }));
    const etag = `"${fingerprint(keys).slice(0, 22)}"`;
    void reply.header('etag', etag);
    if (known !== etag) return { keys };
    void reply.status(304);
    return undefined;
  }
}
