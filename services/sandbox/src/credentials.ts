import { readFileSync } from 'node:fs';
import { platforms, type Platform } from './order/order.js';

/** What the clearing house has given to a platform. */
export interface PlatformCredentials {
  /** Verifies what the clearing house sends. */
  readonly ordersSecret: string;
  /** Signs what the platform answers. */
  readonly answersSecret: string;
  /** For a platform that fetches its messages. */
  readonly apiKey?: string;
}

export interface Credentials {
  readonly baseUrl: string;
  readonly of: Readonly<Record<Platform, PlatformCredentials>>;
}

/** Reads the credentials file of the first start. Throws an Error of one sentence that never repeats a secret. */
export function readCredentials(file: string): Credentials {
  let content: { baseUrl?: unknown; keys?: Record<string, unknown>; webhookSecrets?: Record<string, { orders?: unknown; answers?: unknown }> };
  try {
    content = JSON.parse(readFileSync(file, 'utf8')) as typeof content;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(code === undefined ? `The credentials file ${file} is not JSON` : `The credentials file ${file} cannot be read (${code}); the first start of Sejam writes it`);
  }
  const entries = platforms.map((platform): [Platform, PlatformCredentials] => {
    const { orders, answers } = content.webhookSecrets?.[platform] ?? {};
    if (typeof orders !== 'string' || typeof answers !== 'string') throw new Error(`The credentials file ${file} holds no webhook secrets of ${platform}`);
    const apiKey = content.keys?.[platform];
    return [platform, { ordersSecret: orders, answersSecret: answers, ...(typeof apiKey === 'string' ? { apiKey } : {}) }];
  });
  if (typeof content.baseUrl !== 'string') throw new Error(`The credentials file ${file} holds no baseUrl`);
  return { baseUrl: content.baseUrl, of: Object.fromEntries(entries) as Record<Platform, PlatformCredentials> };
}
