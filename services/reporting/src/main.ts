import { busMigrations, BusTransport, type Consumer } from '@sejam/bus';
import { connectParts, followIdentities, IdentityDirectory, identityMigrations, keepConsumerFigures, readAnswers, refuseOtherRecordsTopics, runService } from '@sejam/service-host';
import { reportingAccess } from './access.js';
import { reportingConfig } from './config.js';
import { keepFigures } from './keep-figures.js';
import { viewMigrations } from './rebuild/view-migrations.js';
import { keyStillGood } from './reporting-ports.js';
import { ReportingModule } from './reporting.module.js';

await runService('reporting', async (context) => {
  const { log, metrics, onClose, closing, env } = context;
  const config = reportingConfig(env);
  const { record, clock, pool, bus } = await connectParts({ name: 'reporting', config, migrations: [viewMigrations, busMigrations, identityMigrations] }, context);

  refuseOtherRecordsTopics(bus, record.recordId, context);
  const directory = new IdentityDirectory();
  const identities = await followIdentities({ bus, pool, directory, log });
  onClose(() => identities.stop());

  const transport = new BusTransport({ bus, pool, log, consumer: 'reporting', gatherMs: 50 });
  const consumers = () => ({ reporting: transport.unwrap<Consumer>(), [`${pool.schema}-identity`]: identities.consumer });
  const [figures, consumerFigures] = [keepFigures({ pool, clock, metrics, log }), keepConsumerFigures({ pool, metrics, consumers, log })];
  onClose(async () => void (await Promise.all([figures.stop(), consumerFigures.stop()])));
  return {
    module: ReportingModule.with({ pool, bus, clock, log, closing, holdsGoodKey: keyStillGood(directory), consumers }),
    transports: [transport],
    config,
    access: reportingAccess,
    answers: readAnswers(new URL('../answers.json', import.meta.url)),
    directory,
    readiness: { database: async () => void (await pool.query('SELECT 1')) },
    bus: async () => {
      const consumer = transport.unwrap();
      const lags = Object.values(await consumer.lag()).filter((lag) => !Number.isNaN(lag));
      return { connected: consumer.status().connected, lag: lags.reduce((sum, lag) => sum + lag, 0) };
    },
    record: () => ({ recordId: record.recordId, speed: clock.speed, now: clock.now() }),
  };
});
