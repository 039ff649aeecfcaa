import { BusTransport, type Consumer } from '@sejam/bus';
import { loadMasterKey, resealAll, sealedSubjectKeys } from '@sejam/privacy';
import { busState, connectParts, followCheckpoint, IdentityDirectory, keepConsumerFigures, parkedAccess, patiently, readAnswers, readCredentials, refuseOtherRecordsTopics, runService, StartFault, startThread, transactorForRequests, withParkedMessages } from '@sejam/service-host';
import { intakeAccess } from './access.js';
import { intakeConfig } from './config.js';
import { forgetErased } from './erasure/erasure-view.js';
import type { FollowRecord } from './follow-record.js';
import { intakeMigrations } from './intake-migrations.js';
import { IntakeModule } from './intake.module.js';
import type { IntakePorts } from './intake-ports.js';
import { keepKeyUse } from './organisation/key-use.js';
import { sealedOfficerNames } from './organisation/officer-names.js';
import { isSeeded, seedOrganisations } from './organisation/seed-organisations.js';
import { IdempotencyKeys } from './report/idempotency-keys.js';

await runService('intake', async (context) => {
  const { log, metrics, onClose, env } = context;
  const config = intakeConfig(env);
  const masterKey = loadMasterKey(config.masterKeyFile);
  const { store, record, clock, transact, pool, bus } = await connectParts({ name: 'intake', config, migrations: intakeMigrations, rememberedEvents: 0 }, context);
  const directory = new IdentityDirectory().alwaysFresh();
  await patiently('the organisations', context, async () => {
    if (config.credentialsFile !== undefined) await seedOrganisations(transact, readCredentials(config.credentialsFile, record.recordId), new Date());
    else if (!(await isSeeded(store))) throw new StartFault('The record has no organisations yet: give the credentials file of the first start in SEJAM_CREDENTIALS_FILE');
    for await (const event of store.readAll({ prefixes: ['organisation-'] })) directory.apply(event);
    return true;
  });
  const again = await patiently('the erasures', context, () => forgetErased({ store, pool }));
  if (again > 0) log.warn({ deleted: again }, 'Keys or names of people who were erased were there again and are deleted');
  await patiently('PostgreSQL', context, () => resealAll({ pool, masterKey, columns: [sealedSubjectKeys, sealedOfficerNames], log }));
  const keys = store.subscribe({ name: 'keys', prefixes: ['organisation-'], handle: (events) => Promise.resolve(events.forEach((event) => directory.apply(event))) });
  onClose(() => keys.stop());

  refuseOtherRecordsTopics(bus, record.recordId, context);
  const following = startThread<FollowRecord>(new URL('./follow-record.js', import.meta.url), context);
  onClose(() => following.stop());
  const transport = new BusTransport({ bus, pool, log, consumer: 'intake', gatherMs: 250 });

  const consumers = () => ({ intake: transport.unwrap<Consumer>() });
  const figures = keepConsumerFigures({ pool, metrics, consumers, log });
  onClose(() => figures.stop());

  const keyUse = keepKeyUse(pool, log);
  onClose(() => keyUse.stop());
  const ports: IntakePorts = {
    store, clock, pool, directory, masterKey, metrics,
    reports: { waitFor: following.offered.waitForReports },
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
