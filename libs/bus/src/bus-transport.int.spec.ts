import 'reflect-metadata';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Module, type INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { EMPTY } from 'rxjs';
import { StoreUnavailable } from '@sejam/event-sourcing';
import { memoryEventStore } from '@sejam/event-sourcing/testing';
import { postgresMigrations, type Pool } from '@sejam/postgres';
import { eventually, testDatabase, type TestDatabase } from '@sejam/testkit';
import { message } from './bus.contract.js';
import { BusTransport, busMigrations, connectBus, listParked, logBus, MessageContext, toEnvelope, type Bus, type BusMessage, type Consumer } from './index.js';

const seen = { appended: [] as string[], batches: [] as number[], refuse: new Set<string>(), away: 0 };

@Controller()
class Things {
  @EventPattern<string>('views.v1')
  async view(@Payload() data: { name: string }, @Ctx() context: MessageContext) {
    await context.tx.query('INSERT INTO thing VALUES ($1, $2)', [data.name, context.message.sequence]);
    if (seen.refuse.has(data.name)) throw new Error(`${data.name} is refused`);
    return EMPTY;
  }

  @EventPattern<string>('batches.v1', { batch: true })
  async batch(@Payload() messages: readonly BusMessage[], @Ctx() context: MessageContext) {
    seen.batches.push(messages.length);
    for (const { subject, sequence } of messages) await context.tx.query('INSERT INTO thing VALUES ($1, $2)', [subject, sequence]);
  }

  @EventPattern<string>('appends.v1', { appends: true })
  append(@Payload() data: { name: string }, @Ctx() context: MessageContext) {
    if (seen.away-- > 0) throw new StoreUnavailable('away');
    if (seen.refuse.has(data.name)) return Promise.reject(new Error(`${data.name} is refused`));
    seen.appended.push(`${data.name} ${context.message.sequence}`);
    return Promise.resolve();
  }
}

@Module({ controllers: [Things] })
class ThingsModule {}

describe('Methods with @EventPattern on a bus', () => {
  let database: TestDatabase;
  let pool: Pool;
  let bus: Bus;
  let app: INestApplication;
  let transport: BusTransport;
  let schemas = 0;

  beforeAll(async () => {
    database = await testDatabase();
  });
  afterAll(() => database.drop());
  beforeEach(async () => {
    Object.assign(seen, { appended: [], batches: [], refuse: new Set(), away: 0 });
    pool = await database.pool(`transport_${++schemas}`, [postgresMigrations, busMigrations]);
    await pool.query('CREATE TABLE thing (name text, sequence int, PRIMARY KEY (name, sequence))');
    bus = logBus({ store: memoryEventStore() });
    transport = new BusTransport({ bus, pool, consumer: 'things' });
    app = await NestFactory.create(ThingsModule, new FastifyAdapter(), { logger: false });
    connectBus(app, transport);
    await app.init();
    await app.startAllMicroservices();
  });
  afterEach(async () => {
    await app.close();
    await bus.close();
  });

  const send = (topic: string, ...messages: BusMessage[]) => bus.publish(topic, messages.map((one) => toEnvelope(one)));
  const things = async () => (await pool.query<{ name: string; sequence: number }>('SELECT * FROM thing ORDER BY name, sequence')).rows.map(({ name, sequence }) => `${name} ${sequence}`);

  it('write rows in the inbox\'s transaction, and are parked and replayed when they throw', async () => {
    seen.refuse.add('b');
    await send('views.v1', message('a', 0, { name: 'a' }), message('b', 0, { name: 'b' }), message('b', 1, { name: 'b2' }), message('a', 1, { name: 'a' }));
    await eventually(async () => expect(await things()).toEqual(['a 0', 'a 1']));
    const [head, queued] = await eventually(async () => ((await listParked(pool)).length === 2 ? listParked(pool) : false));
    expect(head).toMatchObject({ stream: 'b', cause: 'not-understood' });
    expect(head?.detail).toContain('b is refused');
    expect(queued).toMatchObject({ cause: 'queued' });
    seen.refuse.clear();
    await transport.unwrap<Consumer>().replay(head!.id);
    expect(await things()).toEqual(['a 0', 'a 1', 'b 0', 'b2 1']);
  });

  it('get whole batches when they ask for them', async () => {
    await send('batches.v1', ...Array.from({ length: 120 }, (_, n) => message(`s${n % 10}`, Math.floor(n / 10))));
    await eventually(async () => expect(await things()).toHaveLength(120));
    expect(seen.batches.length).toBeLessThan(20);
  });

  it('append without a transaction, wait for a record that is away, and park what they refuse', async () => {
    seen.away = 2;
    seen.refuse.add('no');
    await send('appends.v1', message('a', 0, { name: 'a' }), message('b', 0, { name: 'no' }), message('a', 1, { name: 'a' }));
    await eventually(() => expect(seen.appended).toEqual(['a 0', 'a 1']));
    await eventually(async () => expect(await listParked(pool)).toMatchObject([{ stream: 'b', detail: expect.stringContaining('no is refused') }]));
  });

  it('give the application a clean end', async () => {
    await send('views.v1', message('a', 0, { name: 'a' }));
    await eventually(async () => expect(await things()).toEqual(['a 0']));
    await app.close();
    await send('views.v1', message('a', 1, { name: 'a' }));
    expect(await things()).toEqual(['a 0']);
  });
});
