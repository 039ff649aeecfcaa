import { loadMasterKey, resealAll } from '@sejam/privacy';
import { connectParts, IdentityDirectory, patiently, readAnswers, runService, StartFault } from '@sejam/service-host';
import { auditAccess } from './access.js';
import { AuditModule } from './audit.module.js';
import { auditConfig } from './config.js';
import { Alarms } from './log/alarms.js';
import { askWitnesses } from './log/ask-witnesses.js';
import { compareWithRecord } from './log/compare-record.js';
import { integrateEvents } from './log/integrate-events.js';
import { LogHalted } from './log/log-faults.js';
import { openLogKey, sealedLogKey } from './log/log-key.js';
import { logFigures } from './log/log-figures.js';
import { TransparencyLog } from './log/transparency-log.js';
import { watchDeletions } from './log/watch-deletions.js';

await runService('audit', async (context) => {
  const { log, metrics, onClose, env, closing } = context;
  const config = auditConfig(env);
  const masterKey = loadMasterKey(config.masterKeyFile);
  const migrations = [{ part: 'audit', folder: new URL('../migrations/', import.meta.url) }];
  const { store, record, clock, pool } = await connectParts({ name: 'audit', config, migrations }, context);
  const figures = logFigures(metrics);
  const alarms = new Alarms(pool, log, (kind) => figures.alarms.inc({ kind }));

  await patiently('PostgreSQL', context, () => alarms.recall().then(() => true));
  await patiently('PostgreSQL', context, () => resealAll({ pool, masterKey, columns: [sealedLogKey], log }));
  const signer = await patiently('PostgreSQL', context, () => openLogKey(pool, masterKey, config.logOrigin ?? `sejam/${record.recordId}`).catch(refuseToStart));
  await patiently('the record', context, async () => {
    await compareWithRecord(pool, store).catch(async (error: unknown) => {
      if (error instanceof LogHalted) await alarms.raise('log-halted', 'log', error.message);
      return refuseToStart(error);
    });
    return true;
  });

  // The one service that reads everything needs no bus to know the keys.
  const directory = new IdentityDirectory().alwaysFresh();
  await patiently('the organisations', context, async () => {
    for await (const event of store.readAll({ prefixes: ['organisation-'] })) directory.apply(event);
    return true;
  });
  const keys = store.subscribe({ name: 'keys', prefixes: ['organisation-'], handle: (events) => Promise.resolve(events.forEach((event) => directory.apply(event))) });
  onClose(() => keys.stop());

  const transparencyLog = new TransparencyLog(pool, signer);
  const integration = integrateEvents({ store, pool, transparencyLog, alarms, log, onSigned: ({ size }) => figures.size.set(size) });
  onClose(() => integration.stop());
  const deletions = watchDeletions(store, alarms);
  onClose(() => deletions.stop());
  if (config.witnessPolicy !== undefined) {
    const witnesses = askWitnesses({ pool, policy: config.witnessPolicy, alarms, log });
    onClose(() => witnesses.stop());
  }
  log.info({ logKey: signer.verifier.vkey }, 'The key that auditors need');

  return {
    module: AuditModule.with({ store, clock, pool, logKey: signer.verifier, alarms, closing, ...(config.witnessPolicy === undefined ? {} : { policy: config.witnessPolicy }) }),
    config,
    access: auditAccess,
    answers: readAnswers(new URL('../answers.json', import.meta.url)),
    directory,
    readiness: {
      record: () => store.ping(),
      database: async () => void (await pool.query('SELECT 1')),
      log: () => (integration.halted() === undefined ? Promise.resolve() : Promise.reject(new Error(integration.halted()))),
    },
    record: () => ({ recordId: record.recordId, speed: clock.speed, now: clock.now() }),
  };
});

function refuseToStart(error: unknown): never {
  throw error instanceof LogHalted ? new StartFault(error.message) : error;
}
