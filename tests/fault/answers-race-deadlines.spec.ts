import { describe, expect, it } from '@jest/globals';
import { transactor, type DomainClock, type EventStore, type StoredEvent } from '@sejam/event-sourcing';
import { memoryEventStore } from '@sejam/event-sourcing/testing';
import { answer, type Answer } from '../../services/routing/src/answer/answer.js';
import { passDeadline } from '../../services/routing/src/takedown/deadline.js';
import { join } from '../../services/routing/src/takedown/joining.js';
import { deliver } from '../../services/routing/src/takedown/order-delivery.js';
import { takedown } from '../../services/routing/src/takedown/takedown.js';
import { content, issuing, joining, minute, orderId, takedownId } from '../../services/routing/src/takedown/takedown.example.js';
import { randomFrom } from '../stack/load.js';
import { recomputedClocks } from '../stack/recomputed-clocks.js';

const races = 2_000;
const whileIssuing = issuing(0);
const dueMs = Date.parse(minute(60));
const by = { organisation: 'sejam', holder: 'system:test' };
const meeting: readonly Answer[] = [
  { type: 'order.actioned', action: 'removed', actionedAt: minute(59) },
  { type: 'order.refused', reason: 'not_found', explanation: 'It is gone' },
  { type: 'order.objected', grounds: 'Parody' },
  { type: 'order.acknowledged' },
];

/** Domain time of one process: the clocks of two processes differ by a few milliseconds. */
const clockAt = (atMs: number): DomainClock => ({ speed: 1, now: () => new Date(atMs), wallMsUntil: (due) => due.getTime() - atMs });

describe('an answer and a deadline that race', () => {
  it(`end as the stream's order dictates, ${races} times over`, async () => {
    const random = randomFrom(60);
    const pick = (count: number): number => Math.floor(random() * count);
    const outcomes: Record<string, number> = {};
    for (let race = 0; race < races; race += 1) {
      const store = memoryEventStore();
      const at = (ms: number) => transactor(yielding(store, pick), clockAt(ms), { backOffMs: 0 });
      const cause = (causationId: string) => ({ causationId, correlationId: causationId, by });
      await transactor(store, clockAt(Date.parse(minute(0))))(takedown, takedownId, cause('open'), (state) => join(state, content, joining(), whileIssuing));
      await transactor(store, clockAt(Date.parse(minute(0))))(takedown, takedownId, cause('deliver'), (state) => deliver(state, { orderId, via: 'webhook', webhookId: 'w', attempt: 1 }));

      const due = { clock: 'resolution' as const, orderId, run: 1, due: new Date(dueMs).toISOString() };
      const answers = Array.from({ length: 1 + pick(2) }, (_, n) => ({ given: meeting[pick(meeting.length)] as Answer, ms: dueMs - 2 + pick(5), n }));
      const pass = (id: string) => at(dueMs + 1 + pick(2))(takedown, takedownId, cause(id), (state) => passDeadline(state, due));
      const contenders = [
        ...answers.map(({ given, ms, n }) => () => at(ms)(takedown, takedownId, cause(`answer-${n}`), (state) => answer(state, orderId, given))),
        () => pass('reached'),
        () => pass('reached-again'),
        () => at(dueMs - 1 + pick(3))(takedown, takedownId, cause('joins'), (state) => join(state, content, joining({ reportId: 'report-2' }), whileIssuing)),
      ];
      await Promise.all(contenders.sort(() => random() - 0.5).map(async (contender) => {
        for (let turns = pick(4); turns > 0; turns -= 1) await Promise.resolve();
        return contender();
      }));
      await pass('asked-once-more');

      const events: StoredEvent[] = [];
      for await (const event of store.read(`takedown-${takedownId}`)) events.push(event);
      const outcome = byHand(events);
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      expect(events.map(({ metadata }) => Date.parse(metadata.at))).toEqual(events.map(({ metadata }) => Date.parse(metadata.at)).sort((a, b) => a - b));
      expect(recomputedClocks(events).find(({ clock }) => clock === 'resolution')?.verdict.outcome).toBe(outcome);
      expect(events.filter(({ type, data }) => type === 'DeadlinePassed' && (data as { clock: string }).clock === 'resolution')).toHaveLength(outcome === 'met' ? 0 : 1);
      expect(events.filter(({ metadata }) => metadata.causationId.startsWith('answer-'))).toHaveLength(answers.length);
    }
    // Both ends were really raced for.
    expect(Math.min(outcomes['met'] ?? 0, outcomes['missed'] ?? 0)).toBeGreaterThan(races / 20);
  }, 120_000);
});

/** In words of the design, and nothing else: the first meeting event at or before due, or the first event after due. */
function byHand(events: readonly StoredEvent[]): 'met' | 'missed' {
  for (const { type, metadata } of events.slice(events.findIndex((event) => event.type === 'OrderDelivered'))) {
    if (Date.parse(metadata.at) > dueMs) return 'missed';
    if (['ContentActioned', 'OrderRefused', 'ObjectionRaised'].includes(type)) return 'met';
  }
  throw new Error('Nothing was recorded after due');
}

/** The same store, at which reads and appends of several callers come in between each other. */
function yielding(store: EventStore, pick: (count: number) => number): EventStore {
  const turns = async (): Promise<void> => {
    for (let left = pick(5); left > 0; left -= 1) await Promise.resolve();
  };
  return {
    ...store,
    append: async (...args) => {
      await turns();
      return store.append(...args);
    },
    read: async function* (...args: Parameters<EventStore['read']>) {
      await turns();
      yield* store.read(...args);
      await turns();
    },
  };
}
