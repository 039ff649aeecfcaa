import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { BusMessage } from '@sejam/bus';
import { encode } from '@sejam/contracts';
import type { Pool } from '@sejam/postgres';
import { recorded } from '@sejam/event-sourcing/testing';
import type { StoredEvent } from '@sejam/event-sourcing';
import { testDatabase, type TestDatabase } from '@sejam/testkit';
import { joining, minute, opened, takedownId } from '../takedown/takedown.example.js';
import { applyTakedowns, takedownMigrations } from '../takedown/takedown-view.js';
import { takedown } from '../takedown/takedown.js';
import { approvalMigrations, countStranded, keepApprovals } from './watch-approvals.js';

let database: TestDatabase;
let pool: Pool;

beforeAll(async () => {
  database = await testDatabase();
  pool = await database.pool('routing', [takedownMigrations, approvalMigrations]);
});

afterAll(() => database?.drop());

function approvedMessage(reportId: string): BusMessage {
  const { submittedUrl, canonicalUrl } = joining();
  const data = encode('sejam.intake.v1', 'ContentsApproved', {
    reportId, reference: 'r', reportedBy: 'bawaslu', submittedAt: minute(0), decidedBy: 'bawaslu', issuedBy: 'kominfo', reasons: 'x', requestedAction: 'removed', legalBasis: [],
    contents: [{ index: 0, submittedUrl, canonicalUrl, contentKey: 'tiktok:video:7399295712095227142', platform: 'tiktok', product: 'tiktok', provisional: false, takedownId }],
    submittedByHolder: 'a', approvedByHolder: 'b',
  });
  return { id: randomUUID(), type: 'sejam.intake.v1.ContentsApproved', source: 'sejam://r/intake', subject: `report-${reportId}`, time: minute(0), sequence: 0, data };
}

it('An approved content that stands in no takedown after a minute is counted, until its report has joined', async () => {
  await keepApprovals(pool, [approvedMessage('report-1'), approvedMessage('report-2')]);
  expect(await countStranded(pool, new Date(minute(0.5)))).toBe(0);
  expect(await countStranded(pool, new Date(minute(2)))).toBe(2);
  const events = recorded(takedown, [opened, { type: 'ReportJoined', data: joining({ reportId: 'report-1' }) }], takedownId);
  await applyTakedowns(pool, events.map((event): StoredEvent => ({ ...event, created: minute(0), position: { commit: '1', prepare: '1' } })));
  expect(await countStranded(pool, new Date(minute(2)))).toBe(1);
});
