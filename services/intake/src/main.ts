import { busMigrations, BusTransport, runPublisher, type Consumer } from '@sejam/bus';
import { ceTypeOf, encode, type Topic } from '@sejam/contracts';
import type { StoredEvent } from '@sejam/event-sourcing';
import { runProjection } from '@sejam/postgres';
import { checkSubjectKeys, loadMasterKey, privacyMigrations } from '@sejam/privacy';
import { busState, connectParts, followCheckpoint, IdentityDirectory, keepConsumerFigures, parkedAccess, patiently, readAnswers, readCredentials, refuseOtherRecordsTopics, runService, StartFault, transactorForRequests, withParkedMessages } from '@sejam/service-host';
import { intakeAccess } from './access.js';
import { intakeConfig } from './config.js';
import { forgetErased } from './erasure/erasure-view.js';
import { isErasureEvent, publishErasure } from './erasure/publish-erasure.js';
import { IntakeModule } from './intake.module.js';
import type { IntakePorts } from './intake-ports.js';
import { keepKeyUse } from './organisation/key-use.js';
import type { OrganisationEvent } from './organisation/organisation.js';
import { applyOrganisationEvents } from './organisation/organisation-view.js';
import { isSeeded, seedOrganisations } from './organisation/seed-organisations.js';
import { IdempotencyKeys } from './report/idempotency-keys.js';
import { publishReport } from './report/publish-report.js';
import type { ReportEvent } from './report/report.js';
import { applyReportEvents } from './report/report-view.js';

await runService('intake', async (context) => {
  const { log, metrics, onClose, env } = context;
  const config = intakeConfig(env);
  const masterKey = loadMasterKey(config.masterKeyFile);
  const migrations = [{ part: 'intake', folder: new URL('../migrations/', import.meta.url) }, busMigrations, privacyMigrations];
  const { store, record, clock, transact, pool, bus } = await connectParts({ name: 'intake', config, migrations }, context);
  const directory = new IdentityDirectory().alwaysFresh();
  await patiently('the organisations', context, async () => {
    await checkSubjectKeys(pool, masterKey);
    if (config.credentialsFile !== undefined) await seedOrganisations(transact, readCredentials(config.credentialsFile, record.recordId), new Date());
    else if (!(await isSeeded(store))) throw new StartFault('The record has no organisations yet: give the credentials file of the first start in SEJAM_CREDENTIALS_FILE');
    for await (const event of store.readAll({ prefixes: ['organisation-'] })) directory.apply(event);
    return true;
  });
  const again = await patiently('the erasures', context, () => forgetErased({ store, pool }));
  if (again > 0) log.warn({ deleted: again }, 'Keys or names of people who were erased were there again and are deleted');
  const following = store.subscribe({ name: 'keys', prefixes: ['organisation-'], handle: (events) => Promise.resolve(events.forEach((event) => directory.apply(event))) });
  onClose(() => following.stop());

  const reports = runProjection({ pool, store, name: 'reports', prefixes: ['report-'], apply: applyReportEvents, gatherMs: 50, log });
  onClose(() => reports.stop());
  const organisations = runProjection({ pool, store, name: 'organisations', prefixes: ['organisation-'], apply: applyOrganisationEvents, log });
  onClose(() => organisations.stop());

  refuseOtherRecordsTopics(bus, record.recordId, context);
  const publisher = runPublisher({
    store, bus, pool, log, service: 'intake', gatherMs: 15, recordId: record.recordId,
    topics: { 'report-': 'sejam.intake.v1', 'organisation-': 'sejam.identity.v1' },
    heartbeat: { topic: 'sejam.identity.v1', type: 'sejam.identity.v1.Heartbeat', everyMs: 60_000 },
    word: (events) => events.map(worded),
  });
  onClose(() => publisher.stop());
  const transport = new BusTransport({ bus, pool, log, consumer: 'intake', gatherMs: 20 });

  const consumers = () => ({ intake: transport.unwrap<Consumer>() });
  const figures = keepConsumerFigures({ pool, metrics, consumers, log });
  onClose(() => figures.stop());

  const keyUse = keepKeyUse(pool, log);
  onClose(() => keyUse.stop());
  const ports: IntakePorts = {
    store, clock, pool, reports, organisations, directory, masterKey, metrics,
    transact: transactorForRequests(transact),
    idempotencyKeys: new IdempotencyKeys(pool),
    legalBases: config.legalBases,
  };
  const checkpoint = followCheckpoint(config.auditUrl);
  onClose(() => checkpoint.stop());
  return {
    module: withParkedMessages(IntakeModule.with(ports), { service: 'intake', pool, consumers }),
    config,
    createdHeaders: checkpoint.headers,
    access: [...intakeAccess, ...parkedAccess],
    answers: readAnswers(new URL('../answers.json', import.meta.url)),
    directory,
    onKeyUsed: keyUse.used,
    readiness: { record: () => store.ping() },
    transports: [transport],
    bus: () => busState(transport),
    record: () => ({ recordId: record.recordId, speed: clock.speed, now: clock.now() }),
  };
});

/** One message per event, ProtoJSON. */
function worded(stored: StoredEvent): { type: string; data: object } {
  const topic: Topic = stored.stream.startsWith('report-') ? 'sejam.intake.v1' : 'sejam.identity.v1';
  const { type, data } = topic === 'sejam.intake.v1' ? publishReport(stored as StoredEvent<ReportEvent>) : publishOrganisation(stored as StoredEvent<OrganisationEvent>);
  return { type: ceTypeOf(topic, type), data: encode(topic, type, data) };
}

const publishOrganisation = (event: OrganisationEvent) => (isErasureEvent(event) ? publishErasure(event) : event);
