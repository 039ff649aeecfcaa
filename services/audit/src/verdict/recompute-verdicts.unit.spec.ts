import { describe, expect, it } from '@jest/globals';
import { takedownAsOf } from '../replay/takedown-state.js';
import { boardAsOf } from '../replay/board.js';
import { clockVerdicts } from './clocks.js';
import { recomputeVerdicts } from './recompute-verdicts.js';
import type { StreamEvent } from './stream-event.js';

const TAKEDOWN = 'takedown-t';
const REPORT = 'report-r';
const terms = { policy: 'default', version: 0, acknowledgeWithinMinutes: 10, resolveWithinMinutes: 60, warningPercent: 75, clarificationCapMinutes: 30 };

/** Minutes after nine o'clock; a fraction for seconds. */
const at = (minutes: number) => new Date(Date.UTC(2024, 10, 24, 9) + minutes * 60_000).toISOString();

function stream(...events: [minutes: number, type: string, data?: object][]): StreamEvent[] {
  return events.map(([minutes, type, data], revision) => ({ id: `${type}-${revision}`, type, revision, at: at(minutes), data: { orderId: 't.1', ...data } }));
}

const opened = [0, 'TakedownOpened', { takedownId: 't', contentKey: 'tiktok:video:1', platform: 'tiktok', product: 'tiktok', category: 'hoax.other', canonicalUrl: 'https://www.tiktok.com/@_/video/1' }] as const;
const issued = [0, 'OrderIssued', { round: 1, approvedAt: at(0), terms, requestedAction: 'removed' }] as const;
const delivered = [0.5, 'OrderDelivered', { via: 'webhook' }] as const;
const takedown = (...rest: [number, string, object?][]) => stream([...opened], [...issued], [...delivered], ...rest);

const verdictOf = (events: readonly StreamEvent[], clock: string, run = 1) => {
  const found = clockVerdicts(TAKEDOWN, events).find((one) => one.clock === clock && one.run === run);
  return found && { verdict: found.verdict, due: found.due, by: found.by?.type };
};

describe('a verdict', () => {
  it('is met by an answer at the very moment that it was due, and missed by one a moment later', () => {
    expect(verdictOf(takedown([60.5, 'ContentActioned']), 'resolution')).toEqual({ verdict: 'met', due: at(60.5), by: 'ContentActioned' });
    expect(verdictOf(takedown([60.501, 'ContentActioned']), 'resolution')).toEqual({ verdict: 'missed', due: at(60.5), by: 'ContentActioned' });
  });

  it('is decided by the first event later than due, whatever it is', () => {
    expect(verdictOf(takedown([70, 'ReportJoined'], [71, 'ContentActioned']), 'resolution')).toMatchObject({ verdict: 'missed', by: 'ReportJoined' });
    expect(verdictOf(takedown(), 'resolution')).toMatchObject({ verdict: 'undecided' });
  });

  it('waits for a question of the platform as long as our side takes, at most the cap', () => {
    expect(verdictOf(takedown([50, 'ClarificationRequested'], [60, 'ClarificationProvided'], [70, 'OrderRefused']), 'resolution')).toEqual({ verdict: 'met', due: at(70.5), by: 'OrderRefused' });
    expect(verdictOf(takedown([50, 'ClarificationRequested'], [90.5, 'OrderRefused']), 'resolution')).toEqual({ verdict: 'met', due: at(90.5), by: 'OrderRefused' });
    expect(verdictOf(takedown([50, 'ClarificationRequested'], [55, 'ClarificationProvided'], [56, 'ClarificationRequested'], [80, 'ClarificationProvided'], [66, 'OrderRefused']), 'resolution')?.due).toBe(at(65.5));
    expect(verdictOf(takedown([61, 'ClarificationRequested']), 'resolution')?.due).toBe(at(60.5));
  });

  it('counts any answer as acknowledgement, and deeming as delivery', () => {
    expect(verdictOf(takedown([10.5, 'ClarificationRequested']), 'acknowledgement')).toMatchObject({ verdict: 'met' });
    const deemed = stream([...opened], [...issued], [3, 'OrderDeliveryFailed', { side: 'platform' }], [15, 'OrderDeemedDelivered'], [20, 'OrderDelivered'], [25.5, 'OrderAcknowledged']);
    expect(verdictOf(deemed, 'acknowledgement')).toEqual({ verdict: 'missed', due: at(25), by: 'OrderAcknowledged' });
  });

  it('of dispatch is met by a failure of the platform and not by one of ours', () => {
    expect(verdictOf(stream([...opened], [...issued], [0.9, 'OrderDeliveryFailed', { side: 'platform' }]), 'dispatch')).toMatchObject({ verdict: 'met' });
    expect(verdictOf(stream([...opened], [...issued], [0.9, 'OrderDeliveryFailed', { side: 'ours' }], [1.1, 'OrderDelivered']), 'dispatch')).toMatchObject({ verdict: 'missed' });
  });

  it('begins again after a dismissed objection, which no further objection meets', () => {
    const events = takedown([30, 'ObjectionRaised', { counted: true }], [90, 'ObjectionDismissed'], [100, 'ObjectionRaised', { counted: false }], [151, 'ContentActioned']);
    expect(verdictOf(events, 'resolution')).toMatchObject({ verdict: 'met', by: 'ObjectionRaised' });
    expect(verdictOf(events, 'ruling')).toMatchObject({ verdict: 'met' });
    expect(verdictOf(events, 'resolution', 2)).toEqual({ verdict: 'missed', due: at(150), by: 'ContentActioned' });
    expect(verdictOf(takedown([30, 'ObjectionRaised', { counted: true }], [40, 'ContentActioned'], [90, 'ObjectionDismissed']), 'resolution', 2)).toBeUndefined();
  });

  it('is none once the order was withdrawn or merged in time', () => {
    expect(verdictOf(takedown([20, 'OrderWithdrawn', { cause: 'issuer' }]), 'resolution')).toMatchObject({ verdict: 'stopped' });
    expect(verdictOf(takedown([20, 'TakedownMerged']), 'resolution')).toMatchObject({ verdict: 'stopped' });
    expect(verdictOf(takedown([61, 'OrderWithdrawn', { cause: 'issuer' }]), 'resolution')).toMatchObject({ verdict: 'missed' });
  });

  it('on a report is met by its last content', () => {
    const content = (contentKey: string) => ({ contents: [{ contentKey }] });
    const report = (...rest: [number, string, object?][]) => stream([0, 'ReportSubmitted', { reportId: 'r', contents: [{ contentKey: 'a' }, { contentKey: 'b' }] }], ...rest);
    const verdict = (events: StreamEvent[]) => clockVerdicts(REPORT, events)[0];
    expect(verdict(report([14, 'ContentsApproved', content('a')], [15, 'ContentsDeclined', content('b')]))).toMatchObject({ verdict: 'met', due: at(15) });
    expect(verdict(report([14, 'ContentsApproved', content('a')], [16, 'ContentsDeclined', content('b')]))).toMatchObject({ verdict: 'missed' });
    expect(verdict(report([14, 'ReportWithdrawn']))).toMatchObject({ verdict: 'stopped' });
    expect(verdict(report([14, 'SubjectErased']))).toMatchObject({ verdict: 'undecided' });
    expect(verdict(report([14, 'ContentsApproved', { contents: [{ contentKey: 'a' }, { contentKey: 'b' }] }], [16, 'SubjectErased']))).toMatchObject({ verdict: 'met' });
  });
});

describe('what was recorded', () => {
  const late = takedown([5, 'OrderAcknowledged'], [61, 'DeadlinePassed', { clock: 'resolution', run: 1, due: at(60.5) }], [62, 'ContentActioned']);
  const clock = (...events: [minutes: number, type: string, data?: object][]) => stream(...events);
  const run = (owner: StreamEvent[], kept: StreamEvent[]) => recomputeVerdicts(new Map([[TAKEDOWN, owner], ['clock-t.1', kept]]));

  it('is confirmed where the events say the same', () => {
    const report = run(late, clock(
      [0.5, 'DeadlineMet', { clock: 'dispatch', run: 1, due: at(1), eventId: 'OrderDelivered-2' }],
      [5, 'DeadlineMet', { clock: 'acknowledgement', run: 1, due: at(10.5), eventId: 'OrderAcknowledged-3' }],
      [61, 'DeadlineMissed', { clock: 'resolution', run: 1, due: at(60.5), eventId: 'DeadlinePassed-4' }],
    ));
    expect(report).toMatchObject({ holds: true, confirmed: 3, unrecorded: 0, platforms: { tiktok: { missed: 1 } }, findings: [] });
  });

  it.each<[string, StreamEvent[], StreamEvent[], string]>([
    ['another verdict', late, clock([61, 'DeadlineMet', { clock: 'resolution', run: 1, due: at(60.5), eventId: 'x' }]), 'verdict-differs'],
    ['another due time', late, clock([61, 'DeadlineMissed', { clock: 'resolution', run: 1, due: at(59) }]), 'verdict-differs'],
    ['another meeting event', late, clock([5, 'DeadlineMet', { clock: 'acknowledgement', run: 1, due: at(10.5), eventId: 'x' }]), 'verdict-differs'],
    ['a clock that never ran', late, clock([61, 'DeadlineMissed', { clock: 'ruling', run: 1, due: at(60) }]), 'clock-unknown'],
    ['a deadline that had been met', takedown([50, 'ContentActioned'], [61, 'DeadlinePassed', { clock: 'resolution', run: 1, due: at(60.5) }]), [], 'deadline-wrong'],
    ['a deadline before its time', takedown([60, 'DeadlinePassed', { clock: 'resolution', run: 1, due: at(60.5) }]), [], 'deadline-wrong'],
    ['a deadline at another time', takedown([61, 'DeadlinePassed', { clock: 'resolution', run: 1, due: at(59) }]), [], 'deadline-wrong'],
    ['a deadline of a withdrawn order', takedown([50, 'OrderWithdrawn', { cause: 'issuer' }], [61, 'DeadlinePassed', { clock: 'resolution', run: 1, due: at(60.5) }]), [], 'deadline-wrong'],
  ])('is contradicted: %s', (_, owner, kept, code) => {
    const report = run(owner, kept);
    expect(report.holds).toBe(false);
    expect(report.findings.map((finding) => finding.code)).toEqual([code]);
  });
});

describe('a replay', () => {
  const events = takedown([5, 'OrderAcknowledged'], [20, 'ClarificationRequested'], [25, 'ClarificationProvided'], [30, 'ContentActioned', { action: 'removed' }], [31, 'OrderAcknowledged'], [40, 'RemovalVerified'], [50, 'ObjectionRaised', { counted: true }]);
  const state = (minutes: number) => takedownAsOf(TAKEDOWN, events, at(minutes));

  it('knows nothing that was recorded later', () => {
    expect(state(-1)).toBeUndefined();
    expect([0, 0.5, 5, 20, 25, 30, 31].map((minutes) => state(minutes)?.status)).toEqual([
      'awaiting_delivery', 'delivered', 'acknowledged', 'clarification_requested', 'acknowledged', 'actioned', 'actioned',
    ]);
    expect([25, 30, 40].map((minutes) => state(minutes)?.verification)).toEqual(['none', 'claimed', 'verified']);
    expect([40, 50].map((minutes) => state(minutes)?.objection)).toEqual(['none', 'pending']);
    expect(state(24)?.orders[0]?.clocks).toContainEqual({ clock: 'resolution', run: 1, due: at(90.5), verdict: 'undecided' });
    expect(state(25)?.orders[0]?.clocks).toContainEqual({ clock: 'resolution', run: 1, due: at(65.5), verdict: 'undecided' });
    expect(state(25)?.timeline).toHaveLength(6);
  });

  it('shows the board of that moment', () => {
    const streams = new Map([[TAKEDOWN, takedown()]]);
    expect(boardAsOf(streams, at(30))).toMatchObject({ takedowns: 1, open: 1, byStatus: { tiktok: { delivered: 1 } }, rows: [{ takedownId: 't', due: at(60.5), missed: false }] });
    expect(boardAsOf(streams, at(61)).rows[0]?.missed).toBe(true);
    expect(boardAsOf(streams, at(61), 'meta').takedowns).toBe(0);
  });
});
