import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { StoreUnavailable, VersionConflict } from '@sejam/event-sourcing';
import { memoryEventStore } from '@sejam/event-sourcing/testing';
import { postgresMigrations, type Pool } from '@sejam/postgres';
import { eventually, testDatabase, type TestDatabase } from '@sejam/testkit';
import { message } from './bus.contract.js';
import { busMigrations, countHeldStreams, listParked, logBus, runConsumer, toEnvelope, type Bus, type BusMessage, type Consumer, type ConsumerOptions, type Envelope, type TopicHandler } from './index.js';

const TOPIC = 'sejam.test.v1';

describe('An inbox', () => {
  let database: TestDatabase;
  let pool: Pool;
  let bus: Bus;
  let schemas = 0;
  const consumers: Consumer[] = [];
  /** What the view's handler must not understand now, by `subject sequence`. */
  let poison: Set<string>;

  beforeAll(async () => {
    database = await testDatabase();
  });
  afterAll(() => database.drop());
  beforeEach(async () => {
    bus = logBus({ store: memoryEventStore() });
    poison = new Set();
    pool = await database.pool(`inbox_${++schemas}`, [postgresMigrations, busMigrations]);
    await pool.query('CREATE TABLE happened (subject text, sequence int, n bigserial, PRIMARY KEY (subject, sequence))');
  });
  afterEach(async () => {
    await Promise.all(consumers.splice(0).map((consumer) => consumer.stop()));
    await bus.close();
  });

  /** Rows of a view; it fails on a second insert, so every row was handled once. */
  const view: TopicHandler = {
    kind: 'view',
    async handle(client, messages) {
      for (const { subject, sequence } of messages) {
        await client.query('INSERT INTO happened VALUES ($1, $2)', [subject, sequence]);
        if (poison.has(`${subject} ${sequence}`)) throw new Error(`${subject} ${sequence} is beyond me`);
      }
    },
  };
  const start = (handler: TopicHandler = view, further: Partial<ConsumerOptions> = {}): Consumer => {
    const consumer = runConsumer({ bus, pool, consumer: 'test', handlers: { [TOPIC]: handler }, ...further });
    consumers.push(consumer);
    return consumer;
  };
  const send = (...messages: (BusMessage | Envelope)[]): Promise<void> => bus.publish(TOPIC, messages.map((one) => ('value' in one ? one : toEnvelope(one as BusMessage))) as Envelope[]);
  const rows = async (): Promise<string[]> => {
    const found = await pool.query<{ subject: string; sequence: number }>('SELECT subject, sequence FROM happened ORDER BY n');
    return found.rows.map(({ subject, sequence }) => `${subject} ${sequence}`);
  };
  const parked = async (): Promise<string[]> => (await listParked(pool)).map(({ stream, sequence, cause }) => `${stream} ${sequence ?? '?'} ${cause}`);

  it('hands each message over once, however often it comes', async () => {
    const [first, second] = [message('a', 0), message('a', 1)];
    await send(first, first, second, first, second);
    start();
    await send(second, message('a', 2));
    await eventually(async () => expect(await rows()).toEqual(['a 0', 'a 1', 'a 2']));
    expect(await parked()).toEqual([]);
  });

  it('parks a message that its handler cannot take, holds its stream alone, and mends it by replay in order', async () => {
    poison.add('a 1');
    const consumer = start();
    await send(message('a', 0), message('b', 0), message('a', 1), message('a', 2), message('b', 1), message('a', 3));
    await eventually(async () => expect(await rows()).toEqual(expect.arrayContaining(['a 0', 'b 0', 'b 1'])));
    await eventually(async () => expect(await parked()).toEqual(['a 1 not-understood', 'a 2 queued', 'a 3 queued']));
    expect(await countHeldStreams(pool)).toBe(1);
    const [head] = await listParked(pool);
    expect(head).toMatchObject({ attempts: 1, topic: TOPIC, consumer: 'test', type: 'sejam.test.v1.Happened' });
    expect(head?.detail).toContain('a 1 is beyond me');

    await consumer.replay(head!.id);
    expect(await parked()).toEqual(['a 1 not-understood', 'a 2 queued', 'a 3 queued']);
    expect((await listParked(pool))[0]?.attempts).toBe(2);

    poison.clear();
    await send(message('a', 4));
    await eventually(async () => expect(await parked()).toHaveLength(4));
    await consumer.replay(head!.id);
    expect((await rows()).filter((row) => row.startsWith('a'))).toEqual(['a 0', 'a 1', 'a 2', 'a 3', 'a 4']);
    expect(await parked()).toEqual([]);
    expect(await countHeldStreams(pool)).toBe(0);
    await expect(consumer.replay(head!.id)).rejects.toMatchObject({ code: 'parked.not-found', kind: 'not-found' });
    await send(message('a', 5));
    await eventually(async () => expect((await rows()).at(-1)).toBe('a 5'));
  });

  it('passes over the redelivery of what is parked or queued', async () => {
    poison.add('a 0');
    start();
    const messages = [message('a', 0), message('a', 1)];
    await send(...messages);
    await eventually(async () => expect(await parked()).toHaveLength(2));
    await send(...messages, message('b', 0));
    await eventually(async () => expect(await rows()).toEqual(['b 0']));
    expect(await parked()).toEqual(['a 0 not-understood', 'a 1 queued']);
    expect((await listParked(pool))[0]?.attempts).toBe(1);
  });

  it.each([
    ['has no value that is JSON', { value: '{"broken' }],
    ['has a value that is no object', { value: '[]' }],
    ['has another key than subject', { key: 'a', headers: { ce_subject: 'b' } }],
    ['has no id', { headers: { ce_id: '' } }],
    ['has a revision that is none', { headers: { ce_sequence: 'minus one' } }],
    ['has no revision', { headers: { ce_sequence: '' } }],
    ['is of another version of CloudEvents', { headers: { ce_specversion: '0.3' } }],
    ['is no JSON by its own word', { headers: { 'content-type': 'text/plain' } }],
    ['has zero characters where names belong', { headers: { ce_id: 'a\0b', ce_type: '\0' }, value: '\0' }],
    ['has an id of a hundred kilobytes', { headers: { ce_id: 'x'.repeat(100_000) }, value: '' }],
  ])('parks a message that %s, and goes on when an operator skips it', async (_, fault: { key?: string; value?: string; headers?: Record<string, string> }) => {
    const consumer = start();
    const good = toEnvelope(message('a', 1));
    await send(message('a', 0), { ...good, ...fault, headers: { ...good.headers, ...fault.headers } }, message('b', 0));
    await eventually(async () => expect(await parked()).toHaveLength(1));
    await eventually(async () => expect(await rows()).toEqual(['a 0', 'b 0']));
    const [head] = await listParked(pool);
    expect(head).toMatchObject({ stream: 'a', cause: 'not-understood' });
    expect(head?.detail).toContain('message.malformed');
    await consumer.skip(head!.id, { operator: 'sejam:operator', reason: 'A test wrote it' });
    expect(await parked()).toEqual([]);
    expect(await countHeldStreams(pool)).toBe(0);
    await send(message('a', head?.sequence === undefined ? 1 : 2));
    await eventually(async () => expect(await rows()).toHaveLength(3));
  });

  it('parks what comes too early and takes it by itself when the missing one has come', async () => {
    start();
    await send(message('a', 0), message('a', 2), message('a', 3), message('b', 0));
    await eventually(async () => expect(await parked()).toEqual(['a 2 gap', 'a 3 queued']));
    await send(message('a', 1), message('a', 4));
    await eventually(async () => expect((await rows()).filter((row) => row.startsWith('a'))).toEqual(['a 0', 'a 1', 'a 2', 'a 3', 'a 4']));
    expect(await parked()).toEqual([]);
  });

  it('parks a stream whose history has become another one', async () => {
    const consumer = start();
    await send(message('a', 0), message('a', 1));
    await eventually(async () => expect(await rows()).toHaveLength(2));
    await send(message('a', 1), message('a', 2));
    await eventually(async () => expect(await parked()).toEqual(['a 1 history-diverged', 'a 2 queued']));
    const [head] = await listParked(pool);
    await consumer.replay(head!.id);
    expect(await parked()).toEqual(['a 1 history-diverged', 'a 2 queued']);
    await consumer.skip(head!.id, { operator: 'sejam:operator', reason: 'A restored backup' });
    expect(await rows()).toEqual(['a 0', 'a 1', 'a 2']);
  });

  it('skips also in a later rebuild what an operator has skipped', async () => {
    poison.add('a 1');
    const consumer = start();
    await send(message('a', 0), message('a', 1), message('a', 2));
    await eventually(async () => expect(await parked()).toHaveLength(2));
    await consumer.skip((await listParked(pool))[0]!.id, { operator: 'sejam:operator', reason: 'Never needed' });
    expect(await rows()).toEqual(['a 0', 'a 2']);
    await consumer.stop();
    await pool.query('TRUNCATE inbox, topic_offset, happened');
    start();
    await eventually(async () => expect(await rows()).toEqual(['a 0', 'a 2']));
    expect(await parked()).toEqual([]);
  });

  it('tries parked messages again when it starts, since newer code may understand them', async () => {
    poison.add('a 0');
    const consumer = start();
    await send(message('a', 0), message('a', 1));
    await eventually(async () => expect(await parked()).toHaveLength(2));
    await consumer.stop();
    poison.clear();
    start();
    await eventually(async () => expect(await rows()).toEqual(['a 0', 'a 1']));
  });

  it.each([
    ['the record is away', () => new StoreUnavailable('away')],
    ['a race was lost', () => new VersionConflict('a', 1, 2)],
    ['the database is away', () => Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })],
  ])('never parks because %s, but tries again until it works', async (_, failure) => {
    let failures = 3;
    const seen: string[] = [];
    start({
      kind: 'append',
      async handle({ subject, sequence }) {
        seen.push(`${subject} ${sequence}`);
        if (subject === 'a' && failures-- > 0) throw failure();
      },
    });
    await send(message('a', 0), message('b', 0), message('a', 1));
    await eventually(() => expect(seen.at(-1)).toBe('a 1'));
    expect(seen).toEqual(['a 0', 'b 0', 'a 0', 'a 0', 'a 0', 'a 1']);
    expect(await parked()).toEqual([]);
  });

  it('lets an appending handler work on different streams at once and on one stream in order', async () => {
    let running = 0;
    let most = 0;
    const seen: string[] = [];
    await send(...Array.from({ length: 60 }, (_, index) => message(`s${index % 6}`, Math.floor(index / 6))));
    start(
      {
        kind: 'append',
        async handle({ subject, sequence }) {
          most = Math.max(most, ++running);
          await new Promise((resolve) => setImmediate(resolve));
          running--;
          seen.push(`${subject} ${sequence}`);
        },
      },
      { concurrency: 4 },
    );
    await eventually(() => expect(seen).toHaveLength(60));
    expect(most).toBe(4);
    for (let stream = 0; stream < 6; stream++) expect(seen.filter((one) => one.startsWith(`s${stream}`))).toEqual(Array.from({ length: 10 }, (_, n) => `s${stream} ${n}`));
  });

  it('parks what an appending handler refuses, and keeps what it did for the others', async () => {
    const seen: string[] = [];
    let refuses = true;
    const consumer = start({
      kind: 'append',
      async handle({ subject, sequence }) {
        if (subject === 'a' && sequence === 1 && refuses) throw new Error('no');
        seen.push(`${subject} ${sequence}`);
      },
    });
    await send(message('a', 0), message('a', 1), message('b', 0), message('a', 2));
    await eventually(async () => expect(await parked()).toEqual(['a 1 not-understood', 'a 2 queued']));
    refuses = false;
    await consumer.replay((await listParked(pool))[1]!.id);
    expect(seen.sort()).toEqual(['a 0', 'a 1', 'a 2', 'b 0']);
  });

  it('tells heartbeats without remembering or parking them', async () => {
    const heard: string[] = [];
    start(view, { onHeartbeat: ({ id }) => void heard.push(id) });
    const { sequence: _, ...beat } = { ...message('heartbeat-intake', 0), type: 'sejam.test.v1.Heartbeat' };
    await send(beat, message('a', 0), { ...beat, id: 'second' });
    await eventually(() => expect(heard).toEqual([beat.id, 'second']));
    expect(await rows()).toEqual(['a 0']);
    expect((await pool.query('SELECT 1 FROM inbox')).rowCount).toBe(1);
  });

  it('ends in the same rows for any order between streams, any repetition of what was said, and any batches', async () => {
    const told = fc.array(fc.record({ stream: fc.nat(4), repeated: fc.nat(12) }), { minLength: 1, maxLength: 80 });
    await fc.assert(
      fc.asyncProperty(told, fc.integer({ min: 1, max: 40 }), async (steps, batchMax) => {
        await pool.query('TRUNCATE inbox, topic_offset, happened');
        const topicBus = logBus({ store: memoryEventStore() });
        const next = new Map<string, number>();
        const sent: BusMessage[] = [];
        for (const { stream, repeated } of steps) {
          const subject = `s${stream}`;
          const sequence = next.get(subject) ?? 0;
          next.set(subject, sequence + 1);
          sent.push(message(subject, sequence));
          if (repeated > 0) sent.push(...sent.slice(-repeated)); // a publisher repeats a stretch, it never leaves one out
        }
        await topicBus.publish(TOPIC, sent.map((one) => toEnvelope(one)));
        const consumer = runConsumer({ bus: topicBus, pool, consumer: 'test', handlers: { [TOPIC]: view }, batchMax });
        await eventually(async () => expect(await consumer.lag()).toEqual({ [TOPIC]: 0 }));
        const expected = [...next].flatMap(([subject, count]) => Array.from({ length: count }, (_, sequence) => `${subject} ${sequence}`));
        expect((await rows()).sort()).toEqual(expected.sort());
        expect(await parked()).toEqual([]);
        await consumer.stop();
      }),
      { numRuns: 15 },
    );
  }, 30_000);

  it('keeps rows and inbox together when the transaction fails', async () => {
    let failures = 1;
    start({
      kind: 'view',
      async handle(client, messages) {
        await view.handle(client as never, messages as never);
        if (failures-- > 0) throw new StoreUnavailable('after the rows were written');
      },
    });
    await send(message('a', 0), message('b', 0));
    await eventually(async () => expect(await rows()).toEqual(['a 0', 'b 0']));
  });
});
