import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '@sejam/testkit';
import { faultsInAudit, faultsInRecord } from '../stack/account.js';
import { Load, randomFrom } from '../stack/load.js';
import { Stack } from '../stack/stack.js';

/** Of everything that runs: servers, services and gateway. */
const kills = 32;
const speed = 180;
const domainMinuteMs = 60_000 / speed;

describe('processes that are killed at random moments under load', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start({ speed, ownPostgres: true });
  }, 180_000);
  afterAll(() => stack.stop(), 60_000);

  it(`lose nothing, double nothing and contradict nothing, ${kills} times over`, async () => {
    const load = new Load(stack, { reportEveryMs: 200, domainMinuteMs, failing: 0.05 });
    load.start();
    const random = randomFrom(20_241_127);
    const victims = [...stack.processes.keys()];
    const killed: Record<string, number> = {};
    const starts: Promise<unknown>[] = [];
    for (let kill = 0; kill < kills; kill += 1) {
      // Whoever runs may be next, also while another is still on its way back; half of them stay, so that work goes on.
      const running = await eventually(() => {
        const up = victims.filter((name) => stack.process(name).listening);
        return up.length > victims.length / 2 ? up : false;
      }, { withinMs: 60_000 });
      await delay(random() * 1_500);
      const rarest = Math.min(...running.map((name) => killed[name] ?? 0));
      const next = running.filter((name) => (killed[name] ?? 0) <= rarest + 2);
      const victim = next[Math.floor(random() * next.length)] as string;
      await stack.kill(victim);
      killed[victim] = (killed[victim] ?? 0) + 1;
      starts.push(delay(random() * 400).then(() => stack.process(victim).startAgain()));
    }
    await Promise.all(starts);
    await load.stop();
    expect(load.faults).toEqual([]);
    expect(Object.keys(killed).sort()).toEqual(['audit', 'event-store', 'gateway', 'intake', 'postgres', 'reporting', 'routing', 'sla']);
    expect(load.promised.reports.length).toBeGreaterThan(100);
    expect(load.promised.answers.length).toBeGreaterThan(50);

    await stack.ready();
    const settledAt = await stack.domainTime();
    await eventually(async () => expect(await faultsInRecord(stack, load.promised, settledAt)).toEqual([]), { withinMs: 180_000 });
    expect((await stack.as('operator').get('/v1/parked')).body).toMatchObject({ items: [] });
    expect(await faultsInAudit(stack)).toEqual([]);
  }, 600_000);
});
