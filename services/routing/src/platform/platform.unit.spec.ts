import { describe, expect, it } from '@jest/globals';
import { decidedAgainIsEmpty, specFor, type Given } from '@sejam/event-sourcing/testing';
import { answerKeysInForce, pauseEndpoint, platform, register, removeAnswerKey, removeEndpoint, resumeEndpoint, rotateSecrets, setAnswerKey, setEndpoint, type Platform, type PlatformEvent, type SecretReference } from './platform.js';

const { given } = specFor(platform);
const secret = (secretId: string): SecretReference => ({ secretId, fingerprint: secretId });
const secrets = { orders: secret('o-1'), answers: secret('a-1') };
const registered: Given<PlatformEvent> = { type: 'PlatformRegistered', data: { platform: 'tiktok', name: 'TikTok', products: ['tiktok'], secrets } };
const set: Given<PlatformEvent> = { type: 'EndpointSet', data: { platform: 'tiktok', url: 'https://tiktok.example', test: false, secrets } };
const removed: Given<PlatformEvent> = { type: 'EndpointRemoved', data: { platform: 'tiktok' } };
const rotated: Given<PlatformEvent> = { type: 'SecretRotated', data: { platform: 'tiktok', direction: 'answers', secret: secret('a-2'), previousSecretId: 'a-1', overlapUntil: '2024-11-28T00:00:00.000Z' } };

describe('a platform', () => {
  it('is registered once', () => {
    decidedAgainIsEmpty(platform, [], (state) => register(state, { platform: 'tiktok', name: 'TikTok', products: ['tiktok'] }));
  });

  it('has the endpoint that was set last, and none after it was removed', () => {
    const endpoint = { url: 'https://tiktok.example', test: true, secrets };
    given(registered).when((state) => setEndpoint(state, endpoint)).then({ type: 'EndpointSet', data: { platform: 'tiktok', ...endpoint } });
    decidedAgainIsEmpty(platform, [registered], (state) => setEndpoint(state, endpoint));
    expect(given(registered, set).state).toMatchObject({ endpoint: { url: 'https://tiktok.example', paused: false } });
    expect(given(registered, set, removed).state).not.toHaveProperty('endpoint');
    given().when((state) => setEndpoint(state, endpoint)).thenRefused('platform.unknown');
  });

  it('keeps the secrets in force through rotation, and without an endpoint', () => {
    const previous = [{ direction: 'answers', secretId: 'a-1', until: '2024-11-28T00:00:00.000Z' }];
    expect(given(registered).state).toMatchObject({ lastSecrets: { secrets, previous: [] } });
    expect(given(registered, set, rotated).state).toMatchObject({ endpoint: { secrets: { orders: secret('o-1'), answers: secret('a-2') }, previous } });
    expect(given(registered, set, rotated, removed).state).toMatchObject({ lastSecrets: { secrets: { answers: secret('a-2') }, previous } });
    const again: Given<PlatformEvent> = { type: 'EndpointSet', data: { platform: 'tiktok', url: 'https://other.example', test: false, secrets: { orders: secret('o-1'), answers: secret('a-2') } } };
    expect(given(registered, set, rotated, again).state).toMatchObject({ endpoint: { url: 'https://other.example', previous } });
  });

  it('is paused and resumed', () => {
    expect(given(registered, set, { type: 'EndpointPaused', data: { platform: 'tiktok', cause: '410' } }).state).toMatchObject({ endpoint: { paused: true } });
    expect(given(registered, set, { type: 'EndpointPaused', data: { platform: 'tiktok', cause: '410' } }, { type: 'EndpointResumed', data: { platform: 'tiktok', by: 'probe' } }).state).toMatchObject({ endpoint: { paused: false } });
  });

  it('is paused once, and resumed by a probe or on request', () => {
    const paused: Given<PlatformEvent> = { type: 'EndpointPaused', data: { platform: 'tiktok', cause: 'http-410' } };
    given(registered, set).when((state) => pauseEndpoint(state, { cause: 'http-410' })).then({ type: 'EndpointPaused', data: { platform: 'tiktok', cause: 'http-410' } });
    decidedAgainIsEmpty(platform, [registered, set], (state) => pauseEndpoint(state, { cause: 'http-410' }));
    given(registered).when((state) => pauseEndpoint(state, { cause: 'http-410' })).thenNothing();
    given(registered, set, paused).when((state) => resumeEndpoint(state, { by: 'request' })).then({ type: 'EndpointResumed', data: { platform: 'tiktok', by: 'request' } });
    given(registered, set).when((state) => resumeEndpoint(state, { by: 'request' })).thenNothing();
    given(registered).when((state) => resumeEndpoint(state, { by: 'probe' })).thenRefused('endpoint.none');
    // Setting it anew is a new beginning.
    expect(given(registered, set, paused, { ...set }).state).toMatchObject({ endpoint: { paused: false } });
  });

  it('has its endpoint removed once', () => {
    decidedAgainIsEmpty(platform, [registered, set], removeEndpoint);
    given(registered).when(removeEndpoint).thenNothing();
    given().when(removeEndpoint).thenRefused('platform.unknown');
  });

  it('gets new secrets in one direction or both, and the old ones work for a day', () => {
    const wallNow = new Date('2024-11-27T00:00:00.000Z');
    const overlapUntil = '2024-11-28T00:00:00.000Z';
    given(registered).when((state) => rotateSecrets(state, { answers: secret('a-2') }, { wallNow })).then({ type: 'SecretRotated', data: { platform: 'tiktok', direction: 'answers', secret: secret('a-2'), previousSecretId: 'a-1', overlapUntil } });
    const both = given(registered, set).when((state) => rotateSecrets(state, { orders: secret('o-2'), answers: secret('a-2') }, { wallNow }));
    expect(both.events).toHaveLength(2);
    both.thenState((state) => expect(state).toMatchObject({
      endpoint: { secrets: { orders: secret('o-2'), answers: secret('a-2') }, previous: [{ direction: 'orders', secretId: 'o-1' }, { direction: 'answers', secretId: 'a-1' }] },
    }));
    decidedAgainIsEmpty(platform, [registered, set], (state) => rotateSecrets(state, { orders: secret('o-2') }, { wallNow }));
    given({ type: 'PlatformRegistered', data: { platform: 'x', name: 'X', products: [] } }).when((state) => rotateSecrets(state, { orders: secret('o-2') }, { wallNow })).thenRefused('endpoint.none');
  });

  it('proves its answers by a key, beside the one before for a day, until it is removed', () => {
    const wallNow = new Date('2024-11-27T00:00:00.000Z');
    const overlapUntil = '2024-11-28T00:00:00.000Z';
    const key = (keyId: string, required = false) => ({ keyId, publicKey: `whpk_${keyId}`, required });
    const keySet = (keyId: string, over: { required?: boolean; overlapUntil?: string } = {}): Given<PlatformEvent> => ({ type: 'AnswerKeySet', data: { platform: 'tiktok', ...key(keyId), ...over } });
    const inForce = (state: Platform, at: Date) => (state.status === 'none' ? [] : answerKeysInForce(state, at).map(({ keyId }) => keyId));

    given(registered).when((state) => setAnswerKey(state, { ...key('k-1'), wallNow })).then({ type: 'AnswerKeySet', data: { platform: 'tiktok', ...key('k-1') } });
    decidedAgainIsEmpty(platform, [registered], (state) => setAnswerKey(state, { ...key('k-1'), wallNow }));
    given(registered, keySet('k-1')).when((state) => setAnswerKey(state, { ...key('k-2', true), wallNow })).then({ type: 'AnswerKeySet', data: { platform: 'tiktok', ...key('k-2', true), overlapUntil } });
    // Only the requirement changes: the key before is still itself.
    given(registered, keySet('k-1')).when((state) => setAnswerKey(state, { ...key('k-1', true), wallNow })).then({ type: 'AnswerKeySet', data: { platform: 'tiktok', ...key('k-1', true) } });
    given().when((state) => setAnswerKey(state, { ...key('k-1'), wallNow })).thenRefused('platform.unknown');

    const both = given(registered, keySet('k-1'), keySet('k-2', { overlapUntil })).state;
    expect(inForce(both, wallNow)).toEqual(['k-2', 'k-1']);
    expect(inForce(both, new Date(overlapUntil))).toEqual(['k-2']);
    expect(inForce(given(registered, keySet('k-1'), keySet('k-2', { overlapUntil }), keySet('k-2', { required: true })).state, wallNow)).toEqual(['k-2', 'k-1']);
    expect(inForce(given(registered, keySet('k-1'), keySet('k-2', { overlapUntil }), keySet('k-1', { overlapUntil })).state, wallNow)).toEqual(['k-1', 'k-2']);

    const many = Array.from({ length: 9 }, (_, index) => keySet(`k-${index}`, index === 0 ? {} : { overlapUntil }));
    expect(inForce(given(registered, ...many).state, wallNow)).toEqual(['k-8', 'k-7', 'k-6', 'k-5']);

    const removal = given(registered, keySet('k-1'), keySet('k-2', { overlapUntil })).when(removeAnswerKey);
    removal.then({ type: 'AnswerKeyRemoved', data: { platform: 'tiktok', keyId: 'k-2' } });
    removal.thenState((state) => expect(inForce(state, wallNow)).toEqual([]));
    given(registered).when(removeAnswerKey).thenNothing();
  });
});
