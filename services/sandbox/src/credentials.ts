import type { Credentials as FirstStart } from '@sejam/service-host';
import { platforms, type Platform } from './order/order.js';

/** What the clearing house has given to a platform. */
export interface PlatformCredentials {
  /** Verifies what the clearing house sends. */
  readonly ordersSecret: string;
  /** Signs what the platform answers. */
  readonly answersSecret: string;
  /** For a platform that fetches its messages, and to register a key of its own. */
  readonly apiKey: string;
}

export interface Credentials {
  readonly baseUrl: string;
  readonly of: Readonly<Record<Platform, PlatformCredentials>>;
}

/** The platforms' part of the file of the first start. Throws an Error of one sentence when a platform's is not in it. */
export function credentialsOfPlatforms({ baseUrl, keys, webhookSecrets }: FirstStart): Credentials {
  const entries = platforms.map((platform): [Platform, PlatformCredentials] => {
    const [secrets, apiKey] = [webhookSecrets[platform], keys[platform]];
    if (secrets === undefined || apiKey === undefined) throw new Error(`The credentials file holds no key or no webhook secrets of ${platform}`);
    return [platform, { ordersSecret: secrets.orders, answersSecret: secrets.answers, apiKey }];
  });
  return { baseUrl, of: Object.fromEntries(entries) as Record<Platform, PlatformCredentials> };
}
