import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Message } from '../order/order.js';
import { behaviours } from './behaviour.js';
import { chooseBehaviour, defaultScript, readScript, type Script } from './script.js';

const order = (orderId: string, contentKey = 'tiktok:video:1'): Message => ({ type: 'order.issued', timestamp: '2024-11-27T05:00:00Z', data: { orderId, content: { contentKey } } });
const names = (script: Script, count = 2_000) => {
  const drawn: Record<string, number> = {};
  for (let i = 0; i < count; i++) {
    const { name } = chooseBehaviour(script, 'tiktok', order(`t${i}.1`));
    drawn[name] = (drawn[name] ?? 0) + 1;
  }
  return drawn;
};

describe('a script', () => {
  it('draws behaviours by their weights', () => {
    const drawn = names(readScript({ platforms: { '*': { mix: { fast: 3, never: 1, late: 0 } } } }));
    expect(Object.keys(drawn).sort()).toEqual(['fast', 'never']);
    expect(drawn['fast']! / 2_000).toBeCloseTo(0.75, 1);
  });

  it('draws the same for the same order and seed, whatever came before, and another for another seed', () => {
    const script = (seed: number) => readScript({ seed, platforms: { '*': { mix: { fast: 1, never: 1, late: 1, refused: 1 } } } });
    fc.assert(fc.property(fc.integer(), fc.string(), (seed, id) => expect(chooseBehaviour(script(seed), 'meta', order(id))).toEqual(chooseBehaviour(script(seed), 'meta', order(id)))));
    const drawn = (seed: number) => Array.from({ length: 20 }, (_, i) => chooseBehaviour(script(seed), 'meta', order(`t${i}.1`)).name);
    expect(drawn(1)).not.toEqual(drawn(2));
  });

  it('lets overrides by order and by content decide first, the platform before the star', () => {
    const script = readScript({
      behaviours: { mine: { answers: [] } },
      platforms: {
        '*': { mix: { never: 1 } },
        tiktok: {
          mix: { fast: 1 },
          overrides: [{ orderId: 't1.2', behaviour: 'refused' }, { contentKey: 'tiktok:video:9', behaviour: { answers: [{ after: { seconds: [1, 1] }, answer: 'order.refused' }] } }, { contentKey: 'tiktok:video:8', behaviour: 'mine' }],
        },
      },
    });
    expect(chooseBehaviour(script, 'tiktok', order('t1.1')).name).toBe('fast');
    expect(chooseBehaviour(script, 'tiktok', order('t1.2')).name).toBe('refused');
    expect(chooseBehaviour(script, 'tiktok', order('t2.1', 'tiktok:video:9'))).toMatchObject({ name: 'own', behaviour: { answers: [{ answer: 'order.refused' }] } });
    expect(chooseBehaviour(script, 'tiktok', order('t2.1', 'tiktok:video:8'))).toEqual({ name: 'mine', behaviour: { answers: [] } });
    expect(chooseBehaviour(script, 'meta', order('t1.2')).name).toBe('never');
  });

  it('answers promptly where it says nothing', () => {
    for (const script of [defaultScript, readScript({ platforms: {} }), readScript({ platforms: { meta: {}, '*': {} } })]) expect(chooseBehaviour(script, 'meta', order('t1.1'))).toMatchObject({ name: 'prompt' });
  });

  it('may hold every built-in behaviour as its own', () => {
    const script = readScript(JSON.parse(JSON.stringify({ behaviours, platforms: { '*': { mix: { failing: 1 } } } })));
    expect(script.behaviours).toEqual(behaviours);
  });

  it.each<[string, unknown, string]>([
    ['nothing', null, ''],
    ['a list', [], ''],
    ['no platforms', {}, '/platforms'],
    ['an unknown field', { platforms: {}, speed: 2 }, '/speed'],
    ['a broken seed', { seed: 1.5, platforms: {} }, '/seed'],
    ['an unknown platform', { platforms: { x: {} } }, '/platforms/x'],
    ['an unknown way', { platforms: { meta: { via: 'pigeon' } } }, '/platforms/meta/via'],
    ['an unknown behaviour', { platforms: { meta: { mix: { nice: 1 } } } }, '/platforms/meta/mix/nice'],
    ['a negative weight', { platforms: { meta: { mix: { fast: -1 } } } }, '/platforms/meta/mix/fast'],
    ['no weight', { platforms: { meta: { mix: { fast: 0 } } } }, '/platforms/meta/mix'],
    ['an override of nothing known', { platforms: { meta: { overrides: [{ behaviour: 'nice' }] } } }, '/platforms/meta/overrides/0/behaviour'],
    ['an override by a number', { platforms: { meta: { overrides: [{ orderId: 1, behaviour: 'fast' }] } } }, '/platforms/meta/overrides/0/orderId'],
    ['a behaviour without answers', { behaviours: { b: {} }, platforms: {} }, '/behaviours/b/answers'],
    ['an unknown answer', { behaviours: { b: { answers: [{ answer: 'order.eaten', after: { seconds: [1, 2] } }] } }, platforms: {} }, '/behaviours/b/answers/0/answer'],
    ['an unknown trigger', { behaviours: { b: { answers: [{ on: 'x', answer: 'order.refused', after: { seconds: [1, 2] } }] } }, platforms: {} }, '/behaviours/b/answers/0/on'],
    ['a delay backwards', { behaviours: { b: { answers: [{ answer: 'order.refused', after: { seconds: [2, 1] } }] } }, platforms: {} }, '/behaviours/b/answers/0/after'],
    ['two delays', { behaviours: { b: { answers: [{ answer: 'order.refused', after: { seconds: [1, 2], ofResolve: [0, 1] } }] } }, platforms: {} }, '/behaviours/b/answers/0/after'],
    ['no copies', { behaviours: { b: { answers: [{ answer: 'order.refused', after: { seconds: [1, 2] }, copies: 0 }] } }, platforms: {} }, '/behaviours/b/answers/0/copies'],
    ['an impossible status', { behaviours: { b: { receive: [{ status: 99 }], answers: [] } }, platforms: {} }, '/behaviours/b/receive/0/status'],
  ])('with %s is refused with a pointer', (_, input, pointer) => {
    expect(() => readScript(input)).toThrow(expect.objectContaining({ code: 'sandbox.script-malformed', details: { pointer } }));
  });

  it('is turned down whatever it holds, and never by another error', () => {
    fc.assert(fc.property(fc.object({ key: fc.constantFrom('platforms', 'meta', '*', 'mix', 'overrides', 'behaviours', 'answers', 'after', 'seconds', 'fast'), maxDepth: 6 }), (input) => {
      try {
        readScript(input);
      } catch (error) {
        expect((error as Error).name).toBe('DomainError');
      }
    }));
  });

  it('for an election day shows every way of the contract', () => {
    const script = readScript(JSON.parse(readFileSync(new URL('../../scripts/election-day.json', import.meta.url), 'utf8')));
    const mixed = new Set(Object.values(script.platforms).flatMap(({ mix }) => Object.keys(mix ?? {})));
    for (const name of ['fast', 'late', 'never', 'refused', 'clarification', 'objection', 'reinstated', 'out_of_order', 'duplicated', 'failing', 'bad_signature']) expect(mixed).toContain(name);
    expect(script.platforms.line?.via).toBe('feed');
  });
});
