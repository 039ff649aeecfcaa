import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { builtInTerms, decisionClock, orderClocks, type Fact, type FactKind } from '@sejam/deadlines';
import { fold } from '@sejam/event-sourcing';
import { recorded, specFor } from '@sejam/event-sourcing/testing';
import { approach, clock, observeReport, observeTakedown, reach, type ClockEvent, type Clocks, type TakedownFact } from './clock.js';

const given = specFor(clock).given;
const start = Date.parse('2024-11-27T00:00:00.000Z');
const minute = (n: number): string => new Date(start + n * 60_000).toISOString();
const order = { approvedAt: minute(0), terms: builtInTerms };

const fact = (type: string, at: string, more: Partial<TakedownFact> = {}): TakedownFact => ({
  type, eventId: `e-${type}`, at, own: true, takedownId: 't', orderId: 't.1', platform: 'tiktok', open: true,
  ...(type === 'OrderIssued' ? { issued: order } : {}), ...more,
});

/** What sla records when these events of a takedown come one after the other. */
function observed(facts: readonly TakedownFact[]): { state: Clocks; events: ClockEvent[] } {
  let state = clock.initialState;
  const events: ClockEvent[] = [];
  for (const one of facts) {
    for (const event of observeTakedown(state, one)) {
      events.push(event);
      state = clock.evolve(state, recorded(clock, [event])[0] as never);
    }
  }
  return { state, events };
}

const issuedAndDelivered = [fact('OrderIssued', minute(0)), fact('OrderDelivered', minute(0.5))];
const outcomes = (facts: readonly TakedownFact[]) => Object.fromEntries(observed(facts).state.clocks.map((one) => [`${one.clock}/${one.run}`, one.status]));

describe('the clocks of an order', () => {
  it('start when it is issued and delivered, with the order\'s own terms', () => {
    const { state } = observed(issuedAndDelivered);
    expect(state.clocks.map(({ clock: kind, due, status }) => [kind, due, status])).toEqual([
      ['dispatch', minute(1), 'met'], ['acknowledgement', minute(10.5), 'running'], ['resolution', minute(60.5), 'running'],
    ]);
  });

  it('are met by an answer at the due time, and missed by one a millisecond later', () => {
    expect(outcomes([...issuedAndDelivered, fact('ContentActioned', minute(60.5))])).toMatchObject({ 'acknowledgement/1': 'missed', 'resolution/1': 'met' });
    expect(outcomes([...issuedAndDelivered, fact('OrderAcknowledged', minute(10.5))])).toMatchObject({ 'acknowledgement/1': 'met' });
    expect(outcomes([...issuedAndDelivered, fact('OrderAcknowledged', new Date(Date.parse(minute(10.5)) + 1).toISOString())])).toMatchObject({ 'acknowledgement/1': 'missed' });
  });

  it('are decided by any later event of the takedown, also of another order', () => {
    expect(outcomes([...issuedAndDelivered, fact('ReportJoined', minute(61), { own: false })])).toMatchObject({ 'resolution/1': 'missed' });
  });

  it('wait for the clearing house as long as it takes to answer a question, at most the cap', () => {
    const asked = [...issuedAndDelivered, fact('ClarificationRequested', minute(30))];
    expect(observed(asked).state.clocks.at(-1)).toMatchObject({ due: minute(90.5), paused: true });
    expect(observed([...asked, fact('ClarificationProvided', minute(40))]).state.clocks.at(-1)).toMatchObject({ due: minute(70.5), paused: false });
    expect(observed([...asked, fact('ClarificationProvided', minute(40)), fact('ClarificationRequested', minute(50))]).state.clocks.at(-1)).toMatchObject({ due: minute(70.5) });
  });

  it('stop when the order is withdrawn or merged in time', () => {
    expect(outcomes([...issuedAndDelivered, fact('OrderWithdrawn', minute(5))])).toMatchObject({ 'acknowledgement/1': 'stopped', 'resolution/1': 'stopped' });
    expect(outcomes([...issuedAndDelivered, fact('TakedownMerged', minute(5), { own: false })])).toMatchObject({ 'resolution/1': 'stopped' });
    expect(outcomes([...issuedAndDelivered, fact('OrderWithdrawn', minute(61))])).toMatchObject({ 'resolution/1': 'missed' });
  });

  it('run again after a dismissed objection while the order is open, and no objection meets the second run', () => {
    const objected = [...issuedAndDelivered, fact('ObjectionRaised', minute(20), { objectionCounted: true })];
    expect(outcomes(objected)).toMatchObject({ 'resolution/1': 'met', 'ruling/1': 'running' });
    const dismissed = [...objected, fact('ObjectionDismissed', minute(30))];
    expect(outcomes(dismissed)).toMatchObject({ 'ruling/1': 'met', 'resolution/2': 'running' });
    expect(outcomes([...dismissed, fact('ObjectionRaised', minute(40), { objectionCounted: false })])).toMatchObject({ 'resolution/2': 'running' });
    expect(outcomes([...objected, fact('ObjectionDismissed', minute(30), { open: false })])).not.toHaveProperty('resolution/2');
  });
});

describe('the watchdog\'s questions', () => {
  const running = observed(issuedAndDelivered).events;
  it('are answered once for every due time, and not before it is over', () => {
    given(...running).when((state) => reach(state, { clock: 'resolution', run: 1, at: new Date(minute(60.5)) })).thenNothing();
    const reached = given(...running).when((state) => reach(state, { clock: 'resolution', run: 1, at: new Date(minute(60.6)) }));
    reached.then({ type: 'DeadlineReached', data: { clock: 'resolution', run: 1, orderId: 't.1', due: minute(60.5) } });
    given(...running, ...reached.events).when((state) => reach(state, { clock: 'resolution', run: 1, at: new Date(minute(61)) })).thenNothing();
    const moved = observed([...issuedAndDelivered, fact('ClarificationRequested', minute(30))]).events;
    given(...moved).when((state) => reach(state, { clock: 'resolution', run: 1, at: new Date(minute(61)) })).thenNothing();
    given(...moved).when((state) => reach(state, { clock: 'resolution', run: 1, at: new Date(minute(91)) })).then({ type: 'DeadlineReached', data: { clock: 'resolution', run: 1, orderId: 't.1', due: minute(90.5) } });
  });

  it('give one warning at three quarters of the resolution time', () => {
    given(...running).when((state) => approach(state, { clock: 'resolution', run: 1, at: new Date(minute(45.4)) })).thenNothing();
    const warned = given(...running).when((state) => approach(state, { clock: 'resolution', run: 1, at: new Date(minute(45.5)) }));
    warned.then({ type: 'DeadlineApproaching', data: { clock: 'resolution', run: 1, orderId: 't.1', due: minute(60.5) } });
    given(...running, ...warned.events).when((state) => approach(state, { clock: 'resolution', run: 1, at: new Date(minute(50)) })).thenNothing();
    given(...running).when((state) => approach(state, { clock: 'resolution', run: 1, at: new Date(minute(61)) })).thenNothing();
    given(...running).when((state) => approach(state, { clock: 'acknowledgement', run: 1, at: new Date(minute(9)) })).thenNothing();
  });
});

describe('the decision clock', () => {
  it('is met when the last content is decided, and missed by whatever is recorded later than due', () => {
    const submitted = observeReport(clock.initialState, { type: 'ReportSubmitted', eventId: 'e', at: minute(0), reportId: 'r' });
    const after = (type: string, at: string, undecided?: number) => given(...submitted).when((state) => observeReport(state, { type, eventId: 'x', at, reportId: 'r', ...(undecided === undefined ? {} : { undecided }) }));
    after('ContentsApproved', minute(5), 1).thenNothing();
    after('ContentsApproved', minute(15), 0).then({ type: 'DeadlineMet', data: { clock: 'decision', run: 1, reportId: 'r', due: minute(15), metBy: 'ContentsApproved', metAt: minute(15), eventId: 'x' } });
    after('DeadlinePassed', minute(15.1)).then({ type: 'DeadlineReached', data: { clock: 'decision', run: 1, reportId: 'r', due: minute(15) } }, { type: 'DeadlineMissed', data: { clock: 'decision', run: 1, reportId: 'r', due: minute(15), seen: 'DeadlinePassed', seenAt: minute(15.1), eventId: 'x' } });
    after('ReportWithdrawn', minute(5)).then({ type: 'ClockStopped', data: { clock: 'decision', run: 1, reportId: 'r', cause: 'withdrawn' } });
    given(...submitted, { type: 'DeadlineReached', data: { clock: 'decision', run: 1, reportId: 'r', due: minute(15) } })
      .when((state) => observeReport(state, { type: 'DeadlinePassed', eventId: 'x', at: minute(15.1), reportId: 'r' }))
      .then({ type: 'DeadlineMissed', data: { clock: 'decision', run: 1, reportId: 'r', due: minute(15), seen: 'DeadlinePassed', seenAt: minute(15.1), eventId: 'x' } });
    const whole: Fact[] = [{ kind: 'submitted', at: minute(0) }, { kind: 'other', at: minute(15.1) }];
    expect(decisionClock(whole)?.verdict.outcome).toBe('missed');
  });
});

it('gives every clock the verdict that anybody computes from the takedown\'s events alone', () => {
  const types: Record<string, FactKind> = {
    OrderDelivered: 'delivered', OrderDeemedDelivered: 'deemed_delivered', OrderDeliveryFailed: 'delivery_failed', OrderAcknowledged: 'acknowledged', ClarificationRequested: 'clarification_requested',
    ClarificationProvided: 'clarification_provided', ContentActioned: 'actioned', OrderRefused: 'refused', ContentReinstated: 'reinstated',
    ObjectionRaised: 'objection_raised', ObjectionDismissed: 'objection_dismissed', OrderWithdrawn: 'withdrawn', ReportJoined: 'other', DeadlinePassed: 'other',
  };
  const step = fc.record({ type: fc.constantFrom(...Object.keys(types)), after: fc.constantFrom(0, 1, 400, 9 * 60_000, 31 * 60_000) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 14 }), (steps) => {
      let at = start;
      let open = true;
      let raised = false;
      let delivered = false;
      let ruled = false;
      const facts: TakedownFact[] = [fact('OrderIssued', minute(0))];
      const neutral: Fact[] = [{ kind: 'issued', at: minute(0) }];
      for (const { type, after } of steps) {
        // Histories that routing can record: an answer counts as delivery, one objection counts and is ruled on once.
        if (!delivered && !['OrderDelivered', 'OrderDeemedDelivered', 'OrderDeliveryFailed', 'OrderWithdrawn', 'ReportJoined', 'DeadlinePassed'].includes(type)) continue;
        delivered ||= type === 'OrderDelivered' || type === 'OrderDeemedDelivered';
        if (type === 'ObjectionDismissed' && (!raised || ruled)) continue;
        const counted = type === 'ObjectionRaised' && !raised;
        raised ||= type === 'ObjectionRaised';
        ruled ||= type === 'ObjectionDismissed';
        at += after;
        open &&= !['ContentActioned', 'OrderRefused', 'ContentReinstated', 'OrderWithdrawn'].includes(type);
        const time = new Date(at).toISOString();
        facts.push(fact(type, time, { open, own: type !== 'ReportJoined', ...(type === 'ObjectionRaised' ? { objectionCounted: counted } : {}), ...(type === 'OrderDeliveryFailed' ? { deliveryFailedSide: 'platform' } : {}) }));
        neutral.push({ kind: type === 'ObjectionRaised' && !counted ? 'other' : (types[type] as FactKind), at: time });
      }
      const theirs = orderClocks(neutral, order).map((one) => [one.clock, one.run, one.due.toISOString(), one.verdict.outcome === 'undecided' ? 'running' : one.verdict.outcome]);
      const ours = observed(facts).state.clocks.map((one) => [one.clock, one.run, one.due, one.status]);
      const sorted = (rows: unknown[][]) => rows.map((row) => row.join(' ')).sort();
      // A due time is compared while it can still matter: once decided, it is no longer moved.
      const undue = (rows: unknown[][]) => rows.map(([kind, run, due, status]) => [kind, run, status === 'running' ? due : '', status]);
      expect(sorted(undue(ours))).toEqual(sorted(undue(theirs)));
    }),
    { numRuns: 400 },
  );
});

it('folds what it decided', () => {
  const { events, state } = observed([...issuedAndDelivered, fact('ContentActioned', minute(20))]);
  expect(fold(clock, recorded(clock, events))).toEqual(state);
});
