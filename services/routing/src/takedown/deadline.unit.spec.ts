import { describe, expect, it } from '@jest/globals';
import { decidedAgainIsEmpty, specFor } from '@sejam/event-sourcing/testing';
import { passDeadline, warn } from './deadline.js';
import { takedown, type Clock, type TakedownEvent } from './takedown.js';
import { acknowledged, actioned, asked, clarified, delivered, issued, joined, minute, objected, opened, orderId, refused, reinstated, underway, withdrawn } from './takedown.example.js';

const { given } = specFor(takedown);
const named = (clock: Clock, due: number, run = 1) => ({ clock, orderId, run, due: minute(due) });
const passedEvent = (clock: Clock, due: number, run = 1): TakedownEvent => ({ type: 'DeadlinePassed', data: named(clock, due, run) });
const escalations: TakedownEvent[] = [{ type: 'EscalationDue', data: { orderId, level: 1 } }, { type: 'EscalationDue', data: { orderId, level: 2 } }];

describe('a deadline that sla saw come', () => {
  it('is recorded as passed for an order that nobody answered, with the escalation it is due to', () => {
    given(...underway).when((state) => passDeadline(state, named('resolution', 60))).then(passedEvent('resolution', 60), ...escalations);
    given(...underway).when((state) => passDeadline(state, named('acknowledgement', 10))).then(passedEvent('acknowledgement', 10));
  });

  it('leaves the verdict to the order of the stream: an answer in time was recorded first, one after due does not help', () => {
    given(...underway, acknowledged(minute(10))).when((state) => passDeadline(state, named('acknowledgement', 10))).thenNothing();
    given(...underway, acknowledged(minute(10.001))).when((state) => passDeadline(state, named('acknowledgement', 10))).then(passedEvent('acknowledgement', 10));
    given(...underway, actioned(minute(60))).when((state) => passDeadline(state, named('resolution', 60))).thenNothing();
    given(...underway, refused(minute(61))).when((state) => passDeadline(state, named('resolution', 60))).then(passedEvent('resolution', 60), ...escalations);
  });

  it('does nothing for an order that was withdrawn', () => {
    given(...underway, withdrawn('issuer', minute(5))).when((state) => passDeadline(state, named('resolution', 60))).thenNothing();
    given(...underway, withdrawn('issuer', minute(5)), reinstated(minute(6))).when((state) => passDeadline(state, named('resolution', 60))).thenNothing();
  });

  it('does nothing when a clarification has moved the due time, until the moved time comes', () => {
    given(...underway, asked(minute(20))).when((state) => passDeadline(state, named('resolution', 60))).thenNothing();
    given(...underway, asked(minute(20))).when((state) => passDeadline(state, named('resolution', 90))).then(passedEvent('resolution', 90), ...escalations);
    const answered = [...underway, asked(minute(20)), clarified(minute(28))];
    given(...answered).when((state) => passDeadline(state, named('resolution', 68))).then(passedEvent('resolution', 68), ...escalations);
    given(...answered, asked(minute(40)), clarified(minute(59))).when((state) => passDeadline(state, named('resolution', 68))).then(passedEvent('resolution', 68), ...escalations);
    given(...underway, asked(minute(20)), clarified(minute(55))).when((state) => passDeadline(state, named('resolution', 90))).then(passedEvent('resolution', 90), ...escalations);
  });

  it('does not move for a question after the due time', () => {
    given(...underway, asked(minute(61))).when((state) => passDeadline(state, named('resolution', 60))).then(passedEvent('resolution', 60), ...escalations);
  });

  it('counts an objection as an answer, and runs a second time after it was dismissed', () => {
    const dismissed: TakedownEvent & { at: string } = { type: 'ObjectionDismissed', at: minute(100), data: { orderId, reason: 'No', ruledBy: 'kpu' } };
    given(...underway, objected(minute(30))).when((state) => passDeadline(state, named('resolution', 60))).thenNothing();
    given(...underway, objected(minute(30)), dismissed).when((state) => passDeadline(state, named('resolution', 160, 2))).then(passedEvent('resolution', 160, 2), ...escalations);
    given(...underway, objected(minute(30)), dismissed, objected(minute(110), false)).when((state) => passDeadline(state, named('resolution', 160, 2))).then(passedEvent('resolution', 160, 2), ...escalations);
    given(...underway, objected(minute(30)), dismissed, actioned(minute(150))).when((state) => passDeadline(state, named('resolution', 160, 2))).thenNothing();
    given(...underway, objected(minute(30)), actioned(minute(40)), dismissed).when((state) => passDeadline(state, named('resolution', 160, 2))).thenNothing();
  });

  it('judges the dispatch clock by delivery or by the first failure on the platform\'s side', () => {
    const failed = (side: 'ours' | 'platform'): TakedownEvent & { at: string } => ({ type: 'OrderDeliveryFailed', at: minute(0.5), data: { orderId, webhookId: 'w', attempt: 1, side, cause: 'refused' } });
    given(opened, joined, issued()).when((state) => passDeadline(state, named('dispatch', 1))).then(passedEvent('dispatch', 1));
    given(opened, joined, issued(), failed('ours')).when((state) => passDeadline(state, named('dispatch', 1))).then(passedEvent('dispatch', 1));
    given(opened, joined, issued(), failed('platform')).when((state) => passDeadline(state, named('dispatch', 1))).thenNothing();
    given(opened, joined, issued(), delivered(minute(1))).when((state) => passDeadline(state, named('dispatch', 1))).thenNothing();
  });

  it('gives agencies 24 hours to rule', () => {
    given(...underway, objected(minute(5))).when((state) => passDeadline(state, named('ruling', 5 + 24 * 60))).then(passedEvent('ruling', 5 + 24 * 60));
  });

  it('starts the platform\'s clocks from deeming, and does not start them anew on a later delivery', () => {
    const deemed: TakedownEvent & { at: string } = { type: 'OrderDeemedDelivered', at: minute(15), data: { orderId, attempts: 3, causes: ['timeout'] } };
    given(opened, joined, issued(), deemed, delivered(minute(40))).when((state) => passDeadline(state, named('resolution', 75))).then(passedEvent('resolution', 75), ...escalations);
  });

  it('is recorded once, and never for an order or clock that is not there', () => {
    decidedAgainIsEmpty(takedown, underway, (state) => passDeadline(state, named('resolution', 60)));
    given(opened, joined, issued()).when((state) => passDeadline(state, named('resolution', 60))).thenNothing();
    given(...underway).when((state) => passDeadline(state, { ...named('resolution', 60), orderId: 'other' })).thenNothing();
  });
});

describe('the warning before a deadline', () => {
  const at = (minutes: number) => ({ orderId, run: 1, at: new Date(minute(minutes)) });

  it('is given once for an open order, with the due time that the stream says', () => {
    given(...underway).when((state) => warn(state, at(45))).then({ type: 'WarningIssued', data: { orderId, clock: 'resolution', run: 1, due: minute(60) } });
    given(...underway, asked(minute(20))).when((state) => warn(state, at(45))).then({ type: 'WarningIssued', data: { orderId, clock: 'resolution', run: 1, due: minute(90) } });
    decidedAgainIsEmpty(takedown, underway, (state) => warn(state, at(45)));
  });

  it('is not given late, nor to a platform that has answered', () => {
    given(...underway).when((state) => warn(state, at(60))).thenNothing();
    for (const answer of [actioned(minute(9)), refused(minute(9)), objected(minute(9)), withdrawn('issuer', minute(9))]) {
      given(...underway, answer).when((state) => warn(state, at(45))).thenNothing();
    }
  });

  it('is given again in the second run', () => {
    const second: TakedownEvent[] = [objected(minute(30)), { type: 'ObjectionDismissed', at: minute(50), data: { orderId, reason: 'No', ruledBy: 'kpu' } } as TakedownEvent];
    const when = given(...underway, ...second).when((state) => warn(state, { ...at(95), run: 2 }));
    expect(when.events[0]?.data).toEqual({ orderId, clock: 'resolution', run: 2, due: minute(110) });
  });
});
