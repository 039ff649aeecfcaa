import { describe, expect, it } from '@jest/globals';
import { fold, type RecordedEvent } from '@sejam/event-sourcing';
import { specFor } from '@sejam/event-sourcing/testing';
import fc from 'fast-check';
import { passDeadline } from '../takedown/deadline.js';
import { addressed } from '../takedown/messages.js';
import { orderOf, takedown, type Clock, type OrderStatus, type Takedown, type TakedownEvent } from '../takedown/takedown.js';
import { actioned, asked, clarified, delivered, issued, joined, minute, opened, orderId, refused, reinstated, startMs, underway, withdrawn } from '../takedown/takedown.example.js';
import { answer, type Answer } from './answer.js';

const { given } = specFor(takedown);
const waiting = [opened, joined, issued()];
const acknowledgedAnswer: Answer = { type: 'order.acknowledged' };
const askedAnswer: Answer = { type: 'order.clarification_requested', question: 'Which minute?' };
const actionedAnswer: Answer = { type: 'order.actioned', action: 'removed', automated: 'no', actionedAt: minute(3) };
const refusedAnswer: Answer = { type: 'order.refused', reason: 'not_illegal_here', explanation: 'It is satire' };
const objectedAnswer: Answer = { type: 'order.objected', grounds: 'It is a parody' };
const reinstatedAnswer: Answer = { type: 'content.reinstated', reason: 'Appeal granted' };
const answers = [acknowledgedAnswer, askedAnswer, actionedAnswer, refusedAnswer, objectedAnswer, reinstatedAnswer];

describe('an answer of a platform', () => {
  it.each([
    [acknowledgedAnswer, { type: 'OrderAcknowledged', data: { orderId } }, 'acknowledged'],
    [askedAnswer, { type: 'ClarificationRequested', data: { orderId, question: 'Which minute?' } }, 'clarification_requested'],
    [actionedAnswer, { type: 'ContentActioned', data: { orderId, action: 'removed', asRequested: true, automated: 'no', actionedAt: minute(3) } }, 'actioned'],
    [refusedAnswer, { type: 'OrderRefused', data: { orderId, reason: 'not_illegal_here', explanation: 'It is satire' } }, 'refused'],
    [objectedAnswer, { type: 'ObjectionRaised', data: { orderId, grounds: 'It is a parody', counted: true } }, 'delivered'],
    [reinstatedAnswer, { type: 'ContentReinstated', data: { orderId, reason: 'Appeal granted' } }, 'reinstated'],
  ] as [Answer, TakedownEvent, OrderStatus][])('%o is applied to the order it names', (one, event, status) => {
    const when = given(...underway).when((state) => answer(state, orderId, one));
    when.then({ ...event, metadata: { effect: 'applied' } });
    when.thenState((state) => expect(state.status).toBe(status));
  });

  it('proves delivery where the order was not known to be delivered, deemed or not', () => {
    const deemed: TakedownEvent = { type: 'OrderDeemedDelivered', data: { orderId, attempts: 3, causes: ['timeout'] } };
    for (const before of [waiting, [...waiting, deemed], [...waiting, withdrawn('issuer', minute(1))]]) {
      const [first, second, ...rest] = given(...before).when((state) => answer(state, orderId, acknowledgedAnswer)).events;
      expect([first?.type, first?.data, second?.type, rest]).toEqual(['OrderDelivered', { orderId, via: 'answer' }, 'OrderAcknowledged', []]);
    }
  });

  it('of lower rank after a higher one is recorded and changes nothing', () => {
    for (const [before, late] of [[actioned(minute(3)), refusedAnswer], [refused(minute(3)), askedAnswer], [asked(minute(3)), acknowledgedAnswer], [reinstated(minute(3)), actionedAnswer]] as const) {
      const history = given(...underway, before);
      const when = history.when((state) => answer(state, orderId, late));
      expect(when.events.at(-1)?.metadata['effect']).toBe('recorded');
      expect(when.state.status).toBe(history.state.status);
    }
  });

  it('of higher rank after a lower one is applied', () => {
    given(...underway, refused(minute(3))).when((state) => answer(state, orderId, actionedAnswer)).thenState((state) => expect(state.status).toBe('actioned'));
    given(...underway, asked(minute(3)), clarified(minute(4))).when((state) => answer(state, orderId, askedAnswer)).thenState((state) => expect(state.status).toBe('clarification_requested'));
  });

  it('is always recorded after a withdrawal; only a reinstatement changes the status then', () => {
    for (const one of answers) {
      const when = given(...underway, withdrawn('issuer', minute(1))).when((state) => answer(state, orderId, one));
      expect(when.events.at(-1)?.metadata['effect']).toBe(one === reinstatedAnswer ? 'applied' : 'recorded');
      expect(when.state.status).toBe(one === reinstatedAnswer ? 'reinstated' : 'withdrawn');
    }
  });

  it('keeps an action other than the requested one as such', () => {
    const when = given(...underway).when((state) => answer(state, orderId, { type: 'order.actioned', action: 'labelled', actionedAt: minute(3) }));
    expect(when.events[0]?.data).toMatchObject({ action: 'labelled', asRequested: false });
  });

  it('objects once for each order, also after an action; further objections are recorded', () => {
    const once = given(...underway, actioned(minute(3))).when((state) => answer(state, orderId, objectedAnswer));
    expect(once.events[0]?.data).toMatchObject({ counted: true });
    const twice = given(...underway, { type: 'ObjectionRaised', data: { orderId, grounds: 'Parody', counted: true } }).when((state) => answer(state, orderId, objectedAnswer));
    expect([twice.events[0]?.data, twice.events[0]?.metadata['effect']]).toEqual([{ orderId, grounds: 'It is a parody', counted: false }, 'recorded']);
  });

  it('changes only the order that it names', () => {
    const rounds = [...underway, refused(minute(3)), { type: 'TakedownReopened', data: { round: 2, cause: 'new_grounds', reason: 'More', reopenedBy: 'kominfo' } } as TakedownEvent, issued(2, minute(9))];
    const when = given(...rounds).when((state) => answer(state, orderId, actionedAnswer));
    when.thenState((state) => expect([orderOf(state, orderId)?.status, state.status]).toEqual(['actioned', 'awaiting_delivery']));
  });

  it('to an unknown order is refused', () => {
    given(...underway).when((state) => answer(state, 'other', acknowledgedAnswer)).thenRefused('order.unknown');
    given().when((state) => answer(state, orderId, acknowledgedAnswer)).thenRefused('order.unknown');
  });
});

/** The record after these decisions, each made at its minute on what stood there. */
function played(decisions: readonly { minute: number; decide: (state: Takedown, at: Date) => ReturnType<typeof answer> }[]): { state: Takedown; events: readonly RecordedEvent<TakedownEvent>[] } {
  let history = given(...underway);
  for (const { minute: at, decide } of decisions) {
    const decided = history.when((state, context) => decide(state, context.at), { at: minute(at) }).events;
    history = given(...history.events.map((event) => ({ ...event, at: event.metadata.at })), ...decided.map((event) => ({ ...event, at: event.metadata.at })));
  }
  return history;
}

const rank: OrderStatus[] = ['awaiting_delivery', 'delivered', 'acknowledged', 'clarification_requested', 'refused', 'actioned', 'reinstated', 'withdrawn', 'merged'];
const someAnswers = fc.array(fc.constantFrom(...answers), { minLength: 1, maxLength: 8 });

describe('any answers of a platform', () => {
  it('end in the same status and objection, however they are ordered and doubled', () => {
    const doubled = someAnswers.chain((some) => fc.tuple(fc.constant(some), fc.subarray(some).chain((again) => fc.shuffledSubarray([...some, ...again], { minLength: some.length + again.length }))));
    fc.assert(fc.property(doubled, ([some, shuffled]) => {
      const end = (list: readonly Answer[]): unknown => {
        const { state } = played(list.map((one) => ({ minute: 1, decide: (state) => answer(state, orderId, one) })));
        const order = orderOf(state, orderId);
        return [state.status, order?.status, order?.objection?.status];
      };
      expect(end(shuffled)).toEqual(end(some));
    }), { numRuns: 150 });
  });

  it('lead to the same verdicts when all arrive within the terms', () => {
    fc.assert(fc.property(someAnswers.chain((some) => fc.tuple(fc.constant(some), fc.shuffledSubarray(some, { minLength: some.length }))), ([some, shuffled]) => {
      const verdicts = (list: readonly Answer[]): unknown => {
        const { events } = played(list.map((one, index) => ({ minute: index, decide: (state) => answer(state, orderId, one) })));
        const state = fold(takedown, events);
        const passing = (clock: Clock, due: number): number => passDeadline(state, { clock, orderId, run: 1, due: minute(due) }).length;
        return [passing('acknowledgement', 10), passing('resolution', 60), passing('resolution', 90)];
      };
      expect(verdicts(shuffled)).toEqual(verdicts(some));
    }), { numRuns: 150 });
  });

  it('never lower the rank of the status', () => {
    fc.assert(fc.property(someAnswers, (some) => {
      let highest = 1;
      let history = given(...underway);
      for (const one of some) {
        const when = history.when((state) => answer(state, orderId, one));
        const now = rank.indexOf(when.state.status as OrderStatus);
        expect(now).toBeGreaterThanOrEqual(highest);
        highest = now;
        history = given(...history.events, ...when.events);
      }
    }), { numRuns: 100 });
  });

  it('racing with a deadline are judged by the order of the stream alone', () => {
    fc.assert(fc.property(fc.integer({ min: 59 * 60_000, max: 61 * 60_000 }), fc.boolean(), (answeredMs, deadlineFirst) => {
      const pass = { minute: 60, decide: (state: Takedown) => passDeadline(state, { clock: 'resolution', orderId, run: 1, due: minute(60) }) };
      const act = { minute: answeredMs / 60_000, decide: (state: Takedown) => answer(state, orderId, actionedAnswer) };
      const { events } = played(deadlineFirst ? [{ ...pass, minute: Math.max(60.001, pass.minute) }, act] : [act, pass]);
      const action = events.find(({ type }) => type === 'ContentActioned');
      const inTime = Date.parse(action?.metadata.at ?? '') <= startMs + 60 * 60_000;
      expect(events.some(({ type }) => type === 'DeadlinePassed')).toBe(!inTime);
    }), { numRuns: 200 });
  });
});

describe('an answer of a platform without an endpoint', () => {
  it('finds its order delivered by feed', () => {
    const recipient = { hasEndpoint: false, desk: 'desk@sejam.example', redress: 'Object' };
    const when = given(opened, joined).when((state, context) => addressed(state, [issued()], context, recipient));
    expect(when.events.map(({ type, data }) => [type, 'via' in data && data.via])).toEqual([['OrderIssued', false], ['OrderDelivered', 'feed']]);
    expect(given(...waiting, delivered()).when((state) => answer(state, orderId, acknowledgedAnswer)).events).toHaveLength(1);
  });
});
