import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '@sejam/testkit';
import { hashFromBase64, isLogged, openCheckpoint, parseVkey, verifyConsistency, type NoteVerifier, type TreeHead } from '@sejam/transparency-log';
import { Caller } from '../stack/caller.js';
import { reportBody } from '../stack/cases.js';
import { command } from '../stack/command.js';
import { randomFrom } from '../stack/load.js';
import { Stack } from '../stack/stack.js';

const kills = 20;

describe('audit, killed at random moments while events come in', () => {
  let stack: Stack;
  let log: NoteVerifier;
  /** Every tree that anybody was shown, by its note. */
  const seen = new Map<string, TreeHead>();
  const gateways = (): Caller[] => stack.urls.map((url) => new Caller(url));

  beforeAll(async () => {
    stack = await Stack.start({ speed: 1, instances: 2, services: ['intake', 'audit'] });
    const { body } = await stack.as('auditor').insist('GET', '/v1/audit/keys');
    log = parseVkey((body.log as string[])[0] as string);
  }, 240_000);
  afterAll(() => stack.stop(), 60_000);

  /** Asks both instances as fast as they answer, as a platform or a witness may. */
  async function watch(signal: AbortSignal): Promise<void> {
    await Promise.all(gateways().map(async (gateway) => {
      while (!signal.aborted) {
        const note = await gateway.send('GET', '/v1/audit/checkpoint').then(({ status, body }) => (status === 200 ? (body.text as string) : undefined), () => undefined);
        if (note !== undefined && !seen.has(note)) seen.set(note, openCheckpoint(note, { log: [log] }));
        await delay(5);
      }
    }));
  }

  it(`never forks and never leaves anything out, ${kills} times over, with two instances at once`, async () => {
    const over = new AbortController();
    const watching = watch(over.signal);
    let reports = 0;
    const reporting = Promise.all([0, 1, 2, 3].map(async (which) => {
      for (; !over.signal.aborted; reports += 1) expect((await stack.as('kpu', which).insist('POST', '/v1/reports', reportBody())).status).toBe(201);
    }));

    const random = randomFrom(20_241_127);
    const coming: Promise<unknown>[] = [];
    for (let kill = 0; kill < kills; kill += 1) {
      // Mostly the one that integrates is hit, sometimes the one that stands by, and now and then both are away.
      const victims = await eventually(() => {
        const up = ['audit', 'audit-2'].filter((name) => stack.process(name).listening);
        return up.length > 0 ? up : false;
      }, { withinMs: 60_000 });
      await delay(random() * 1_200);
      const victim = victims[Math.floor(random() * victims.length)] as string;
      await stack.process(victim).kill();
      coming.push(delay(random() * 300).then(() => stack.process(victim).startAgain()));
    }
    await Promise.all(coming);
    // Both are back, and the log grows again while reports go on coming in.
    await eventually(() => expect(seen.size).toBeGreaterThan(kills), { withinMs: 60_000 });
    over.abort();
    await Promise.all([watching, reporting]);
    expect(reports).toBeGreaterThan(100);

    let recorded = 0;
    for await (const event of stack.store.readAll()) if (isLogged(event)) recorded += 1;
    await stack.ready();
    const last = await eventually(async () => {
      const head = openCheckpoint((await stack.as('auditor').insist('GET', '/v1/audit/checkpoint')).body.text as string, { log: [log] });
      if (head.size !== recorded) throw new Error(`The newest checkpoint covers ${head.size} of ${recorded} events`);
      return head;
    }, { withinMs: 30_000 });

    // Whoever was shown two trees at whatever moments can be shown that the later one extends the earlier.
    const heads = [...seen.values(), last].sort((a, b) => a.size - b.size);
    for (const [at, first] of heads.slice(0, -1).entries()) {
      const second = heads[at + 1] as TreeHead;
      const { body } = await stack.as('auditor', at).insist('GET', `/v1/audit/consistency?from=${first.size}&to=${second.size}`);
      expect({ from: first.size, to: second.size, extends: verifyConsistency(first, second, (body.proof as string[]).flatMap((hash) => hashFromBase64(hash) ?? [])) }).toMatchObject({ extends: true });
    }
    expect((await stack.as('auditor').insist('GET', '/v1/audit/alarms')).body.items).toEqual([]);

    const bundle = join(stack.folder, 'bundle');
    expect(await command('sejam-audit', ['export', '--url', stack.url, '--key', stack.credentials.keys['auditor'] as string, '--out', bundle, '--quiet'])).toMatchObject({ code: 0 });
    expect(await command('sejam-audit', ['verify', bundle, '--quiet'])).toMatchObject({ code: 0, output: expect.stringContaining('Everything holds.') });
  }, 240_000);
});
