import { platforms, type Product } from '@sejam/content';
import type { EventStore, Transact } from '@sejam/event-sourcing';
import type { Credentials } from '@sejam/service-host';
import { platform, register } from './platform.js';
import type { WebhookSecrets } from './webhook-secrets.js';

const names: Readonly<Record<keyof typeof platforms, string>> = {
  meta: 'Meta', google: 'Google', tiktok: 'TikTok', telegram: 'Telegram', snackvideo: 'SnackVideo', line: 'LINE',
};

/**
 * The six platforms of the declaration, each with the secrets of the first start. Secrets are kept before the record refers to them;
 * repeatable at every step. `sandboxUrl`: where the sandbox answers for them.
 */
export async function seedPlatforms({ transact, secrets, credentials, sandboxUrl }: { transact: Transact; secrets: WebhookSecrets; credentials: Credentials; sandboxUrl?: string }): Promise<void> {
  for (const [id, ofPlatform] of Object.entries(platforms) as [keyof typeof platforms, readonly Product[]][]) {
    const own = credentials.webhookSecrets[id];
    if (own === undefined) throw new Error(`The credentials file has no webhook secrets of ${id}`);
    const orders = await secrets.keep(id, 'orders', `${id}-orders-1`, own.orders);
    const answers = await secrets.keep(id, 'answers', `${id}-answers-1`, own.answers);
    const causationId = `seed:${id}`;
    const cause = { causationId, correlationId: causationId, by: { organisation: 'sejam', holder: 'system:routing' } };
    const registration = { platform: id, name: names[id], products: [...ofPlatform], secrets: { orders, answers } };
    await transact(platform, id, cause, (state) => {
      const registered = register(state, registration);
      if (registered.length === 0 || sandboxUrl === undefined) return registered;
      return [...registered, { type: 'EndpointSet', data: { platform: id, url: `${sandboxUrl}/platforms/${id}/orders`, test: false, secrets: { orders, answers } } }];
    });
  }
}

/** Whether every platform of the declaration stands in the record. */
export async function isSeeded(store: EventStore): Promise<boolean> {
  for (const id of Object.keys(platforms)) {
    let found = false;
    for await (const event of store.read(`${platform.category}-${id}`, { limit: 1 })) found = event.type === 'PlatformRegistered';
    if (!found) return false;
  }
  return true;
}
