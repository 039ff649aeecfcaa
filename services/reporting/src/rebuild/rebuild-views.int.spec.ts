import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { logBus, runConsumer, toEnvelope, type Bus, type Consumer } from '@sejam/bus';
import { memoryEventStore } from '@sejam/event-sourcing/testing';
import { createLogger } from '@sejam/service-host';
import type { Pool } from '@sejam/postgres';
import { eventually, testDatabase, type TestDatabase } from '@sejam/testkit';
import { viewHandlers } from '../follow-topics.js';
import { History, minute, Story, type Told } from '../history.example.js';
import { rebuildViews, reportingMigrations } from './rebuild-views.js';

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database?.drop());

const views = {
  takedown: 'SELECT * FROM takedown ORDER BY id', placed_order: 'SELECT * FROM placed_order ORDER BY takedown_id, round', report: 'SELECT * FROM report ORDER BY id',
  unroutable_report: 'SELECT * FROM unroutable_report ORDER BY event_id', clock: 'SELECT * FROM clock ORDER BY subject, clock, run',
};

async function contents(pool: Pool): Promise<object> {
  const entries = Object.entries(views).map(async ([name, sql]) => [name, (await pool.query(sql)).rows] as const);
  return Object.fromEntries(await Promise.all(entries));
}

const steps = [
  (story: Story, at: number) => story.actioned(at), (story: Story, at: number) => story.actioned(at, false),
  (story: Story, at: number) => story.order('OrderRefused', at, { reason: 'other', explanation: 'x' }), (story: Story, at: number) => story.order('OrderAcknowledged', at),
  (story: Story, at: number) => story.order('ClarificationRequested', at, { question: 'x' }), (story: Story, at: number) => story.order('ClarificationProvided', at, { answer: 'x', providedBy: 'kpu' }),
  (story: Story, at: number) => story.order('ObjectionRaised', at, { grounds: 'x', counted: true }), (story: Story, at: number) => story.order('ObjectionDismissed', at, { reason: 'x', ruledBy: 'kpu' }),
  (story: Story, at: number) => story.order('OrderWithdrawn', at, { cause: 'issuer', reason: 'x', withdrawnBy: 'kpu' }), (story: Story, at: number) => story.order('ContentReinstated', at, { reason: 'x' }),
  (story: Story, at: number) => story.order('DeadlinePassed', at, { clock: 'resolution', run: 1, due: minute(60) }), (story: Story, at: number) => story.issued(at, 2).delivered(at, 2),
  (story: Story, at: number) => story.clock('ClockStarted', at, { startedAt: minute(at), due: minute(60) }).clock('DueMoved', at, { due: minute(70), previousDue: minute(60), cause: 'x', movedAt: minute(at) }),
  (story: Story, at: number) => story.clock('ClockStarted', at, { startedAt: minute(at), due: minute(60) }).clock('ClockStopped', at, { cause: 'withdrawn' }),
  (story: Story, at: number) => story.clock('ClockStarted', at, { startedAt: minute(at), due: minute(60) }).clock('DeadlineMet', at, { due: minute(60), metBy: 'x', metAt: minute(at), eventId: 'x' }),
  (story: Story, at: number) => story.joined(at, { reportId: '00000000-0000-5000-8000-000000000001', reportedBy: 'partner' }),
];

/** Histories of a few takedowns that go any way, one after the other. */
const lives = fc.array(fc.record({ steps: fc.array(fc.tuple(fc.nat(steps.length - 1), fc.nat(50)), { maxLength: 8 }), decline: fc.boolean() }), { minLength: 1, maxLength: 5 });

function tell(all: readonly { steps: readonly [number, number][]; decline: boolean }[]): Told[] {
  const history = new History();
  all.forEach((life, index) => {
    const story = new Story(history, { name: `life${index}`, issue: `I-${index % 2}` });
    if (life.decline) {
      story.submitted().declined(3);
      return;
    }
    story.running();
    let at = 0;
    for (const [step, minutes] of life.steps) steps[step]!(story, (at += minutes));
  });
  return history.told;
}

/** Another order of the streams, each in its own; any message comes again, now or later. */
const disorder = (told: readonly Told[], seed: number): Told[] => {
  let state = seed;
  const random = (below: number): number => (state = (state * 1_103_515_245 + 12_345) % 2_147_483_648) % below;
  const streams = new Map<string, Told[]>();
  for (const one of told) streams.set(one.message.subject, [...(streams.get(one.message.subject) ?? []), one]);
  const waiting = [...streams.values()];
  const out: Told[] = [];
  while (waiting.length > 0) {
    const index = random(waiting.length);
    out.push(waiting[index]!.shift()!);
    if (waiting[index]!.length === 0) waiting.splice(index, 1);
    if (random(3) === 0) out.push(out[random(out.length)]!);
  }
  return out;
};

const zero = { 'sejam.intake.v1': 0, 'sejam.takedown.v1': 0, 'sejam.sla.v1': 0 };

/** What a failed test leaves running would keep the whole run of the tests from its end. */
const running: (() => Promise<unknown>)[] = [];
async function endAll(): Promise<void> {
  for (const end of running.splice(0).reverse()) await end();
}
afterEach(endAll);

let runs = 0;
async function follow(told: readonly Told[], batchMax: number): Promise<{ pool: Pool; bus: Bus; consumer: Consumer }> {
  // Few connections each: a property makes many pools, and the server is shared with the other specs of the run.
  const pool = await database.pool(`views${(runs += 1)}`, reportingMigrations, { max: 4 });
  const bus = logBus({ store: memoryEventStore() });
  await publish(bus, told);
  const consumer = runConsumer({ bus, pool, consumer: 'reporting', handlers: viewHandlers, batchMax });
  running.push(() => pool.query(`DROP SCHEMA ${pool.schema} CASCADE`), () => bus.close(), () => consumer.stop());
  await eventually(async () => expect(await consumer.lag()).toEqual(zero));
  return { pool, bus, consumer };
}

async function publish(bus: Bus, told: readonly Told[]): Promise<void> {
  for (const topic of Object.keys(zero)) {
    await bus.publish(topic, told.filter((one) => one.topic === topic).map(({ message }) => toEnvelope(message)));
  }
}

describe('the views', () => {
  it('are the same in any order of the streams, however often a message comes, and when they are rebuilt', async () => {
    await fc.assert(
      fc.asyncProperty(lives, fc.nat(), fc.integer({ min: 1, max: 40 }), async (all, seed, batchMax) => {
        const told = tell(all);
        const ordered = await follow(told, 500);
        const disordered = await follow(disorder(told, seed), batchMax);
        const live = await contents(ordered.pool);
        expect(await contents(disordered.pool)).toEqual(live);
        await disordered.consumer.stop();
        await rebuildViews({ pool: disordered.pool, url: database.url, bus: disordered.bus, log: createLogger({ name: 'rebuild', level: 'silent' }) });
        expect(await contents(disordered.pool)).toEqual(live);
      }).afterEach(endAll),
      { numRuns: 10, interruptAfterTimeLimit: 90_000, markInterruptAsFailure: true, examples: [[[{ steps: [[14, 25], [13, 7]], decline: false }], 0, 1]] },
    );
  }, 120_000);
});

describe('a rebuild', () => {
  it('happens beside the live views, leaves nothing out that came meanwhile, and the service goes on with the new ones', async () => {
    const { pool, bus } = await follow(tell([{ steps: [[0, 5]], decline: false }]), 500);
    await pool.query(`UPDATE placed_order SET status = 'wrong'`);
    const meanwhile = new History();
    const publishing = (async () => {
      for (let n = 0; n < 20; n += 1) {
        const from = meanwhile.told.length;
        new Story(meanwhile, { name: `meanwhile${n}` }).running();
        await publish(bus, meanwhile.told.slice(from));
      }
    })();
    const { events } = await rebuildViews({ pool, url: database.url, bus, log: createLogger({ name: 'rebuild', level: 'silent' }) });
    await publishing;
    expect(events).toBeGreaterThan(0);
    const after = new History();
    const later = new Story(after, { name: 'afterwards' }).running();
    await publish(bus, after.told);
    await eventually(async () => {
      const { rows } = await pool.query<{ status: string; orders: number }>('SELECT status, count(*) AS orders FROM placed_order GROUP BY status ORDER BY status');
      expect(rows).toEqual([{ status: 'actioned', orders: 1 }, { status: 'delivered', orders: 21 }]);
    });
    expect((await pool.query('SELECT 1 FROM takedown WHERE id = $1', [later.takedownId])).rowCount).toBe(1);
    expect((await pool.query('SELECT * FROM parked_message')).rows).toEqual([]);
  }, 60_000);

  it('refuses to run twice at once', async () => {
    const { pool, bus } = await follow([], 500);
    const rebuild = () => rebuildViews({ pool, url: database.url, bus, log: createLogger({ name: 'rebuild', level: 'silent' }) });
    const results = await Promise.allSettled([rebuild(), rebuild()]);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });
});
