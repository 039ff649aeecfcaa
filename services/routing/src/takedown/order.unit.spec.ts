import { describe, expect, it } from '@jest/globals';
import { decidedAgainIsEmpty, specFor } from '@sejam/event-sourcing/testing';
import { approveEscalation, clarify, observe, proposeEscalation, rule, withdraw } from './order.js';
import { takedown, type TakedownEvent } from './takedown.js';
import { actioned, asked, clarified, issued, joined, joining, minute, objected, opened, orderId, passed, refused, reinstated, reminded, takedownId, underway, withdrawn } from './takedown.example.js';

const { given } = specFor(takedown);
const aboutKominfo: TakedownEvent = { type: 'ReportJoined', data: joining({ reportId: 'report-3', target: 'organiser:kominfo' }) };

describe('withdrawing an order', () => {
  const asAsked = { reason: 'Issued in error', withdrawnBy: 'kominfo' };
  const event: TakedownEvent = { type: 'OrderWithdrawn', data: { orderId, cause: 'issuer', ...asAsked } };

  it('wins over every state of the order', () => {
    for (const before of [[], [refused(minute(1))], [actioned(minute(1))], [reinstated(minute(1))]]) {
      const when = given(...underway, ...before).when((state) => withdraw(state, asAsked));
      when.then(event);
      when.thenState((state) => expect(state.status).toBe('withdrawn'));
    }
  });

  it('happens once', () => {
    decidedAgainIsEmpty(takedown, underway, (state) => withdraw(state, asAsked));
  });

  it('is refused without an order, and to the agency that a report is about', () => {
    given(opened, joined).when((state) => withdraw(state, asAsked)).thenRefused('order.not-issued');
    given(...underway, aboutKominfo).when((state) => withdraw(state, asAsked)).thenRefused('takedown.self-interest');
    given().when((state) => withdraw(state, asAsked)).thenRefused('takedown.not-found');
  });
});

describe('clarifying an order', () => {
  const provided = { answer: 'At 0:12', providedBy: 'kominfo' };

  it('returns the order to acknowledged', () => {
    const when = given(...underway, asked(minute(5))).when((state) => clarify(state, provided));
    when.then({ type: 'ClarificationProvided', data: { orderId, ...provided } });
    when.thenState((state) => expect(state.status).toBe('acknowledged'));
  });

  it('is given once for each question', () => {
    decidedAgainIsEmpty(takedown, [...underway, asked(minute(5))], (state) => clarify(state, provided));
    given(...underway, asked(minute(5)), clarified(minute(6)), asked(minute(7)))
      .when((state) => clarify(state, provided))
      .then({ type: 'ClarificationProvided', data: { orderId, ...provided } });
  });

  it('is refused where nothing was asked', () => {
    given(...underway).when((state) => clarify(state, provided)).thenRefused('clarification.not-requested');
    given(...underway, asked(minute(5)), actioned(minute(6))).when((state) => clarify(state, provided)).thenRefused('clarification.not-requested');
  });
});

describe('ruling on an objection', () => {
  const upheld = { ruling: 'upheld', reason: 'It is a parody', ruledBy: 'bawaslu', holder: 'officer:third' } as const;
  const dismissed = { ...upheld, ruling: 'dismissed', reason: 'It is none' } as const;
  const pending = [...underway, objected(minute(5))];

  it('withdraws the order when it is upheld, in the same append', () => {
    given(...pending)
      .when((state) => rule(state, upheld))
      .then(
        { type: 'ObjectionUpheld', data: { orderId, reason: upheld.reason, ruledBy: 'bawaslu' } },
        { type: 'OrderWithdrawn', data: { orderId, cause: 'objection_upheld', reason: upheld.reason, withdrawnBy: 'bawaslu' } },
      );
  });

  it('lets the order stand when it is dismissed', () => {
    const when = given(...pending).when((state) => rule(state, dismissed));
    when.then({ type: 'ObjectionDismissed', data: { orderId, reason: dismissed.reason, ruledBy: 'bawaslu' } });
    when.thenState((state) => expect(state.status).toBe('delivered'));
  });

  it('belongs to a holder who neither submitted nor approved, not even a report that has left', () => {
    for (const holder of ['officer:submitter', 'officer:approver']) {
      given(...pending).when((state) => rule(state, { ...upheld, holder })).thenRefused('objection.four-eyes');
    }
    const second = joining({ reportId: 'report-2', submittedByHolder: 'officer:other' });
    const gone: TakedownEvent[] = [{ type: 'ReportJoined', data: second }, { type: 'ReportLeft', data: { reportId: 'report-2', reason: 'Mistaken' } }];
    given(...pending, ...gone).when((state) => rule(state, { ...upheld, holder: 'officer:other' })).thenRefused('objection.four-eyes');
  });

  it('belongs to another agency than the one that a report is about', () => {
    given(...pending, aboutKominfo).when((state) => rule(state, { ...upheld, ruledBy: 'kominfo' })).thenRefused('takedown.self-interest');
  });

  it('happens once; the opposite is refused', () => {
    decidedAgainIsEmpty(takedown, pending, (state) => rule(state, upheld));
    given(...pending, { type: 'ObjectionDismissed', data: { orderId, reason: 'No', ruledBy: 'bawaslu' } })
      .when((state) => rule(state, upheld))
      .thenRefused('objection.already-ruled');
    given(...underway).when((state) => rule(state, upheld)).thenRefused('objection.none');
  });

  it('does not withdraw a second time what was withdrawn before', () => {
    given(...pending, withdrawn('issuer', minute(6)))
      .when((state) => rule(state, upheld))
      .then({ type: 'ObjectionUpheld', data: { orderId, reason: upheld.reason, ruledBy: 'bawaslu' } });
  });

  it('reaches an objection to an earlier round', () => {
    const rounds = [...pending, actioned(minute(6)), { type: 'TakedownReopened', data: { round: 2, cause: 'reappeared', reason: 'Back', reopenedBy: 'kominfo' } } as TakedownEvent, issued(2, minute(30))];
    const when = given(...rounds).when((state) => rule(state, upheld));
    expect(when.events.map(({ data }) => 'orderId' in data && data.orderId)).toEqual([orderId, orderId]);
    when.thenState((state) => expect(state.status).toBe('awaiting_delivery'));
  });
});

describe('observing a content', () => {
  it.each([['gone', 'RemovalVerified'], ['online', 'ContentStillOnline'], ['reappeared', 'ContentReappeared']] as const)('records %s without changing the status', (seen, type) => {
    const when = given(...underway, actioned(minute(5))).when((state) => observe(state, { seen, seenBy: 'mafindo', note: 'From two networks' }));
    when.then({ type, data: { orderId, seenBy: 'mafindo', note: 'From two networks' } });
    when.thenState((state) => expect(state.status).toBe('actioned'));
  });

  it('is recorded once for the same words, and again by somebody else', () => {
    decidedAgainIsEmpty(takedown, underway, (state) => observe(state, { seen: 'gone', seenBy: 'kpu' }));
    given(...underway, { type: 'RemovalVerified', data: { orderId, seenBy: 'kpu' } })
      .when((state) => observe(state, { seen: 'gone', seenBy: 'bawaslu' }))
      .then({ type: 'RemovalVerified', data: { orderId, seenBy: 'bawaslu' } });
  });
});

describe('escalating an order', () => {
  const missed = [...underway, passed(minute(61)), reminded(minute(61))];
  const proposal = { level: 2, letterNumber: 'ST1/2024/17', reason: 'No answer', proposedBy: 'kominfo' } as const;
  const proposed: TakedownEvent = { type: 'EscalationProposed', data: { orderId, n: 1, ...proposal } };
  const approval = { n: 1, approvedBy: 'kominfo', holder: 'officer:second' };
  const escalated: TakedownEvent = { type: 'Escalated', data: { orderId, n: 1, level: 2, letterNumber: 'ST1/2024/17', reason: 'No answer', approvedBy: 'kominfo' } };

  it('is proposed by one holder and carried out by another', () => {
    given(...missed).when((state) => proposeEscalation(state, proposal)).then(proposed);
    given(...missed, { ...proposed, by: { organisation: 'kominfo', holder: 'officer:first' } }).when((state) => approveEscalation(state, approval)).then(escalated);
    given(...missed, { ...proposed, by: { organisation: 'kominfo', holder: 'officer:second' } }).when((state) => approveEscalation(state, approval)).thenRefused('escalation.four-eyes');
  });

  it('goes from level to level', () => {
    given(...missed).when((state) => proposeEscalation(state, { ...proposal, level: 3 })).thenRefused('escalation.level');
    given(...missed, proposed, escalated)
      .when((state) => proposeEscalation(state, { ...proposal, level: 3, letterNumber: 'ST2/2024/3' }))
      .then({ type: 'EscalationProposed', data: { orderId, n: 2, ...proposal, level: 3, letterNumber: 'ST2/2024/3' } });
  });

  it('needs a missed resolution deadline and an order that is still open', () => {
    given(...underway).when((state) => proposeEscalation(state, proposal)).thenRefused('escalation.no-missed-deadline');
    given(...missed, actioned(minute(70))).when((state) => proposeEscalation(state, proposal)).thenRefused('escalation.order-closed');
    given(...missed, proposed, actioned(minute(70))).when((state) => approveEscalation(state, approval)).thenRefused('escalation.order-closed');
  });

  it('happens once, and only what was proposed', () => {
    decidedAgainIsEmpty(takedown, missed, (state) => proposeEscalation(state, proposal));
    decidedAgainIsEmpty(takedown, [...missed, proposed], (state) => approveEscalation(state, approval));
    given(...missed).when((state) => approveEscalation(state, approval)).thenRefused('escalation.not-found');
  });

  it('is outdated once the takedown was opened again', () => {
    const reopened = { type: 'TakedownReopened', data: { round: 2, cause: 'new_grounds', reason: 'More', reopenedBy: 'kominfo' } } as TakedownEvent;
    given(...missed, proposed, refused(minute(70)), reopened, { ...issued(2, minute(80)), data: { ...issued(2, minute(80)).data, orderId: `${takedownId}.2` } })
      .when((state) => approveEscalation(state, approval))
      .thenRefused('escalation.outdated');
  });
});
