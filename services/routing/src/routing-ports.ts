import type { DomainClock, EventStore, Transact } from '@sejam/event-sourcing';
import type { Pool, Projection } from '@sejam/postgres';
import type { Logger, Metrics, ParkedOptions } from '@sejam/service-host';
import type { AllowList } from '@sejam/webhooks';
import type { RefusedWebhooks } from './answer/refused-webhooks.js';
import type { Courier } from './delivery/courier.js';
import type { WebhookSecrets } from './platform/webhook-secrets.js';
import type { SigningKeys } from './signing-key/signing-keys.js';
import type { Takedowns } from './takedown/act-on-takedown.js';
import type { KnownRequests } from './takedown/known-requests.js';
import type { Policy } from '@sejam/deadlines';

/** What the takedown side asks about platforms; folded from `platform-*`. */
export interface Platforms {
  /** Undefined: there is no such platform. Throws `routing.catching-up` while `platform-*` is not folded to its end. */
  endpointOf(platform: string): { readonly hasEndpoint: boolean; readonly test: boolean } | undefined;
  /**
   * With which this platform may sign now: its own keys (`whpk_`) and, unless it requires those, its secrets; empty for an unknown one.
   * Without `secret`: it is lost here.
   */
  answerSecrets(platform: string): Promise<readonly { readonly keyId: string; readonly secret?: string }[]>;
}

/** The policies that sla has published. */
export interface Policies {
  /** Every version of every policy. Throws `routing.catching-up` while `sla.v1` is not read to its end. */
  all(): Promise<readonly Policy[]>;
}

/** The way to the platforms. */
export interface DeliveryPorts {
  readonly courier: Courier;
  /** Rows of messages. */
  readonly view: Projection;
  readonly secrets: WebhookSecrets;
  /** Networks that endpoints may be in although they are not public. */
  readonly allow: AllowList;
}

/** What the slices of routing stand on; made once in `main.ts`, by hand in tests. */
export interface RoutingPorts {
  readonly store: EventStore;
  readonly transact: Transact;
  readonly clock: DomainClock;
  readonly pool: Pool;
  readonly platforms: Platforms;
  readonly policies: Policies;
  readonly takedowns: Takedowns;
  readonly requests: KnownRequests;
  readonly refusedWebhooks: RefusedWebhooks;
  /** Rows of takedowns, for whoever must see what was just appended. */
  readonly takedownView: Projection;
  readonly delivery: DeliveryPorts;
  /** Our own ed25519 keys. */
  readonly signingKeys: SigningKeys;
  readonly parked: ParkedOptions;
  readonly metrics: Metrics;
  readonly log: Logger;
}

export const PORTS = Symbol('RoutingPorts');
