import { describe, expect, it } from '@jest/globals';
import { ceTypeOf, decode, encode, UnreadableMessage } from './index.js';

const approved = {
  reportId: 'r1', reference: 'BWS-1', reportedBy: 'bawaslu', submittedAt: '2024-11-27T00:00:00.000Z', decidedBy: 'bawaslu',
  issuedBy: 'kominfo', reasons: 'The voting day has not moved.', requestedAction: 'removed', legalBasis: ['UU-10-2016:69-c'],
  factCheck: { statement: 'KPU: voting is on 27 November' },
  contents: [{
    index: 0, submittedUrl: 'https://t.me/x/1', canonicalUrl: 'https://t.me/x/1', contentKey: 'telegram:message:x:1', platform: 'telegram',
    product: 'telegram', provisional: false, takedownId: 't1',
  }],
  statement: { category: 'hoax.voting_procedure', contentForm: 'text', region: '32', summary: 'Voting moved', evidence: [{ mediaType: 'image/png', sha256: 'ab', size: 48211, uri: 'https://example.org/e' }] },
  submittedByHolder: 'officer:1', approvedByHolder: 'officer:2',
};

describe('the public language', () => {
  it('keeps the names and values of a stored event', () => {
    const json = encode('sejam.intake.v1', 'ContentsApproved', approved);
    expect(json).toMatchObject(approved);
  });

  it('writes empty lists and false, and leaves out what was not said', () => {
    const json = encode('sejam.intake.v1', 'ContentsApproved', approved);
    expect(json['territories']).toEqual([]);
    expect(json).not.toHaveProperty('clarificationUrl');
  });

  it('refuses to publish a field that no message has', () => {
    expect(() => encode('sejam.intake.v1', 'ReportWithdrawn', { reportId: 'r', reason: 'x', reporter: { name: 'secret' } })).toThrow(/reporter/);
    expect(() => encode('sejam.sla.v1', 'NoSuchThing', {})).toThrow(/NoSuchThing/);
  });

  it('reads what it wrote, and ignores fields that a newer publisher added', () => {
    const type = ceTypeOf('sejam.sla.v1', 'DeadlineReached');
    const value = Buffer.from(JSON.stringify({ clock: 'resolution', run: 1, orderId: 'o.1', due: '2024-11-27T01:00:00.000Z', later: { x: 1 } }));
    const message = decode('sejam.sla.v1', type, value);
    expect(message?.type).toBe('DeadlineReached');
    expect(message?.data).toMatchObject({ clock: 'resolution', run: 1, orderId: 'o.1' });
  });

  it('does not know a type that a newer publisher added', () => {
    expect(decode('sejam.sla.v1', 'sejam.sla.v1.ClockPolished', Buffer.from('{}'))).toBeUndefined();
  });

  it('calls a value unreadable that is not what its type promises', () => {
    const type = ceTypeOf('sejam.sla.v1', 'DeadlineReached');
    for (const value of [Buffer.from('{"run":"many"}'), Buffer.from('{'), Buffer.from([0xff, 0xfe]), Buffer.from('[]'), Buffer.from('7'), null])
      expect(() => decode('sejam.sla.v1', type, value)).toThrow(UnreadableMessage);
    expect(() => decode('sejam.sla.v1', 'sejam.takedown.v1.OrderIssued', Buffer.from('{}'))).toThrow(UnreadableMessage);
  });
});
