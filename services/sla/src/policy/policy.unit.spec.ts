import { describe, it } from '@jest/globals';
import { specFor } from '@sejam/event-sourcing/testing';
import { setPolicy, slaPolicy } from './policy.js';

const given = specFor(slaPolicy).given;
const voting = {
  policy: 'voting', acknowledgeWithinMinutes: 5, resolveWithinMinutes: 30, warningPercent: 75, clarificationCapMinutes: 10,
  window: { from: '2024-11-24T00:00:00+07:00', to: '2024-12-01T00:00:00+07:00' }, effectiveFrom: '2024-11-20T00:00:00Z', reason: 'Voting days',
};

describe('a policy', () => {
  it('gets a version for every change, and none for the same again', () => {
    given().when((state) => setPolicy(state, voting)).then({ type: 'SlaPolicySet', data: { ...voting, version: 1 } });
    const first = { type: 'SlaPolicySet' as const, data: { ...voting, version: 1 } };
    given(first).when((state) => setPolicy(state, voting)).thenNothing();
    given(first).when((state) => setPolicy(state, { ...voting, resolveWithinMinutes: 20 })).then({ type: 'SlaPolicySet', data: { ...voting, resolveWithinMinutes: 20, version: 2 } });
  });

  it('refuses times and windows that contradict themselves', () => {
    given().when((state) => setPolicy(state, { ...voting, acknowledgeWithinMinutes: 31 })).thenRefused('policy.times');
    given().when((state) => setPolicy(state, { ...voting, window: { from: voting.window.to, to: voting.window.from } })).thenRefused('policy.window');
  });
});
