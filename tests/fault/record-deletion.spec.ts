// Somebody with the store's own rights makes it forget. The embedded store refuses that over its protocol, so it is written into its files.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventually } from '@sejam/testkit';
import { EventRecord } from '../../libs/embedded-eventstore/src/record/event-record.js';
import { reportBody } from '../stack/cases.js';
import { Stack } from '../stack/stack.js';

describe('a record that is told to forget', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await Stack.start({ speed: 1, services: ['intake', 'audit'] });
  }, 180_000);
  afterAll(() => stack.stop(), 60_000);

  const report = async (): Promise<string> => (await stack.as('kpu').insist('POST', '/v1/reports', reportBody())).body.eventId as string;
  const covered = (eventId: string) => eventually(async () => expect((await stack.as('auditor').get(`/v1/audit/proofs/${eventId}`)).status).toBe(200), { withinMs: 20_000 });
  const alarms = async (): Promise<{ kind: string; subject: string; detail: string }[]> => (await stack.as('auditor').insist('GET', '/v1/audit/alarms')).body.items;

  /** Straight into the files, behind the back of whoever refuses it. */
  async function forge(events: readonly (readonly [stream: string, type: string, data: object | undefined])[]): Promise<void> {
    await stack.process('event-store').kill('SIGTERM');
    const record = await EventRecord.open({ folder: join(stack.folder, 'record'), segmentBytes: 256 * 1024 * 1024, log: () => undefined });
    for (const [stream, type, data] of events) {
      const event = { id: randomUUID(), type, isJson: data !== undefined, metadata: Buffer.alloc(0), data: data === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(data)) };
      await new Promise((resolve, reject) => record.append(stream, 'any', [event], resolve, reject));
    }
    await record.close();
    await stack.process('event-store').startAgain();
    await stack.ready();
  }

  it('raises an alarm for each trace, once, where auditors, metrics and the log show it; and the log goes on', async () => {
    await covered(await report());
    const [limited, hidden, deleted] = ['report-limited', 'report-hidden', 'report-deleted'];
    await forge([
      [`$$${limited}`, '$metadata', { $maxCount: 1, $maxAge: 60 }],
      [`$$${hidden}`, '$metadata', { $tb: 9223372036854775807n.toString() }],
      [`$$${hidden}`, '$metadata', { $acl: { $r: '$admins' } }],
      ['$$topic-sejam.intake.v1', '$metadata', { $maxCount: 1_000 }],
      ['$$$scavenges', '$metadata', { $maxCount: 10 }],
      [deleted, '$streamDeleted', undefined],
      ['$scavenges-1', '$scavengeCompleted', { result: 'Success' }],
    ]);
    const expected = [
      { subject: '$$report-limited@0', detail: 'Stream report-limited was told to forget events: $maxCount 1, $maxAge 60' },
      { subject: '$$report-hidden@0', detail: expect.stringContaining('Stream report-hidden was told to forget events: $tb') },
      { subject: 'report-deleted@0', detail: expect.stringContaining('Stream report-deleted was deleted for good') },
      { subject: '$scavenges-1@0', detail: expect.stringContaining('The store was scavenged ($scavengeCompleted)') },
    ];
    await eventually(async () => expect(await alarms()).toHaveLength(expected.length), { withinMs: 20_000 });
    expect(await alarms()).toEqual(expect.arrayContaining(expected.map((alarm) => expect.objectContaining({ kind: 'record-deletion', ...alarm }))));

    const metrics = await (await fetch(`${stack.process('audit').internalUrl}/metrics`)).text();
    expect(metrics).toMatch(/^sejam_log_alarms\{.*kind="record-deletion".*\} [4-9]$/m);
    const logged = readFileSync(join(stack.folder, 'logs/audit.log'), 'utf8').split('\n').filter((line) => line.includes('"alarm":"record-deletion"')).map((line) => JSON.parse(line) as { level: string; subject: string });
    for (const { subject } of expected) expect(logged).toContainEqual(expect.objectContaining({ level: 'error', subject }));

    await covered(await report());
    await stack.process('audit').kill();
    await stack.process('audit').startAgain();
    await covered(await report());
    expect(await alarms()).toHaveLength(expected.length);
  }, 120_000);
});
