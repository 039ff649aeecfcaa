import { runPublisher } from '@sejam/bus';
import { ceTypeOf, encode, type Topic } from '@sejam/contracts';
import { readRecord, type Position, type StoredEvent } from '@sejam/event-sourcing';
import { runProjection } from '@sejam/postgres';
import { connect, patiently, runThread } from '@sejam/service-host';
import { intakeConfig } from './config.js';
import { isErasureEvent, publishErasure } from './erasure/publish-erasure.js';
import type { OrganisationEvent } from './organisation/organisation.js';
import { applyOrganisationEvents } from './organisation/organisation-view.js';
import { publishReport } from './report/publish-report.js';
import type { ReportEvent } from './report/report.js';
import { applyReportEvents } from './report/report-view.js';

export type FollowRecord = {
  /** As `Projection.waitFor`, for the rows of reports. */
  waitForReports(position: Position, timeoutMs: number): Promise<boolean>;
};

/** What follows from the record: rows for intake's lists, messages for the other services. A thread of its own: no report waits for it. */
await runThread('intake', async (context): Promise<FollowRecord> => {
  const { log, onClose, env } = context;
  const { store, pool, bus } = connect({ name: 'intake', config: intakeConfig(env) }, context);
  const { recordId } = await patiently('the record', context, () => readRecord(store));

  const reports = runProjection({ pool, store, name: 'reports', prefixes: ['report-'], apply: applyReportEvents, gatherMs: 100, log });
  onClose(() => reports.stop());
  const organisations = runProjection({ pool, store, name: 'organisations', prefixes: ['organisation-'], apply: applyOrganisationEvents, log });
  onClose(() => organisations.stop());

  const publisher = runPublisher({
    store, bus, pool, log, service: 'intake', gatherMs: 15, recordId,
    topics: { 'report-': 'sejam.intake.v1', 'organisation-': 'sejam.identity.v1' },
    heartbeat: { topic: 'sejam.identity.v1', type: 'sejam.identity.v1.Heartbeat', everyMs: 60_000 },
    word: (events) => events.map(worded),
  });
  onClose(() => publisher.stop());
  return { waitForReports: (position, timeoutMs) => reports.waitFor(position, timeoutMs) };
});

/** One message per event, ProtoJSON. */
function worded(stored: StoredEvent): { type: string; data: object } {
  const topic: Topic = stored.stream.startsWith('report-') ? 'sejam.intake.v1' : 'sejam.identity.v1';
  const { type, data } = topic === 'sejam.intake.v1' ? publishReport(stored as StoredEvent<ReportEvent>) : publishOrganisation(stored as StoredEvent<OrganisationEvent>);
  return { type: ceTypeOf(topic, type), data: encode(topic, type, data) };
}

const publishOrganisation = (event: OrganisationEvent) => (isErasureEvent(event) ? publishErasure(event) : event);
