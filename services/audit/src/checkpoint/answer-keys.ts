import type { EventStore } from '@sejam/event-sourcing';

export type AnswerKeys = Record<string, { keyId: string; publicKey: string }[]>;

/** Every ed25519 key that a platform has ever registered for its answers; old ones too, since old answers are still verified. */
export async function readAnswerKeys(store: EventStore): Promise<AnswerKeys> {
  const keys: AnswerKeys = {};
  for await (const { type, data } of store.readAll({ prefixes: ['platform-'] })) {
    if (type !== 'AnswerKeySet') continue;
    const { platform, keyId, publicKey } = data as { platform: string; keyId: string; publicKey: string };
    (keys[platform] ??= []).push({ keyId, publicKey });
  }
  return keys;
}
