import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { builtInTerms, decisionClock, dispatchDue, orderClock, orderClocks, resolutionDue, warningDue, type ClockKind, type Fact, type FactKind } from './index.js';

const start = Date.parse('2024-11-27T08:00:00.000Z');
const minute = (minutes: number): string => new Date(start + minutes * 60_000).toISOString();
const fact = (kind: FactKind, minutes: number): Fact => ({ kind, at: minute(minutes) });
const order = { approvedAt: minute(0), terms: builtInTerms };
const issued = fact('issued', 0);
const delivered = fact('delivered', 0);

/** Outcome and due minute of a clock of an order that was issued and delivered at minute 0. */
function clockOf(clock: ClockKind, run: number, ...facts: Fact[]): [string, number] | undefined {
  const found = orderClock([issued, delivered, ...facts], order, { clock, run });
  return found && [found.verdict.outcome, (found.due.getTime() - start) / 60_000];
}

describe('the decision clock', () => {
  it('runs for 15 minutes from submission, and is met by the event that leaves nothing undecided', () => {
    const submitted = fact('submitted', 0);
    expect(decisionClock([])).toBeUndefined();
    expect(decisionClock([submitted])).toMatchObject({ clock: 'decision', run: 1, startedAt: minute(0), due: new Date(minute(15)), verdict: { outcome: 'undecided' } });
    expect(decisionClock([submitted, fact('other', 5), fact('decided', 15)])?.verdict).toEqual({ outcome: 'met', by: fact('decided', 15) });
    expect(decisionClock([submitted, fact('other', 5), fact('decided', 15.001)])?.verdict.outcome).toBe('missed');
    expect(decisionClock([submitted, fact('withdrawn', 14), fact('other', 16)])?.verdict.outcome).toBe('stopped');
  });
});

describe('the dispatch clock', () => {
  const dispatch = (...facts: Fact[]) => orderClock([fact('other', -1), issued, ...facts], order, { clock: 'dispatch', run: 1 })?.verdict.outcome;

  it('runs for 60 seconds from the approval, and is met by delivery or by a failure on the platform\'s side', () => {
    expect(dispatchDue(minute(0))).toEqual(new Date(minute(1)));
    expect(dispatch()).toBe('undecided');
    expect(dispatch(fact('delivered', 1))).toBe('met');
    expect(dispatch(fact('delivery_failed', 0.5), fact('delivered', 7))).toBe('met');
    expect(dispatch(fact('other', 0.5), fact('other', 1.5), fact('delivered', 2))).toBe('missed');
  });

  it('is not met by a delivery that is only deemed', () => {
    expect(dispatch(fact('deemed_delivered', 0.9))).toBe('undecided');
  });

  it('is missed by the order itself when that came too late', () => {
    const late = orderClock([fact('other', 0), fact('issued', 2)], order, { clock: 'dispatch', run: 1 });
    expect(late).toMatchObject({ startedAt: minute(0), verdict: { outcome: 'missed', by: { kind: 'issued' } } });
  });
});

describe('the acknowledgement clock', () => {
  it('is met by any answer within the terms', () => {
    for (const kind of ['acknowledged', 'clarification_requested', 'actioned', 'refused', 'reinstated', 'objection_raised'] as const) {
      expect(clockOf('acknowledgement', 1, fact(kind, 10))).toEqual(['met', 10]);
      expect(clockOf('acknowledgement', 1, fact(kind, 10.01))).toEqual(['missed', 10]);
    }
  });

  it('runs from the first delivery, deemed or not', () => {
    const facts = [issued, fact('deemed_delivered', 15), fact('delivered', 20), fact('acknowledged', 26)];
    expect(orderClock(facts, order, { clock: 'acknowledgement', run: 1 })).toMatchObject({ startedAt: minute(15), due: new Date(minute(25)), verdict: { outcome: 'missed' } });
  });

  it('has not started before delivery', () => {
    expect(orderClock([issued, fact('delivery_failed', 1)], order, { clock: 'acknowledgement', run: 1 })).toBeUndefined();
  });
});

describe('the resolution clock', () => {
  it('is met by action, refusal or objection, by nothing less', () => {
    for (const kind of ['actioned', 'refused', 'objection_raised'] as const) expect(clockOf('resolution', 1, fact(kind, 60))).toEqual(['met', 60]);
    for (const kind of ['acknowledged', 'reinstated', 'clarification_provided'] as const) expect(clockOf('resolution', 1, fact(kind, 60))).toEqual(['undecided', 60]);
  });

  it('is missed by the first event later than due, whatever it is and whoever it is about', () => {
    expect(clockOf('resolution', 1, fact('acknowledged', 5), fact('other', 60.001), fact('actioned', 61))).toEqual(['missed', 60]);
  });

  it('moves by the time that a question waits, at most the cap, and by the whole cap while it waits', () => {
    const asked = fact('clarification_requested', 50);
    expect(clockOf('resolution', 1, asked)).toEqual(['undecided', 90]);
    expect(clockOf('resolution', 1, asked, fact('clarification_provided', 65))).toEqual(['undecided', 75]);
    expect(clockOf('resolution', 1, asked, fact('clarification_provided', 85), fact('actioned', 90))).toEqual(['met', 90]);
    expect(clockOf('resolution', 1, asked, fact('actioned', 90.01))).toEqual(['missed', 90]);
  });

  it('moves once, by the first question, and only when that was asked in time', () => {
    const twice = [fact('clarification_requested', 10), fact('clarification_provided', 15), fact('clarification_requested', 20), fact('clarification_provided', 45)];
    expect(clockOf('resolution', 1, ...twice)).toEqual(['undecided', 65]);
    expect(clockOf('resolution', 1, fact('clarification_requested', 60))).toEqual(['undecided', 90]);
    expect(clockOf('resolution', 1, fact('clarification_requested', 60.001))).toEqual(['missed', 60]);
  });

  it('stops when the order is withdrawn or merged in time, and not when that comes too late', () => {
    for (const kind of ['withdrawn', 'merged'] as const) {
      expect(clockOf('resolution', 1, fact(kind, 60), fact('actioned', 60), fact('other', 100))).toEqual(['stopped', 60]);
      expect(clockOf('resolution', 1, fact(kind, 61))).toEqual(['missed', 60]);
      expect(clockOf('resolution', 1, fact('actioned', 30), fact(kind, 40))).toEqual(['met', 60]);
    }
  });

  it('runs again from a dismissed objection while the order is open; no objection and no question moves or meets it then', () => {
    const objected = [fact('objection_raised', 20), fact('objection_dismissed', 100)];
    expect(clockOf('resolution', 1, ...objected)).toEqual(['met', 60]);
    expect(clockOf('resolution', 2, fact('objection_raised', 20))).toBeUndefined();
    expect(clockOf('resolution', 2, ...objected, fact('other', 130), fact('clarification_requested', 140))).toEqual(['undecided', 160]);
    expect(clockOf('resolution', 2, ...objected, fact('objection_raised', 120), fact('refused', 160))).toEqual(['met', 160]);
    expect(clockOf('resolution', 2, ...objected, fact('actioned', 161))).toEqual(['missed', 160]);
  });

  it('does not run again when the order had been answered before the ruling', () => {
    for (const kind of ['actioned', 'refused', 'reinstated', 'withdrawn', 'merged'] as const) {
      expect(clockOf('resolution', 2, fact('objection_raised', 20), fact(kind, 30), fact('objection_dismissed', 100))).toBeUndefined();
    }
  });

  it('warns at its percentage of the time until due, as due is at that moment', () => {
    expect(warningDue(builtInTerms, minute(0), resolutionDue(builtInTerms, minute(0)))).toEqual(new Date(minute(45)));
    expect(warningDue(builtInTerms, minute(0), resolutionDue(builtInTerms, minute(0), { requestedAt: minute(10), providedAt: minute(30) }))).toEqual(new Date(minute(60)));
  });
});

describe('the ruling clock', () => {
  it('runs for 24 hours from the objection that counts', () => {
    expect(clockOf('ruling', 1)).toBeUndefined();
    expect(clockOf('ruling', 1, fact('objection_raised', 10), fact('objection_raised', 50), fact('objection_upheld', 10 + 24 * 60), fact('withdrawn', 10 + 24 * 60))).toEqual(['met', 10 + 24 * 60]);
    expect(clockOf('ruling', 1, fact('objection_raised', 10), fact('objection_dismissed', 11 + 24 * 60))).toEqual(['missed', 10 + 24 * 60]);
    expect(clockOf('ruling', 1, fact('objection_raised', 10), fact('withdrawn', 20))).toEqual(['stopped', 10 + 24 * 60]);
  });
});

describe('verdicts', () => {
  const kinds: FactKind[] = [
    'delivered', 'deemed_delivered', 'delivery_failed', 'acknowledged', 'clarification_requested', 'clarification_provided', 'actioned', 'refused', 'reinstated',
    'objection_raised', 'objection_upheld', 'objection_dismissed', 'withdrawn', 'merged', 'other',
  ];
  /** Any history of an order: steps of up to 40 minutes, many of them at the same moment. */
  const histories = fc
    .array(fc.tuple(fc.constantFrom(...kinds), fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 40 }))), { maxLength: 14 })
    .map((steps) => {
      let minutes = 0;
      return [issued, ...steps.map(([kind, step]) => fact(kind, (minutes += step)))];
    });

  it('once given never change, whatever is recorded afterwards', () => {
    fc.assert(
      fc.property(histories, fc.nat(), (history, cut) => {
        const whole = orderClocks(history, order);
        for (const then of orderClocks(history.slice(0, 1 + (cut % history.length)), order)) {
          const now = whole.find(({ clock, run }) => clock === then.clock && run === then.run);
          if (then.verdict.outcome === 'undecided') expect(now).toMatchObject({ startedAt: then.startedAt });
          else expect(now).toMatchObject({ startedAt: then.startedAt, verdict: then.verdict });
        }
      }),
      { numRuns: 500 },
    );
  });

  it('are met only at or before due, and missed only by an event after it', () => {
    fc.assert(
      fc.property(histories, (history) => {
        for (const { due, startedAt, verdict: { outcome, by } } of orderClocks(history, order)) {
          expect(due.getTime()).toBeGreaterThan(Date.parse(startedAt));
          if (by === undefined) expect(outcome).toBe('undecided');
          else expect(Date.parse(by.at) > due.getTime()).toBe(outcome === 'missed');
        }
      }),
      { numRuns: 500 },
    );
  });

  it('never see due move to before the event that moves it', () => {
    fc.assert(
      fc.property(histories, (history) => {
        for (let length = 1; length < history.length; length += 1) {
          const before = orderClock(history.slice(0, length), order, { clock: 'resolution', run: 1 });
          const after = orderClock(history.slice(0, length + 1), order, { clock: 'resolution', run: 1 });
          if (before !== undefined && after !== undefined && before.due.getTime() !== after.due.getTime()) {
            expect(after.due.getTime()).toBeGreaterThanOrEqual(Date.parse((history[length] as Fact).at));
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it('are the same for any order and repetition of a platform\'s answers that all come within the terms', () => {
    const answers: FactKind[] = ['acknowledged', 'actioned', 'refused', 'reinstated', 'objection_raised'];
    const some = fc.uniqueArray(fc.constantFrom(...answers), { minLength: 1 });
    fc.assert(
      fc.property(some.chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray([...list, ...list], { minLength: list.length }))), ([once, many]) => {
        const outcomes = (list: FactKind[]) =>
          orderClocks([issued, delivered, ...list.map((kind, index) => fact(kind, 1 + index / 10)), fact('other', 2000)], order)
            .filter(({ clock }) => clock !== 'ruling')
            .map(({ clock, run, verdict: { outcome } }) => [clock, run, outcome]);
        expect(outcomes([...many, ...once])).toEqual(outcomes(once));
      }),
    );
  });
});
