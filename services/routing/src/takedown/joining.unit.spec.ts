import { describe, expect, it } from '@jest/globals';
import { decidedAgainIsEmpty, specFor } from '@sejam/event-sourcing/testing';
import { identify, join, leave, releaseHold, reopen } from './joining.js';
import { takedown, type TakedownEvent } from './takedown.js';
import {
  acknowledged, actioned, content, issued, issuing, joined, joining, minute, opened, openedByShortLink, orderId, refused, reinstated,
  shortLink, takedownId, terms, underway, withdrawn,
} from './takedown.example.js';

const { given } = specFor(takedown);
const second = joining({ reportId: 'report-2', reportedBy: 'kpu', submittedByHolder: 'officer:kpu', approvedAt: minute(20) });
const typesOf = (events: readonly { type: string }[]): string[] => events.map(({ type }) => type);
const target = { contentKey: 'tiktok:video:7', canonicalUrl: 'https://www.tiktok.com/@x/video/7', platform: 'tiktok', product: 'tiktok', takedownId: 'target' };

describe('a report joining a takedown', () => {
  it('opens it and issues the first order, which carries the approval and its terms', () => {
    const when = given().when((state) => join(state, content, joining(), issuing(1)), { at: minute(1) });
    expect(typesOf(when.events)).toEqual(['TakedownOpened', 'ReportJoined', 'OrderIssued']);
    expect(when.events[2]?.data).toMatchObject({ orderId, round: 1, approvedAt: minute(0), terms, reports: 1, decidedBy: 'bawaslu', issuedBy: 'kominfo', test: false });
    when.thenState((state) => expect(state.status).toBe('awaiting_delivery'));
  });

  it('joins an open order without a second one', () => {
    given(...underway).when((state) => join(state, content, second, issuing(20))).then({ type: 'ReportJoined', data: second });
  });

  it('is shown to issuers when it asks for another action than was ordered', () => {
    const other = { ...second, requestedAction: 'labelled' as const };
    given(...underway).when((state) => join(state, content, other, issuing(20))).then({ type: 'ReportJoined', data: { ...other, attention: 'other_action' } });
  });

  it('only joins one that was actioned', () => {
    given(...underway, actioned(minute(5))).when((state) => join(state, content, second, issuing(20))).then({ type: 'ReportJoined', data: second });
  });

  it('is shown to issuers when the platform had refused', () => {
    given(...underway, refused(minute(5))).when((state) => join(state, content, second, issuing(20))).then({ type: 'ReportJoined', data: { ...second, attention: 'refused' } });
  });

  it.each([
    ['withdrawn by an issuer', withdrawn('issuer', minute(6))],
    ['withdrawn with its reports', withdrawn('reports_withdrawn', minute(6))],
    ['reinstated', reinstated(minute(6))],
  ])('reopens one that was %s, with the dispatch clock from the reopening', (_, closing) => {
    const when = given(...underway, closing).when((state) => join(state, content, second, issuing(20)), { at: minute(20) });
    expect(typesOf(when.events)).toEqual(['ReportJoined', 'TakedownReopened', 'OrderIssued']);
    expect(when.events[1]?.data).toMatchObject({ round: 2, cause: 'new_report' });
    expect(when.events[2]?.data).toMatchObject({ orderId: `${takedownId}.2`, round: 2, approvedAt: minute(20), reports: 2 });
    when.thenState((state) => expect(state.status).toBe('awaiting_delivery'));
  });

  it('does not reopen one that an upheld objection withdrew, even after the content was reinstated', () => {
    const upheld = [{ type: 'ObjectionRaised', data: { orderId, grounds: 'Parody', counted: true } }, { type: 'ObjectionUpheld', data: { orderId, reason: 'It is', ruledBy: 'kpu' } }, withdrawn('objection_upheld', minute(9))] as TakedownEvent[];
    const expected: TakedownEvent = { type: 'ReportJoined', data: { ...second, attention: 'objection_upheld' } };
    given(...underway, ...upheld).when((state) => join(state, content, second, issuing(20))).then(expected);
    given(...underway, ...upheld, reinstated(minute(10))).when((state) => join(state, content, second, issuing(20))).then(expected);
  });

  it('joins once, and not at all after it has left', () => {
    decidedAgainIsEmpty(takedown, underway, (state) => join(state, content, second, issuing(20)));
    const left: TakedownEvent = { type: 'ReportLeft', data: { reportId: 'report-2', reason: 'Mistaken' } };
    given(...underway, left).when((state) => join(state, content, second, issuing(20))).thenNothing();
  });

  it('chooses the terms in force when the order is issued', () => {
    const policy = { ...terms, policy: 'voting-days', version: 3, resolveWithinMinutes: 30, effectiveFrom: minute(-100) };
    const when = given().when((state) => join(state, content, joining(), { ...issuing(0), policies: [policy] }));
    expect(when.events[2]?.data).toMatchObject({ terms: { policy: 'voting-days', version: 3, resolveWithinMinutes: 30 } });
  });
});

describe('a report leaving a takedown', () => {
  it('withdraws the open order when it was the last', () => {
    given(...underway)
      .when((state) => leave(state, { reportId: 'report-1', reason: 'Mistaken' }))
      .then(
        { type: 'ReportLeft', data: { reportId: 'report-1', reason: 'Mistaken' } },
        { type: 'OrderWithdrawn', data: { orderId, cause: 'reports_withdrawn', reason: 'Every report of this content was withdrawn', withdrawnBy: 'bawaslu' } },
      );
  });

  it('leaves the order alone while another report stands, and after it was answered', () => {
    const left: TakedownEvent = { type: 'ReportLeft', data: { reportId: 'report-1', reason: 'Mistaken' } };
    given(...underway, { type: 'ReportJoined', data: second }).when((state) => leave(state, left.data)).then(left);
    given(...underway, actioned(minute(5))).when((state) => leave(state, left.data)).then(left);
  });

  it('leaves once, and nothing that it never joined', () => {
    decidedAgainIsEmpty(takedown, underway, (state) => leave(state, { reportId: 'report-1', reason: 'Mistaken' }));
    given(...underway).when((state) => leave(state, { reportId: 'unknown', reason: 'Mistaken' })).thenNothing();
    given().when((state) => leave(state, { reportId: 'report-1', reason: 'Mistaken' })).thenNothing();
  });

  it('is remembered where a merged takedown hands it over before it has joined', () => {
    const left: TakedownEvent = { type: 'ReportLeft', data: { reportId: 'report-9', reason: 'Mistaken' } };
    given(...underway).when((state) => leave(state, { ...left.data, merged: true })).then(left);
    given(...underway, left).when((state) => join(state, content, joining({ reportId: 'report-9' }), issuing(9))).thenNothing();
  });
});

describe('a takedown of a short link', () => {
  const held = [openedByShortLink, joined];

  it('issues no order before the link is resolved', () => {
    const when = given().when((state) => join(state, shortLink, joining(), issuing(0)));
    expect(typesOf(when.events)).toEqual(['TakedownOpened', 'ReportJoined']);
    given(...held).when((state) => join(state, shortLink, second, issuing(0.1))).then({ type: 'ReportJoined', data: second });
  });

  it('issues its order when the link cannot be resolved, at once, or after ten seconds whatever became of it', () => {
    const unresolvable = given(...held).when((state) => releaseHold(state, { shortLink: 'unresolvable' }, issuing(0.01)));
    expect(unresolvable.events[0]?.data).toMatchObject({ orderId, shortLink: 'unresolvable', approvedAt: minute(0) });
    given(...held).when((state) => releaseHold(state, { shortLink: 'unresolved_in_time' }, issuing(0.1))).thenNothing();
    const late = given(...held).when((state) => releaseHold(state, { shortLink: 'unresolved_in_time' }, issuing(10 / 60)));
    expect(late.events[0]?.data).toMatchObject({ shortLink: 'unresolved_in_time' });
    decidedAgainIsEmpty(takedown, held, (state) => releaseHold(state, { shortLink: 'unresolvable' }, issuing(1)));
  });

  it('issues nothing when every report left during the hold, until one joins again', () => {
    const left: TakedownEvent = { type: 'ReportLeft', data: { reportId: 'report-1', reason: 'Mistaken' } };
    given(...held, left).when((state) => releaseHold(state, { shortLink: 'unresolvable' }, issuing(1))).thenNothing();
    const again = given(...held, left).when((state) => join(state, shortLink, second, issuing(1)));
    expect(typesOf(again.events)).toEqual(['ReportJoined', 'OrderIssued']);
  });

  it('merges before its order went out, with the reports that go over', () => {
    given(...held)
      .when((state) => identify(state, target))
      .then(
        { type: 'ContentIdentified', data: target },
        { type: 'TakedownMerged', data: { into: 'target', contentKey: 'tiktok:video:7', reports: ['report-1'] } },
      );
    given(...held).when((state) => identify(state, target)).thenState((state) => expect(state.status).toBe('merged'));
    decidedAgainIsEmpty(takedown, held, (state) => identify(state, target));
  });

  it('withdraws an open order as merged in the same append', () => {
    const when = given(...held, issued(), acknowledged(minute(1))).when((state) => identify(state, target));
    expect(typesOf(when.events)).toEqual(['ContentIdentified', 'TakedownMerged', 'OrderWithdrawn']);
    when.thenState((state) => expect(state.status).toBe('merged'));
  });

  it('only notes the content when its order was already answered', () => {
    given(...held, issued(), refused(minute(1))).when((state) => identify(state, target)).then({ type: 'ContentIdentified', data: target });
  });

  it('never merges a takedown that is not provisional', () => {
    given(...underway).when((state) => identify(state, target)).thenNothing();
    given(...underway).when((state) => releaseHold(state, { shortLink: 'unresolvable' }, issuing(1))).thenNothing();
  });
});

describe('an issuer reopening a takedown', () => {
  const disputed = { cause: 'refusal_disputed', reason: 'The parody label is missing', reopenedBy: 'kominfo' } as const;

  it('issues the next round', () => {
    const when = given(...underway, refused(minute(5))).when((state) => reopen(state, disputed, issuing(30)));
    expect(typesOf(when.events)).toEqual(['TakedownReopened', 'OrderIssued']);
    expect(when.events[1]?.data).toMatchObject({ round: 2, approvedAt: minute(30), reasons: joining().reasons });
    decidedAgainIsEmpty(takedown, [...underway, refused(minute(5))], (state) => reopen(state, disputed, issuing(30)));
  });

  it('rests on the newest report where there are new grounds', () => {
    const other = { ...second, requestedAction: 'labelled' as const, reasons: 'A label is enough after all' };
    const history = [...underway, actioned(minute(5)), { type: 'ReportJoined', data: other } as TakedownEvent];
    const anew = given(...history).when((state) => reopen(state, { cause: 'new_grounds', reason: 'Label it', reopenedBy: 'kominfo' }, issuing(30)));
    expect(anew.events[1]?.data).toMatchObject({ requestedAction: 'labelled', reasons: other.reasons });
    const back = given(...history).when((state) => reopen(state, { cause: 'reappeared', reason: 'Back', reopenedBy: 'kominfo' }, issuing(30)));
    expect(back.events[1]?.data).toMatchObject({ requestedAction: 'removed', reasons: joining().reasons });
  });

  it('is refused while the order is open, for a cause that does not fit, without a standing report, and on what is reported about oneself', () => {
    given(...underway).when((state) => reopen(state, disputed, issuing(30))).thenRefused('takedown.still-open');
    given(...underway, actioned(minute(5))).when((state) => reopen(state, disputed, issuing(30))).thenRefused('takedown.reopening-cause');
    const left: TakedownEvent = { type: 'ReportLeft', data: { reportId: 'report-1', reason: 'Mistaken' } };
    given(...underway, refused(minute(5)), left).when((state) => reopen(state, disputed, issuing(30))).thenRefused('takedown.no-standing-report');
    const aboutKominfo: TakedownEvent = { type: 'ReportJoined', data: joining({ reportId: 'report-3', target: 'organiser:kominfo' }) };
    given(...underway, aboutKominfo, refused(minute(5))).when((state) => reopen(state, disputed, issuing(30))).thenRefused('takedown.self-interest');
    given().when((state) => reopen(state, disputed, issuing(30))).thenRefused('takedown.not-found');
    given(opened, joined).when((state) => reopen(state, disputed, issuing(30))).thenRefused('order.not-issued');
  });
});
