import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decidedAgainIsEmpty, specFor, type Given } from '@sejam/event-sourcing/testing';
import { officerOf, organisation, type OrganisationEvent } from '../organisation/organisation.js';
import { publishReport } from '../report/publish-report.js';
import { approve, passDecisionDeadline, report, reporterOf, type Report, type ReportEvent } from '../report/report.js';
import { confirmErasure, erasuresOf, isErased, requestErasure, withdrawErasure, type ErasureSubject } from './erasure.js';

const given = specFor(report).given;
const first = { organisation: 'operator', holder: 'officer:operator-1', keyId: 'o1' };
const second = { organisation: 'operator', holder: 'officer:operator-2', keyId: 'o2' };
const subject: ErasureSubject = { kind: 'reporter', reportId: 'r1', subjectId: 's1' };
const erasureId = 'report-r1.1';

const submitted: Given<ReportEvent> = {
  type: 'ReportSubmitted', by: { organisation: 'bawaslu', holder: 'officer:1' }, at: '2024-11-27T00:00:00.000Z',
  data: {
    reportId: 'r1', reference: 'BWS-1', reportedBy: 'bawaslu', requestSha256: 'aa', reporter: { subjectId: 's1', name: 'sealed' },
    statement: { category: 'defamation', contentForm: 'text', region: '32', summary: 'x', legalBasis: ['UU-ITE:28-1'] },
    contents: [{ index: 0, submittedUrl: 'u', canonicalUrl: 'u', contentKey: 'telegram:message:x:1', platform: 'telegram', product: 'telegram', provisional: false, takedownId: 't1' }],
  },
};
const anonymous: Given<ReportEvent> = { ...submitted, data: { ...submitted.data, reporter: undefined } } as unknown as Given<ReportEvent>;
const requested: Given<ReportEvent> = { type: 'ErasureRequested', data: { erasureId, subject, reason: 'asked by the person' }, by: first };
const withdrawn: Given<ReportEvent> = { type: 'ErasureWithdrawn', data: { erasureId, subject, reason: 'wrong report' }, by: second };
const erased: Given<ReportEvent> = { type: 'SubjectErased', data: { erasureId, subject, requestedByHolder: first.holder }, by: second };

const request = (state: Report) => requestErasure(state, 'report-r1', { subject: reporterOf(state), reason: 'asked by the person' });
const confirmBy = (holder: string) => (state: Report) => confirmErasure(state, { erasureId, holder });
const withdraw = (state: Report) => withdrawErasure(state, { erasureId, reason: 'wrong report' });

describe('the erasure of a reporter', () => {
  it('is asked for once, under an id that names its stream, and anew after it was withdrawn', () => {
    given(submitted).when(request).then({ type: 'ErasureRequested', data: { erasureId, subject, reason: 'asked by the person' } });
    for (const history of [[requested], [requested, erased]]) given(submitted, ...history).when(request).thenNothing();
    given(submitted, requested, withdrawn).when(request).thenState((state) => expect(erasuresOf(state).map((one) => [one.erasureId, one.state])).toEqual([[erasureId, 'withdrawn'], ['report-r1.2', 'requested']]));
  });

  it('needs a reporter to erase', () => {
    given().when(request).thenRefused('report.not-found');
    given(anonymous).when(request).thenRefused('erasure.subject-unknown');
  });

  it('is confirmed by another officer, who is recorded, and never by a system', () => {
    given(submitted, requested).when(confirmBy(second.holder)).then({ type: 'SubjectErased', data: { erasureId, subject, requestedByHolder: first.holder } });
    given(submitted, requested).when(confirmBy(first.holder)).thenRefused('erasure.four-eyes');
    given(submitted, requested, erased).when(confirmBy(first.holder)).thenRefused('erasure.four-eyes');
    given(submitted, requested).when(confirmBy('system:desk')).thenRefused('erasure.officer-required');
    given(submitted).when(confirmBy(second.holder)).thenRefused('erasure.not-found');
    expect(erasuresOf(given(submitted, requested, erased).state)).toMatchObject([{ state: 'confirmed', requestedByHolder: first.holder, ended: { byHolder: second.holder } }]);
  });

  it('can be taken back until it is confirmed', () => {
    given(submitted, requested).when(withdraw).then({ type: 'ErasureWithdrawn', data: { erasureId, subject, reason: 'wrong report' } });
    given(submitted, requested, withdrawn).when(confirmBy(second.holder)).thenRefused('erasure.withdrawn');
    given(submitted, requested, erased).when(withdraw).thenRefused('erasure.already-confirmed');
  });

  it('adds nothing when it is decided again', () => {
    decidedAgainIsEmpty(report, [submitted], request);
    decidedAgainIsEmpty(report, [submitted, requested], confirmBy(second.holder));
    decidedAgainIsEmpty(report, [submitted, requested], withdraw);
  });

  it('holds from the confirmation on and for ever, whatever else happens to the report', () => {
    const decide = fc.constantFrom(
      request, withdraw, confirmBy(first.holder), confirmBy(second.holder), confirmBy('officer:operator-3'),
      (state: Report) => passDecisionDeadline(state, { at: new Date('2024-11-27T01:00:00.000Z') }),
      (state: Report) => approve(state, { organisation: 'kpu', holder: 'officer:9', executor: 'kominfo' }, { reasons: 'Twenty characters and more.', requestedAction: 'removed' }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(decide, fc.constantFrom(first, second)), { maxLength: 20 }), (steps) => {
        let history: Given<ReportEvent>[] = [submitted];
        let wasErased = false;
        for (const [step, by] of steps) {
          let events: readonly Given<ReportEvent>[] = [];
          try {
            events = given(...history).when(step, { by }).events;
          } catch (refusal) {
            expect(refusal).toMatchObject({ name: 'DomainError' });
          }
          history = [...history, ...events.map((event) => ({ ...event, by }))];
          const { state } = given(...history);
          if (wasErased) expect(isErased(state)).toBe(true);
          wasErased = isErased(state);
        }
        expect(history.filter(({ type }) => type === 'SubjectErased').length).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('changes nothing of what the report is decided on', () => {
    const bare = ({ erasures: _, ...state }: Report & { erasures?: unknown }) => state;
    expect(bare(given(submitted, requested, erased).state)).toEqual(bare(given(submitted).state));
  });

  it('is told of without reasons, file numbers and key ids', () => {
    const withReference = { type: 'ErasureRequested', data: { erasureId, subject, reason: 'asked by the person', reference: 'PDP-7' } } as const;
    for (const event of [withReference, requested, withdrawn, erased]) expect(publishReport(event)).toEqual({ type: event.type, data: { reportId: 'r1', erasureId } });
  });
});

describe("the erasure of an officer's name", () => {
  const officers: Given<OrganisationEvent>[] = [
    { type: 'OrganisationRegistered', data: { organisation: 'kpu', kind: 'agency', name: 'KPU' } },
    { type: 'OfficerAdded', data: { organisation: 'kpu', holder: 'officer:1' } },
    { type: 'OfficerAdded', data: { organisation: 'kpu', holder: 'officer:2' } },
  ];
  const of = specFor(organisation).given(...officers);

  it('stands in the stream of the organisation, and is apart from that of another officer', () => {
    const one = of.when((state) => requestErasure(state, 'organisation-kpu', { subject: officerOf(state, 'officer:1'), reason: 'left' }));
    one.then({ type: 'ErasureRequested', data: { erasureId: 'organisation-kpu.1', subject: { kind: 'officer', organisation: 'kpu', holder: 'officer:1' }, reason: 'left' } });
    const both = specFor(organisation).given(...officers, ...one.events).when((state) => requestErasure(state, 'organisation-kpu', { subject: officerOf(state, 'officer:2'), reason: 'left' }));
    both.thenState((state) => expect(erasuresOf(state).map((erasure) => erasure.erasureId)).toEqual(['organisation-kpu.1', 'organisation-kpu.2']));
  });

  it('needs an officer of the organisation', () => {
    of.when((state) => requestErasure(state, 'organisation-kpu', { subject: officerOf(state, 'officer:9'), reason: 'left' })).thenRefused('erasure.subject-unknown');
    specFor(organisation).given().when((state) => requestErasure(state, 'organisation-kpu', { subject: officerOf(state, 'officer:1'), reason: 'left' })).thenRefused('organisation.not-found');
  });
});
