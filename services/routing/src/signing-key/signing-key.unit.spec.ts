import { describe, expect, it } from '@jest/globals';
import { decidedAgainIsEmpty, specFor, type Given } from '@sejam/event-sourcing/testing';
import { addSigningKey, inForce, nextKeyId, signingKey, type SigningKeyEvent } from './signing-key.js';

const { given } = specFor(signingKey);
const noon = new Date('2024-11-27T12:00:00.000Z');
const next = (keyId: string, overlapMs = 60_000) => ({ keyId, publicKey: `whpk_${keyId}`, cause: 'rotation' as const, wallNow: noon, overlapMs });
const made = (keyId: string, othersUntil?: string): Given<SigningKeyEvent> => ({
  type: 'SigningKeyMade',
  data: { keyId, publicKey: `whpk_${keyId}`, validFrom: noon.toISOString(), cause: othersUntil === undefined ? 'first' : 'rotation', ...(othersUntil === undefined ? {} : { othersUntil }) },
});
const names = (keys: readonly { keyId: string }[]): string[] => keys.map(({ keyId }) => keyId);

describe('the keys of the clearing house', () => {
  it('begin with the first, whatever the cause was', () => {
    given().when((state) => addSigningKey(state, next('sejam-1'))).then(made('sejam-1'));
    decidedAgainIsEmpty(signingKey, [], (state) => addSigningKey(state, next('sejam-1')));
  });

  it('go on with one more, while those before are used for the overlap', () => {
    const until = '2024-11-27T12:01:00.000Z';
    const rotation = given(made('sejam-1')).when((state) => addSigningKey(state, next('sejam-2')));
    rotation.then(made('sejam-2', until));
    rotation.thenState((state) => {
      expect(names(inForce(state, noon))).toEqual(['sejam-2', 'sejam-1']);
      expect(names(inForce(state, new Date(until)))).toEqual(['sejam-2']);
      expect(state.keys[0]).toMatchObject({ keyId: 'sejam-1', validUntil: until });
    });
    decidedAgainIsEmpty(signingKey, [made('sejam-1')], (state) => addSigningKey(state, next('sejam-2')));
  });

  it('never live longer through a later key: one made at once ends them all', () => {
    const { state } = given(made('sejam-1'), made('sejam-2', '2024-11-28T12:00:00.000Z'), made('sejam-3', noon.toISOString()), made('sejam-4', '2024-11-28T12:00:00.000Z'));
    expect(names(inForce(state, noon))).toEqual(['sejam-4', 'sejam-3']);
    expect(state.keys.map(({ validUntil }) => validUntil)).toEqual([noon.toISOString(), noon.toISOString(), '2024-11-28T12:00:00.000Z', undefined]);
  });

  it('are made by one instance where several would', () => {
    expect(nextKeyId(given(made('sejam-1')).state)).toBe('sejam-2');
    given(made('sejam-1'), made('sejam-2', noon.toISOString())).when((state) => addSigningKey(state, next('sejam-2'))).thenNothing();
  });
});
