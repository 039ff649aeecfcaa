// The distributed way of the runbook: every part has an address of its own, and the store is copied and put back with its own tools.
import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually, testKafka } from '@sejam/testkit';
import { deliveredCase, takedownOf, type ReportedCase } from '../stack/cases.js';
import { command, type Ended } from '../stack/command.js';
import { removeTopics, Stack } from '../stack/stack.js';

const services = ['intake', 'routing', 'sla', 'reporting', 'audit'] as const;
const kafka = await testKafka();

describe('an installation whose parts are elsewhere', () => {
  let stack: Stack;
  let kept: ReportedCase;
  let lost: ReportedCase;
  const brokers = kafka?.brokers ?? [];
  const at = (name: string): string => join(stack.folder, name);
  const inImage = (service: 'backup' | 'restore', ...args: string[]): Promise<Ended> =>
    command('image', args, {
      env: {
        SERVICE: service, SEJAM_HOME: at('no-home'), EVENTSTORE_URL: stack.eventStoreUrl, DATABASE_URL: stack.databaseUrl, KAFKA_BROKERS: brokers.join(','),
        SEJAM_MASTER_KEY_FILE: at('master.key'), SEJAM_CREDENTIALS_FILE: at('credentials.json'),
      },
    });

  beforeAll(async () => {
    stack = await Stack.start({ speed: 1, ...(kafka === undefined ? {} : { brokers }) });
    kept = await deliveredCase(stack);
    expect(await command('sejam-eventstore', ['backup', '--data', at('record'), '--to', at('store')])).toMatchObject({ code: 0 });
    expect(await inImage('backup', '--out', at('backup'))).toMatchObject({ code: 0, output: expect.stringContaining('the record is left to the tools of its own event store') });
    lost = await deliveredCase(stack, { platform: 'google' });
    for (const name of [...services, 'event-store']) await stack.process(name).kill();
    renameSync(at('record'), at('lost-record'));
  }, 240_000);
  afterAll(() => stack.stop(), 60_000);

  it('is not put back before its store is, nor beside topics or schemas that know more', async () => {
    await stack.process('event-store').startAgain();
    if (kafka !== undefined) {
      expect(await inImage('restore', '--from', at('backup'), '--replace')).toMatchObject({ code: 1, output: expect.stringMatching(/Kafka's topic sejam\.\S+ holds messages about what was recorded after the backup: delete the topics sejam\./) });
      await removeTopics(brokers);
    }
    expect(await inImage('restore', '--from', at('backup'), '--replace')).toMatchObject({ code: 1, output: expect.stringMatching(/the event store holds none: put it back first, with its own tools\.\n$/) });
    await stack.process('event-store').kill();
    renameSync(at('record'), at('empty-record'));
    renameSync(at('store'), at('record'));
    await stack.process('event-store').startAgain();
    expect(await inImage('restore', '--from', at('backup'))).toMatchObject({ code: 1, output: expect.stringMatching(/The database has a schema audit already/) });
  }, 120_000);

  it('answers as it did when it was copied, sends nothing again, and goes on', async () => {
    expect(await inImage('restore', '--from', at('backup'), '--replace')).toMatchObject({ code: 0, output: expect.stringContaining('all others are empty and are made again at the next start') });
    expect(existsSync(at('no-home'))).toBe(false);
    const before = stack.desk.deliveries.length;
    await Promise.all(services.map((name) => stack.process(name).startAgain()));
    await stack.ready();
    await eventually(async () => expect(await takedownOf(stack.as('auditor'), kept.takedownId)).toMatchObject({ status: 'delivered' }), { withinMs: 30_000 });
    expect((await stack.as('auditor').get(`/v1/takedowns/${lost.takedownId}`)).status).toBe(404);
    const next = await deliveredCase(stack, { platform: 'meta' });
    expect(stack.desk.deliveries.slice(before).map(({ orderId }) => orderId)).toEqual([next.orderId]);
    expect((await stack.as('operator').get('/v1/parked')).body).toMatchObject({ items: [] });
  }, 180_000);
});
