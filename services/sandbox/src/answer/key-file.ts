import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { generateSigningKeyPair } from '@sejam/webhooks';
import type { Platform } from '../order/order.js';

/** Private ed25519 keys (`whsk_…`) by platform. */
export type KeyFile = Readonly<Partial<Record<Platform, string>>>;

/**
 * The keys of these platforms, made where there are none yet and kept in `path`, readable by its owner alone. Without a path they live as long
 * as the process, and the next one registers others. A real platform has its key in whatever holds its other secrets, and nowhere else.
 */
export function openKeyFile(of: readonly Platform[], path?: string): KeyFile {
  const kept = path === undefined ? {} : read(path);
  const keys = Object.fromEntries(of.map((platform) => [platform, kept[platform] ?? generateSigningKeyPair().privateKey]));
  if (path !== undefined && of.some((platform) => kept[platform] === undefined)) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `${JSON.stringify({ ...kept, ...keys })}\n`, { mode: 0o600 });
  }
  return keys;
}

function read(path: string): KeyFile {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as KeyFile;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new Error(`The sandbox's keys in ${path} cannot be read; remove the file, and other keys are registered`, { cause: error });
  }
}
