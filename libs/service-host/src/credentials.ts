import { readFileSync } from 'node:fs';
import { keyIdOf } from './api-key.js';
import { StartFault } from './run-service.js';

/** The file of the first start: every key and secret once, and the record they belong to. */
export interface Credentials {
  readonly baseUrl: string;
  readonly recordId: string;
  /** By the name of the officer or system that holds it, such as `bawasluReviewer`. */
  readonly keys: Readonly<Record<string, string>>;
  /** By platform: `orders` signs what we send, `answers` what the platform sends. */
  readonly webhookSecrets: Readonly<Record<string, { readonly orders: string; readonly answers: string }>>;
}

/** Throws StartFault, one sentence: missing, unreadable, not such a file, or of another record. Without `recordId` it may be of any. */
export function readCredentials(file: string, recordId?: string): Credentials {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new StartFault(`The credentials file ${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown cause'})`);
  }
  const credentials = parsed(text, file);
  if (recordId !== undefined && credentials.recordId !== recordId) {
    throw new StartFault(`The credentials file ${file} belongs to record ${credentials.recordId}, but this record is ${recordId}: put back the file or the data that belong together`);
  }
  return credentials;
}

function parsed(text: string, file: string): Credentials {
  try {
    const { baseUrl, recordId, keys, webhookSecrets } = JSON.parse(text) as Partial<Credentials>;
    const whole = typeof baseUrl === 'string' && typeof recordId === 'string' && typeof keys === 'object' && typeof webhookSecrets === 'object';
    if (whole && Object.values(keys).every((key) => keyIdOf(key) !== undefined)) return { baseUrl, recordId, keys, webhookSecrets };
  } catch {
    // Answered below.
  }
  throw new StartFault(`The credentials file ${file} is damaged: put it back from your backup`);
}
