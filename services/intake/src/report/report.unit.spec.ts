import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decidedAgainIsEmpty, specFor, type Given } from '@sejam/event-sourcing/testing';
import {
  amend, approve, decline, passDecisionDeadline, report, submit, withdraw,
  type Approval, type Decider, type Report, type ReportedContent, type ReportEvent, type Submission,
} from './report.js';

const given = specFor(report).given;
const submitter = { organisation: 'bawaslu', holder: 'officer:1', keyId: 'k1' };
const reviewer: Decider = { organisation: 'bawaslu', holder: 'officer:2', executor: 'kominfo' };
const otherAgency: Decider = { organisation: 'kpu', holder: 'officer:9', executor: 'kominfo' };

const content = (n: number): ReportedContent => ({
  index: n, submittedUrl: `https://t.me/x/${n}?single`, canonicalUrl: `https://t.me/x/${n}`, contentKey: `telegram:message:x:${n}`,
  platform: 'telegram', product: 'telegram', provisional: false, takedownId: `t${n}`,
});
const submission = (changes: Partial<Submission> = {}): Submission => ({
  reportId: 'r1', reference: 'BWS-1', reportedBy: 'bawaslu', requestSha256: 'aa', refused: [], contents: [content(0), content(1)],
  statement: { category: 'hoax.voting_procedure', contentForm: 'text', region: '32', summary: 'Voting moved', legalBasis: ['UU-10-2016:69-c'] },
  ...changes,
});
const approval: Approval = { reasons: 'Voting is on 27 November in every province.', requestedAction: 'removed', factCheck: { statement: 'KPU: the day has not moved' } };

const submitted = (changes: Partial<Submission> = {}): Given<ReportEvent> => ({ ...(submit(report.initialState, submission(changes))[0] as ReportEvent), by: submitter, at: '2024-11-27T00:00:00.000Z' });
const approvedFirst = given(submitted()).when((state) => approve(state, reviewer, { ...approval, contents: ['telegram:message:x:0'] })).events;
const declinedFirst = given(submitted()).when((state) => decline(state, reviewer, { reason: 'satire', contents: ['telegram:message:x:0'] })).events;
const withdrawn: Given<ReportEvent> = { type: 'ReportWithdrawn', data: { reportId: 'r1', reason: 'mistake', approved: [] } };
const statusOf = (state: Report) => state.status;

describe('submitting a report', () => {
  it('is recorded once, whatever the number of repeats', () => {
    given().when((state) => submit(state, submission())).then({
      type: 'ReportSubmitted',
      data: { reportId: 'r1', reference: 'BWS-1', reportedBy: 'bawaslu', requestSha256: 'aa', statement: submission().statement, contents: submission().contents },
    });
    given(submitted()).when((state) => submit(state, submission())).thenNothing();
  });

  it('refuses another request under the same reference, also after a withdrawal', () => {
    given(submitted()).when((state) => submit(state, submission({ requestSha256: 'bb' }))).thenRefused('report.reference-conflict');
    given(submitted(), withdrawn).when((state) => submit(state, submission({ requestSha256: 'bb' }))).thenRefused('report.reference-conflict');
  });

  it('remembers a report without routable content once, and leaves its reference free', () => {
    const refused = [{ index: 0, submittedUrl: 'https://example.org', code: 'content.unknown-product', detail: 'x' }];
    const unroutable = given().when((state) => submit(state, submission({ contents: [], refused })));
    unroutable.thenState((state) => expect(state.status).toBe('none'));
    given(...unroutable.events).when((state) => submit(state, submission({ contents: [], refused }))).thenNothing();
    given(...unroutable.events).when((state) => submit(state, submission({ requestSha256: 'bb' }))).thenState((state) => expect(statusOf(state)).toBe('submitted'));
  });
});

describe('deciding a report', () => {
  it('gives routing all it needs, with the agency that carries it out', () => {
    const [event] = given(submitted()).when((state) => approve(state, reviewer, approval)).events;
    expect(event).toMatchObject({
      type: 'ContentsApproved',
      data: {
        reportId: 'r1', reportedBy: 'bawaslu', decidedBy: 'bawaslu', issuedBy: 'kominfo', submittedAt: '2024-11-27T00:00:00.000Z', legalBasis: ['UU-10-2016:69-c'],
        contents: [{ contentKey: 'telegram:message:x:0', takedownId: 't0' }, { contentKey: 'telegram:message:x:1' }],
        statement: { category: 'hoax.voting_procedure' }, submittedByHolder: 'officer:1', approvedByHolder: 'officer:2',
      },
    });
  });

  it('needs four eyes: not the holder who submitted, of whatever agency, and never a system', () => {
    given(submitted()).when((state) => approve(state, { ...reviewer, holder: 'officer:1' }, approval)).thenRefused('report.four-eyes');
    given(submitted()).when((state) => decline(state, { ...reviewer, holder: 'officer:1' }, { reason: 'no' })).thenRefused('report.four-eyes');
    given(submitted()).when((state) => approve(state, { ...reviewer, holder: 'system:desk' }, approval)).thenRefused('report.officer-required');
    given(submitted()).when((state) => approve(state, otherAgency, approval)).thenState((state) => expect(statusOf(state)).toBe('approved'));
  });

  it('is not for the agency that the report is about', () => {
    const aboutKpu = submitted({ statement: { ...submission().statement, target: 'organiser:kpu' } });
    given(aboutKpu).when((state) => approve(state, otherAgency, approval)).thenRefused('report.self-interest');
    given(aboutKpu).when((state) => decline(state, otherAgency, { reason: 'no' })).thenRefused('report.self-interest');
    given(aboutKpu).when((state) => approve(state, reviewer, approval)).thenState((state) => expect(statusOf(state)).toBe('approved'));
  });

  it('never leads to an order without reasons, legal basis, fact check or the label it needs', () => {
    const refused = (changes: Partial<Approval>, code: string, statement = {}) =>
      given(submitted({ statement: { ...submission().statement, ...statement } })).when((state) => approve(state, reviewer, { ...approval, ...changes })).thenRefused(code);
    refused({ reasons: 'too short' }, 'report.reasons-required');
    refused({}, 'report.legal-basis-required', { legalBasis: undefined });
    refused({ factCheck: {} }, 'report.fact-check-required');
    refused({ requestedAction: 'labelled' }, 'report.clarification-url-required');
    const { factCheck: _none, ...withoutCheck } = approval;
    given(submitted({ statement: { ...submission().statement, category: 'hate_speech' } })).when((state) => approve(state, reviewer, withoutCheck)).thenState((state) => expect(statusOf(state)).toBe('approved'));
  });

  it('takes contents together or one by one, and is over when all are decided', () => {
    given(submitted(), ...approvedFirst).when((state) => decline(state, reviewer, { reason: 'satire' })).thenState((state) => expect(statusOf(state)).toBe('approved'));
    given(submitted(), ...declinedFirst).when((state) => decline(state, reviewer, { reason: 'satire' })).thenState((state) => expect(statusOf(state)).toBe('declined'));
    given(submitted(), ...declinedFirst).when((state) => withdraw(state, { organisation: 'bawaslu', reason: 'x' })).thenState((state) => expect(statusOf(state)).toBe('withdrawn'));
  });

  it('refuses to contradict an earlier decision, and has nothing to add to the same one', () => {
    const named = { contents: ['telegram:message:x:0'] };
    given(submitted(), ...approvedFirst).when((state) => decline(state, reviewer, { reason: 'no', ...named })).thenRefused('report.already-decided');
    given(submitted(), ...declinedFirst).when((state) => approve(state, reviewer, { ...approval, ...named })).thenRefused('report.already-decided');
    given(submitted(), ...approvedFirst).when((state) => approve(state, reviewer, { ...approval, ...named })).thenNothing();
    given(submitted()).when((state) => approve(state, reviewer, { ...approval, contents: ['telegram:message:x:7'] })).thenRefused('report.content-unknown');
    given(submitted(), withdrawn).when((state) => approve(state, reviewer, approval)).thenRefused('report.withdrawn');
    given().when((state) => approve(state, reviewer, approval)).thenRefused('report.not-found');
  });

  it('access disabled without territories means Indonesia', () => {
    const [event] = given(submitted()).when((state) => approve(state, reviewer, { ...approval, requestedAction: 'access_disabled' })).events;
    expect(event).toMatchObject({ data: { territories: ['ID'] } });
  });
});

describe('changing and withdrawing a report', () => {
  const amendment = { organisation: 'bawaslu', changes: { region: '33', summary: 'Voting moved' }, reason: 'wrong province' };

  it('records what changed, and only that', () => {
    given(submitted()).when((state) => amend(state, amendment)).then({
      type: 'ReportAmended',
      data: { reportId: 'r1', statement: { ...submission().statement, region: '33' }, changed: ['region'], reason: 'wrong province' },
    });
    given(submitted()).when((state) => amend(state, { ...amendment, changes: { region: '32' } })).thenNothing();
  });

  it('is for the organisation that submitted, and only before a decision', () => {
    given(submitted()).when((state) => amend(state, { ...amendment, organisation: 'kpu' })).thenRefused('report.not-yours');
    given(submitted()).when((state) => withdraw(state, { organisation: 'kpu', reason: 'x' })).thenRefused('report.not-yours');
    given(submitted(), ...approvedFirst).when((state) => amend(state, amendment)).thenRefused('report.already-decided');
    given(submitted(), withdrawn).when((state) => amend(state, amendment)).thenRefused('report.withdrawn');
  });

  it('names the takedowns that a withdrawn report leaves', () => {
    const [event] = given(submitted(), ...approvedFirst).when((state) => withdraw(state, { organisation: 'bawaslu', reason: 'mistake' })).events;
    expect(event).toMatchObject({ type: 'ReportWithdrawn', data: { approved: [{ contentKey: 'telegram:message:x:0', takedownId: 't0' }] } });
    given(submitted(), withdrawn).when((state) => withdraw(state, { organisation: 'bawaslu', reason: 'again' })).thenNothing();
  });
});

describe('the decision clock', () => {
  const due = '2024-11-27T00:15:00.000Z';
  const late = '2024-11-27T00:15:00.001Z';
  const ask = (...history: Given<ReportEvent>[]) => given(...history).when((state, { at }) => passDecisionDeadline(state, { at }), { at: late });

  it('has passed when a content is undecided after 15 minutes, and says so once', () => {
    ask(submitted()).then({ type: 'DeadlinePassed', data: { clock: 'decision', reportId: 'r1', run: 1, due } });
    ask(submitted(), ...approvedFirst).then({ type: 'DeadlinePassed', data: { clock: 'decision', reportId: 'r1', run: 1, due } });
    ask(submitted(), ...ask(submitted()).events).thenNothing();
  });

  it('has passed when the last decision came too late, also when that is seen before the question', () => {
    const decidedLate = given(submitted()).when((state) => approve(state, reviewer, approval), { at: late }).events.map((event) => ({ ...event, at: event.metadata.at, by: event.metadata.by }));
    ask(submitted(), ...decidedLate).then({ type: 'DeadlinePassed', data: { clock: 'decision', reportId: 'r1', run: 1, due } });
  });

  it('has not passed at the due time itself, after the last decision, or for a withdrawn report', () => {
    given(submitted()).when((state, { at }) => passDecisionDeadline(state, { at }), { at: due }).thenNothing();
    ask(submitted(), ...given(submitted()).when((state) => approve(state, reviewer, approval)).events).thenNothing();
    ask(submitted(), withdrawn).thenNothing();
    ask().thenNothing();
  });
});

it('any decision repeated at once adds nothing', () => {
  const decisions = fc.constantFrom<(state: Report, context: { at: Date }) => ReportEvent[]>(
    (state) => submit(state, submission()) as ReportEvent[],
    (state) => approve(state, reviewer, approval),
    (state) => approve(state, otherAgency, { ...approval, contents: ['telegram:message:x:1'] }),
    (state) => decline(state, reviewer, { reason: 'satire' }),
    (state) => amend(state, { organisation: 'bawaslu', changes: { region: '33' }, reason: 'x' }),
    (state) => withdraw(state, { organisation: 'bawaslu', reason: 'x' }),
    (state, { at }) => passDecisionDeadline(state, { at }),
  );
  fc.assert(
    fc.property(fc.array(decisions, { maxLength: 6 }), decisions, (earlier, last) => {
      let history: Given<ReportEvent>[] = [submitted()];
      for (const decide of earlier) {
        try {
          history = [...history, ...given(...history).when(decide).events.map((event) => ({ ...event, at: event.metadata.at, by: event.metadata.by }))];
        } catch (error) {
          if ((error as Error).name !== 'DomainError') throw error;
        }
      }
      try {
        decidedAgainIsEmpty(report, history, last);
      } catch (error) {
        if ((error as Error).name !== 'DomainError') throw error;
      }
    }),
  );
});
