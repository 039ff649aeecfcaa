import { DomainError, type Aggregate } from '@sejam/event-sourcing';

/** A secret is known to the record only by its id and its fingerprint (SHA-256, hex, first 16 characters). */
export interface SecretReference {
  secretId: string;
  fingerprint: string;
}

// Events are permanent: add optional fields freely, never rename or remove one.
export type PlatformEvent =
  /** `secrets`: in force from the first start on, with an endpoint or without. */
  | {
      type: 'PlatformRegistered';
      data: { platform: string; name: string; products: string[]; secrets?: { orders: SecretReference; answers: SecretReference } };
    }
  | {
      type: 'EndpointSet';
      data: { platform: string; url: string; test: boolean; secrets: { orders: SecretReference; answers: SecretReference } };
    }
  | { type: 'EndpointRemoved'; data: { platform: string } }
  | { type: 'EndpointPaused'; data: { platform: string; cause: string } }
  | { type: 'EndpointResumed'; data: { platform: string; by: 'probe' | 'request' } }
  /** The previous secret stays valid until `overlapUntil` (wall time). */
  | {
      type: 'SecretRotated';
      data: { platform: string; direction: 'orders' | 'answers'; secret: SecretReference; previousSecretId: string; overlapUntil: string };
    }
  /**
   * The ed25519 public key (`whpk_…`) that proves the platform's answers from here on, for auditors too. `required`: an answer by webhook that the
   * shared secret alone signs does not count any more. `overlapUntil` (wall time): until then the key before it counts as well.
   */
  | { type: 'AnswerKeySet'; data: { platform: string; keyId: string; publicKey: string; required: boolean; overlapUntil?: string } }
  /** Neither this key nor those before it count from here on. */
  | { type: 'AnswerKeyRemoved'; data: { platform: string; keyId: string } };

export interface AnswerKey {
  readonly keyId: string;
  readonly publicKey: string;
  readonly required: boolean;
  /** Keys that still count beside the newer one, until `until` (wall time). */
  readonly previous: readonly { readonly keyId: string; readonly publicKey: string; readonly until: string }[];
}

export interface Endpoint {
  readonly url: string;
  /** Orders issued meanwhile are left out of the statistics. */
  readonly test: boolean;
  readonly secrets: { readonly orders: SecretReference; readonly answers: SecretReference };
  /** Secrets that still work beside the newer ones, until `until` (wall time). */
  readonly previous: readonly { readonly direction: 'orders' | 'answers'; readonly secretId: string; readonly until: string }[];
  readonly paused: boolean;
}

/** Each key is one more check of every signature that a webhook offers; whoever replaces keys all day long must not make that dear. */
const PREVIOUS_KEYS_MAX = 3;

/** `lastSecrets` stay in force for answers when the endpoint is removed: a platform that reads its feed still signs. */
export type Platform =
  | { readonly status: 'none' }
  | {
      readonly status: 'registered';
      readonly platform: string;
      readonly name: string;
      readonly products: readonly string[];
      readonly endpoint?: Endpoint;
      readonly lastSecrets?: Pick<Endpoint, 'secrets' | 'previous'>;
      readonly answerKey?: AnswerKey;
    };

export const platform: Aggregate<Platform, PlatformEvent> = {
  category: 'platform',
  initialState: { status: 'none' },
  eventTypes: ['PlatformRegistered', 'EndpointSet', 'EndpointRemoved', 'EndpointPaused', 'EndpointResumed', 'SecretRotated', 'AnswerKeySet', 'AnswerKeyRemoved'],
  evolve: (state, event) => {
    if (event.type === 'PlatformRegistered') {
      const { secrets, ...registered } = event.data;
      return { status: 'registered', ...registered, ...(secrets === undefined ? {} : { lastSecrets: { secrets, previous: [] } }) };
    }
    if (state.status === 'none') return state;
    switch (event.type) {
      case 'EndpointSet': {
        const { url, test, secrets } = event.data;
        const same = state.lastSecrets?.secrets.orders.secretId === secrets.orders.secretId && state.lastSecrets.secrets.answers.secretId === secrets.answers.secretId;
        const kept = { secrets, previous: same ? (state.lastSecrets?.previous ?? []) : [] };
        return { ...state, endpoint: { url, test, paused: false, ...kept }, lastSecrets: kept };
      }
      case 'EndpointRemoved': {
        const { endpoint: _, ...rest } = state;
        return rest;
      }
      case 'EndpointPaused':
        return state.endpoint === undefined ? state : { ...state, endpoint: { ...state.endpoint, paused: true } };
      case 'EndpointResumed':
        return state.endpoint === undefined ? state : { ...state, endpoint: { ...state.endpoint, paused: false } };
      case 'SecretRotated': {
        const { direction, secret, previousSecretId, overlapUntil } = event.data;
        if (state.lastSecrets === undefined) return state;
        const { secrets, previous } = state.lastSecrets;
        const kept = { secrets: { ...secrets, [direction]: secret }, previous: [...previous, { direction, secretId: previousSecretId, until: overlapUntil }] };
        return { ...state, lastSecrets: kept, ...(state.endpoint === undefined ? {} : { endpoint: { ...state.endpoint, ...kept } }) };
      }
      case 'AnswerKeySet': {
        const { keyId, publicKey, required, overlapUntil } = event.data;
        const before = state.answerKey;
        const replaced = before === undefined || overlapUntil === undefined ? [] : [{ keyId: before.keyId, publicKey: before.publicKey, until: overlapUntil }];
        const previous = [...(before?.previous ?? []), ...replaced].filter((key) => key.keyId !== keyId).slice(-PREVIOUS_KEYS_MAX);
        return { ...state, answerKey: { keyId, publicKey, required, previous } };
      }
      case 'AnswerKeyRemoved': {
        const { answerKey: _, ...rest } = state;
        return rest;
      }
    }
  },
};

export function register(state: Platform, data: Extract<PlatformEvent, { type: 'PlatformRegistered' }>['data']): PlatformEvent[] {
  return state.status === 'none' ? [{ type: 'PlatformRegistered', data }] : [];
}

/** Where this platform's messages go from now on. The same again changes nothing. */
export function setEndpoint(state: Platform, { url, test, secrets }: Pick<Endpoint, 'url' | 'test' | 'secrets'>): PlatformEvent[] {
  if (state.status === 'none') throw unknown();
  const now = state.endpoint;
  const same = now?.url === url && now.test === test && now.secrets.orders.secretId === secrets.orders.secretId && now.secrets.answers.secretId === secrets.answers.secretId;
  return same ? [] : [{ type: 'EndpointSet', data: { platform: state.platform, url, test, secrets } }];
}

/** No message is due to this platform any more; what comes stands delivered in its feed. */
export function removeEndpoint(state: Platform): PlatformEvent[] {
  if (state.status === 'none') throw unknown();
  return state.endpoint === undefined ? [] : [{ type: 'EndpointRemoved', data: { platform: state.platform } }];
}

/** The endpoint says that it is gone: it is only probed until it answers again. */
export function pauseEndpoint(state: Platform, { cause }: { cause: string }): PlatformEvent[] {
  if (state.status === 'none' || state.endpoint === undefined || state.endpoint.paused) return [];
  return [{ type: 'EndpointPaused', data: { platform: state.platform, cause } }];
}

export function resumeEndpoint(state: Platform, { by }: { by: 'probe' | 'request' }): PlatformEvent[] {
  if (state.status === 'none') throw unknown();
  if (state.endpoint === undefined) throw new DomainError('endpoint.none', 'conflict', 'This platform has no endpoint');
  return state.endpoint.paused ? [{ type: 'EndpointResumed', data: { platform: state.platform, by } }] : [];
}

/** Wall time for which a secret still works after a newer one came. */
export const SECRET_OVERLAP_MS = 24 * 60 * 60_000;

/** New secrets, in one direction or both; those before stay in force for the overlap. `wallNow`: overlaps are wall time. */
export function rotateSecrets(state: Platform, fresh: Partial<Record<'orders' | 'answers', SecretReference>>, { wallNow }: { wallNow: Date }): PlatformEvent[] {
  if (state.status === 'none') throw unknown();
  const { lastSecrets, platform: id } = state;
  if (lastSecrets === undefined) throw new DomainError('endpoint.none', 'conflict', 'This platform has no secrets yet: they come with its first endpoint');
  const overlapUntil = new Date(wallNow.getTime() + SECRET_OVERLAP_MS).toISOString();
  return (['orders', 'answers'] as const).flatMap((direction): PlatformEvent[] => {
    const secret = fresh[direction];
    if (secret === undefined || secret.secretId === lastSecrets.secrets[direction].secretId) return [];
    return [{ type: 'SecretRotated', data: { platform: id, direction, secret, previousSecretId: lastSecrets.secrets[direction].secretId, overlapUntil } }];
  });
}

/** The key that proves this platform's answers from now on; the one before it counts for the overlap. The same again changes nothing. */
export function setAnswerKey(state: Platform, { wallNow, ...key }: Pick<AnswerKey, 'keyId' | 'publicKey' | 'required'> & { wallNow: Date }): PlatformEvent[] {
  if (state.status === 'none') throw unknown();
  const now = state.answerKey;
  if (now?.keyId === key.keyId && now.required === key.required) return [];
  const replaces = now !== undefined && now.keyId !== key.keyId;
  const overlap = replaces ? { overlapUntil: new Date(wallNow.getTime() + SECRET_OVERLAP_MS).toISOString() } : {};
  return [{ type: 'AnswerKeySet', data: { platform: state.platform, ...key, ...overlap } }];
}

/** At once and without an overlap: what a platform does whose key has fallen into other hands. */
export function removeAnswerKey(state: Platform): PlatformEvent[] {
  if (state.status === 'none') throw unknown();
  return state.answerKey === undefined ? [] : [{ type: 'AnswerKeyRemoved', data: { platform: state.platform, keyId: state.answerKey.keyId } }];
}

/** What an answer may be signed with now, the newest first. */
export function answerKeysInForce(state: Exclude<Platform, { status: 'none' }>, wallNow: Date): { keyId: string; publicKey: string; until?: string }[] {
  const { answerKey } = state;
  if (answerKey === undefined) return [];
  const { keyId, publicKey, previous } = answerKey;
  return [{ keyId, publicKey }, ...previous.filter(({ until }) => wallNow.getTime() < Date.parse(until)).reverse()];
}

function unknown(): DomainError {
  return new DomainError('platform.unknown', 'not-found', 'There is no such platform');
}
