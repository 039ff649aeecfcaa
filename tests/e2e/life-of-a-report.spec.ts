import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '@sejam/testkit';
import { answers, delivered, newContent, reportBody, statusIs } from '../stack/cases.js';
import { Stack } from '../stack/stack.js';

describe('the life of a report, on the embedded parts', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start({ speed: 1 });
  }, 120_000);
  afterAll(() => stack.stop(), 60_000);

  it('leads from an agency over HTTP to the platform, and with its answer back onto the record', async () => {
    const url = newContent('tiktok');
    const submitted = await stack.as('bawaslu').post('/v1/reports', reportBody({ urls: [`${url}?_r=1&utm_source=x`] }));
    expect(submitted).toMatchObject({ status: 201, body: { status: 'submitted', reportedBy: 'bawaslu', contents: [{ canonicalUrl: url, platform: 'tiktok', product: 'tiktok', decision: 'pending' }] } });
    const { id, contents: [{ takedownId, contentKey }] } = submitted.body as { id: string; contents: [{ takedownId: string; contentKey: string }] };

    const approved = await stack.as('bawasluReviewer').post(`/v1/reports/${id}/approval`, { reasons: 'The day of voting did not move, as the commission has stated.', requestedAction: 'removed', factCheck: { url: 'https://cekfakta.example/1' } });
    expect(approved).toMatchObject({ status: 200, body: { status: 'approved' } });

    const order = await delivered(stack, { orderId: `${takedownId}.1` });
    expect(order).toMatchObject({
      platform: 'tiktok', verified: true,
      data: { takedownId, round: 1, content: { contentKey, canonicalUrl: url }, requestedAction: 'removed', decidedBy: 'bawaslu', issuedBy: 'kominfo', terms: { acknowledgeWithinMinutes: 10, resolveWithinMinutes: 60 } },
    });

    const answered = await stack.answer('tiktok', ...answers.actioned(order.orderId));
    expect(answered).toMatchObject({ status: 202, body: { effect: 'applied' } });
    const takedown = await statusIs(stack, { takedownId }, 'actioned');
    expect(takedown).toMatchObject({ platform: 'tiktok', verification: 'claimed', answers: [{ type: 'ContentActioned', eventId: answered.body['eventId'], by: { organisation: 'tiktok' } }] });

    const recorded = await stack.events(`takedown-${takedownId}`);
    expect(recorded.map(({ type }) => type)).toEqual(['TakedownOpened', 'ReportJoined', 'OrderIssued', 'OrderDelivered', 'ContentActioned']);
    expect(recorded[4]?.metadata.signed?.body).toContain(order.orderId);
    await eventually(async () => {
      const { body } = await stack.as('kominfo').get(`/v1/clocks?orderId=${order.orderId}`);
      const states = Object.fromEntries((body['items'] as { kind: string; status: string }[]).map(({ kind, status }) => [kind, status]));
      expect(states).toEqual({ dispatch: 'met', acknowledgement: 'met', resolution: 'met' });
    });
  }, 60_000);
});
