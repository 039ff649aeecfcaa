import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually, testKafka } from '@sejam/testkit';
import { faultsInRecord } from '../stack/account.js';
import { Load } from '../stack/load.js';
import { Stack } from '../stack/stack.js';

const speed = 180;
const kafka = await testKafka();

describe('two instances of every service at once', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start({ speed, instances: 2, services: ['intake', 'routing', 'sla', 'reporting'], ...(kafka === undefined ? {} : { brokers: kafka.brokers }) });
  }, 240_000);
  afterAll(() => stack.stop(), 60_000);

  it('come to the results of one, whichever of them is asked', async () => {
    const load = new Load(stack, { reportEveryMs: 150, domainMinuteMs: 60_000 / speed, failing: 0.05 });
    load.start();
    await delay(12_000);
    await load.stop();
    expect(load.faults).toEqual([]);
    const settledAt = await stack.domainTime();
    await eventually(async () => expect(await faultsInRecord(stack, load.promised, settledAt)).toEqual([]), { withinMs: 45_000 });

    const ends = async (instance: number) => (await Promise.all(load.promised.answers.slice(0, 60).map(async ({ takedownId }) => `${takedownId} ${(await stack.as('auditor', instance).get(`/v1/takedowns/${takedownId}`)).body.status}`))).sort();
    expect(await ends(0)).toEqual(await ends(1));
    for (const instance of [0, 1]) expect((await stack.as('operator', instance).get('/v1/parked')).body).toMatchObject({ items: [] });
  }, 180_000);
});
