import { describe, expect, it } from '@jest/globals';
import { decidedAgainIsEmpty, specFor } from '@sejam/event-sourcing/testing';
import { deem, deliver, deliverNotice, failDelivery } from './order-delivery.js';
import { takedown, type TakedownEvent } from './takedown.js';
import { acknowledged, delivered, issued, joined, minute, opened, orderId, underway, withdrawn } from './takedown.example.js';

const { given } = specFor(takedown);
const waiting = [opened, joined, issued()];
const failure = (attempt: number, cause = 'timeout', side: 'platform' | 'ours' = 'platform'): TakedownEvent & { type: 'OrderDeliveryFailed' } => ({
  type: 'OrderDeliveryFailed', data: { orderId, webhookId: 'w-1', attempt, side, cause },
});
const three = [failure(1), failure(2, 'HTTP 500'), failure(3)];
const late = { orderId, at: new Date(minute(15)), oursAlone: false };

describe('the delivery of an order', () => {
  it('is recorded once, by the first way that worked', () => {
    given(...waiting).when((state) => deliver(state, { orderId, via: 'webhook', webhookId: 'w-1', attempt: 2 })).then({ type: 'OrderDelivered', data: { orderId, via: 'webhook', webhookId: 'w-1', attempt: 2 } });
    decidedAgainIsEmpty(takedown, waiting, (state) => deliver(state, { orderId, via: 'feed' }));
  });

  it('is recorded after deeming too, and after the order was withdrawn on its way', () => {
    const deemed: TakedownEvent = { type: 'OrderDeemedDelivered', data: { orderId, attempts: 3, causes: ['timeout'] } };
    given(...waiting, deemed).when((state) => deliver(state, { orderId, via: 'feed' })).then({ type: 'OrderDelivered', data: { orderId, via: 'feed' } });
    given(...waiting, withdrawn('issuer', minute(1))).when((state) => deliver(state, { orderId, via: 'feed' })).thenState((state) => expect(state.status).toBe('withdrawn'));
  });

  it('keeps each failed attempt once, and none after the order has arrived', () => {
    given(...waiting).when((state) => failDelivery(state, failure(1).data)).then(failure(1));
    decidedAgainIsEmpty(takedown, waiting, (state) => failDelivery(state, failure(1).data));
    given(...underway).when((state) => failDelivery(state, failure(2).data)).thenNothing();
    given(...waiting, failure(1)).when((state) => failDelivery(state, failure(1).data)).thenState((state) => expect(state.status).toBe('awaiting_delivery'));
  });

  it('of an order that is not there is refused', () => {
    given(...waiting).when((state) => deliver(state, { orderId: 'other', via: 'feed' })).thenRefused('order.unknown');
    given().when((state) => failDelivery(state, failure(1).data)).thenRefused('order.unknown');
  });
});

describe('deeming an order delivered', () => {
  it('takes 15 minutes and three failures on the platform\'s side', () => {
    const when = given(...waiting, ...three).when((state) => deem(state, late));
    when.then({ type: 'OrderDeemedDelivered', data: { orderId, attempts: 3, causes: ['timeout', 'HTTP 500'] } });
    when.thenState((state) => expect(state.status).toBe('delivered'));
    given(...waiting, ...three).when((state) => deem(state, { ...late, at: new Date(Date.parse(minute(15)) - 1) })).thenNothing();
    given(...waiting, failure(1), failure(2), failure(3, 'DNS', 'ours')).when((state) => deem(state, late)).thenNothing();
  });

  it('does not happen where the fault is ours, nor to an order that arrived or was withdrawn, nor twice', () => {
    given(...waiting, ...three).when((state) => deem(state, { ...late, oursAlone: true })).thenNothing();
    given(...waiting, ...three, delivered(minute(14))).when((state) => deem(state, late)).thenNothing();
    given(...waiting, ...three, delivered(minute(14)), acknowledged(minute(14))).when((state) => deem(state, late)).thenNothing();
    given(...waiting, ...three, withdrawn('issuer', minute(14))).when((state) => deem(state, late)).thenNothing();
    decidedAgainIsEmpty(takedown, [...waiting, ...three], (state) => deem(state, late));
  });
});

describe('the delivery of a notice', () => {
  it('is recorded once for each message', () => {
    given(...underway).when((state) => deliverNotice(state, { orderId, webhookId: 'e-1', via: 'webhook' })).then({ type: 'NoticeDelivered', data: { orderId, webhookId: 'e-1', via: 'webhook' } });
    decidedAgainIsEmpty(takedown, underway, (state) => deliverNotice(state, { orderId, webhookId: 'e-1', via: 'webhook' }));
  });
});
