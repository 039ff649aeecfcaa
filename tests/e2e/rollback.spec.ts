// The record is put back from yesterday's copy, by mistake or so that nobody sees what was in today's: who notices.
import { readFileSync, renameSync, cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '@sejam/testkit';
import { deliveredCase, takedownOf, type ReportedCase } from '../stack/cases.js';
import { command, type Ended } from '../stack/command.js';
import { Stack } from '../stack/stack.js';

const services = ['intake', 'routing', 'sla', 'reporting', 'audit'] as const;
const sizeOf = (header: string): number => Number(Buffer.from(header, 'base64').toString().split('\n')[1]);

describe("yesterday's copy in the place of the record", () => {
  let stack: Stack;
  let yesterdays: ReportedCase;
  let todays: ReportedCase;
  /** What a platform received today along with an order, as its own log has it. */
  let kept: { file: string; size: number };
  const at = (name: string): string => join(stack.folder, name);
  const admin = (name: 'backup' | 'restore', ...args: string[]): Promise<Ended> => command(name, args, { env: { DATABASE_URL: stack.databaseUrl } });
  const exported = async (bundle: string): Promise<Ended> =>
    command('sejam-audit', ['export', '--url', stack.url, '--key', stack.credentials.keys['auditor'] as string, '--out', at(bundle), '--quiet']);
  const verified = async (bundle: string, ...args: string[]): Promise<{ code: number | null; counts: object }> => {
    const { code, output } = await command('sejam-audit', ['verify', at(bundle), ...args, '--json', '--quiet']);
    return { code, counts: (JSON.parse(output) as { counts: object }).counts };
  };

  beforeAll(async () => {
    stack = await Stack.start({ speed: 1, ownPostgres: true });
    yesterdays = await deliveredCase(stack);
    expect(await admin('backup', '--home', stack.folder, '--out', at('yesterday'))).toMatchObject({ code: 0 });
    const { events } = JSON.parse(readFileSync(at('yesterday/record/manifest.json'), 'utf8')) as { events: number };
    todays = await deliveredCase(stack);
    kept = await eventually(async () => {
      await deliveredCase(stack);
      const header = stack.desk.deliveries.at(-1)?.checkpoint ?? '';
      if (sizeOf(header) <= events) throw new Error(`The newest checkpoint that a platform has received covers ${sizeOf(header)} events, as the backup does`);
      writeFileSync(at('kept-by-tiktok'), `Sejam-Checkpoint: ${header}\n`);
      return { file: at('kept-by-tiktok'), size: sizeOf(header) };
    }, { withinMs: 30_000 });
  }, 240_000);
  afterAll(() => stack.stop(), 60_000);

  it('stops every service whose tables are newer, and each says so in one sentence', async () => {
    for (const name of [...services, 'event-store']) await stack.process(name).kill();
    renameSync(at('record'), at('todays-record'));
    cpSync(at('yesterday/record/store'), at('record'), { recursive: true });
    await stack.process('event-store').startAgain();
    for (const name of services) {
      await expect(stack.process(name).start()).rejects.toThrow(/ended before it listened \(1\)/);
      const said = readFileSync(at(`logs/${name}.log`), 'utf8').trim().split('\n').map((line) => JSON.parse(line) as { level: string; msg: string }).filter(({ level }) => level === 'fatal');
      expect(said).toEqual([expect.objectContaining({ msg: expect.stringMatching(name === 'audit' ? /The log covers \d+ events, the record ends after \d+/ : /the record was put back from an older copy, or belongs to another history/) })]);
    }
  }, 120_000);

  it('is caught by what a platform kept, although everything here was put back alike and agrees with itself', async () => {
    expect(await admin('restore', '--from', at('yesterday'), '--home', at('put-back'), '--replace')).toMatchObject({ code: 0, output: expect.stringMatching(/what was there is now schema audit_replaced_/) });
    await Promise.all(services.map((name) => stack.process(name).startAgain()));
    await stack.ready();
    expect(await takedownOf(stack.as('auditor'), yesterdays.takedownId)).toMatchObject({ status: 'delivered' });
    expect((await stack.as('auditor').get(`/v1/takedowns/${todays.takedownId}`)).status).toBe(404);

    await eventually(async () => expect(await exported('bundle')).toMatchObject({ code: 0 }), { withinMs: 30_000 });
    expect(await verified('bundle')).toEqual({ code: 0, counts: {} });
    expect(await verified('bundle', '--checkpoint', kept.file)).toEqual({ code: 1, counts: { 'record-truncated': 1 } });
  }, 180_000);

  it('is caught as well when the record has grown past what was lost', async () => {
    await eventually(async () => {
      await deliveredCase(stack);
      const { output } = await exported('grown');
      expect(Number(/: (\d+) events/.exec(output)?.[1])).toBeGreaterThan(kept.size);
    }, { withinMs: 60_000 });
    expect(await verified('grown')).toEqual({ code: 0, counts: {} });
    expect(await verified('grown', '--checkpoint', kept.file)).toEqual({ code: 1, counts: { 'record-rewritten': 1 } });
  }, 120_000);

  it('is known to every auditor: the alarm says that the record was put back, and as of when', async () => {
    const { items } = (await stack.as('auditor').get('/v1/audit/alarms')).body as { items: { kind: string; detail: string }[] };
    expect(items).toEqual([expect.objectContaining({ kind: 'record-restored', detail: expect.stringMatching(/^The record was put back from a backup of .*, with \d+ events/) })]);
  });
});
