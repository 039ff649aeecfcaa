import { AssertionError } from 'node:assert';
import { describe, expect, it } from '@jest/globals';
import { DomainError, type Aggregate } from './index.js';
import { decidedAgainIsEmpty, specFor } from './testing.js';

type LampEvent = { type: 'Lit'; data: { watts: number } } | { type: 'PutOut'; data: { note?: string } };
type Lamp = { lit: boolean; times: string[]; lastBy?: string };

const lamp: Aggregate<Lamp, LampEvent> = {
  category: 'lamp',
  initialState: { lit: false, times: [] },
  eventTypes: ['Lit', 'PutOut'],
  evolve: (state, event) => ({ lit: event.type === 'Lit', times: [...state.times, event.metadata.at], lastBy: event.metadata.by.holder }),
};
const light = (state: Lamp): LampEvent[] => {
  if (state.lit) throw new DomainError('lamp.already-lit', 'conflict', 'The lamp is lit');
  return [{ type: 'Lit', data: { watts: 40 } }];
};
const ensureLit = (state: Lamp): LampEvent[] => (state.lit ? [] : light(state));

describe('given, when, then', () => {
  it('passes when exactly the expected is decided', () => {
    specFor(lamp).given().when(light).then({ type: 'Lit', data: { watts: 40 } });
    specFor(lamp).given({ type: 'Lit', data: { watts: 1 } }).when(ensureLit).thenNothing();
    specFor(lamp).given({ type: 'Lit', data: { watts: 1 } }).when(light).thenRefused('lamp.already-lit');
    specFor(lamp).given({ type: 'Lit', data: { watts: 1 } }, { type: 'PutOut', data: {} }).when(light).thenState(({ lit }) => expect(lit).toBe(true));
  });

  it('fails when something else is decided', () => {
    const { given } = specFor(lamp);
    expect(() => given().when(light).then({ type: 'Lit', data: { watts: 60 } })).toThrow(AssertionError);
    expect(() => given().when(light).then()).toThrow(AssertionError);
    expect(() => given().when(light).thenNothing()).toThrow(AssertionError);
    expect(() => given().when(light).thenRefused('lamp.already-lit')).toThrow(/Not refused/);
    expect(() => given({ type: 'Lit', data: { watts: 1 } }).when(light).then()).toThrow(DomainError);
    expect(() => given({ type: 'Lit', data: { watts: 1 } }).when(light).thenRefused('lamp.broken')).toThrow(AssertionError);
    expect(() => given().when(() => { throw new TypeError('a defect'); }).thenRefused('lamp.broken')).toThrow(TypeError);
  });

  it('compares further metadata where the expectation names some', () => {
    const decide = () => [{ ...light({ lit: false, times: [] })[0] as LampEvent, metadata: { message: { type: 'a', body: 'b' } } }];
    specFor(lamp).given().when(decide).then({ type: 'Lit', data: { watts: 40 } });
    specFor(lamp).given().when(decide).then({ type: 'Lit', data: { watts: 40 }, metadata: { message: { type: 'a', body: 'b' } } });
    expect(() => specFor(lamp).given().when(decide).then({ type: 'Lit', data: { watts: 40 }, metadata: { message: { type: 'a', body: 'x' } } })).toThrow(AssertionError);
  });

  it('gives the history times that never fall, and the decision a time that is not before them', () => {
    const by = { organisation: 'kpu', holder: 'officer-7' };
    const { state, when } = specFor(lamp).given(
      { type: 'Lit', data: { watts: 1 }, at: '2024-11-27T08:00:00.000Z', by },
      { type: 'PutOut', data: {}, metadata: { at: '2024-11-27T09:00:00.000Z' } },
      { type: 'Lit', data: { watts: 1 } },
    );
    expect(state.times).toEqual(['2024-11-27T08:00:00.000Z', '2024-11-27T09:00:00.000Z', '2024-11-27T09:00:00.000Z']);
    let at: Date | undefined;
    when((_, context) => ((at = context.at), []), { at: '2024-11-27T08:30:00.000Z' }).thenNothing();
    expect(at?.toISOString()).toBe('2024-11-27T09:00:00.000Z');
  });

  it('tells a decision that adds something when it is repeated', () => {
    decidedAgainIsEmpty(lamp, [], ensureLit);
    expect(() => decidedAgainIsEmpty(lamp, [], () => [{ type: 'PutOut', data: {} }])).toThrow(AssertionError);
  });
});
