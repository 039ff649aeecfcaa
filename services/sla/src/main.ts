import { busMigrations, BusTransport, runPublisher, type Consumer } from '@sejam/bus';
import { ceTypeOf, encode } from '@sejam/contracts';
import { runProjection } from '@sejam/postgres';
import {
  busState, connectParts, followIdentities, hostSettings, IdentityDirectory, identityMigrations, keepConsumerFigures, parkedAccess, partSettings, readAnswers, readConfig, refuseOtherRecordsTopics, runService,
  transactorForRequests, withParkedMessages,
} from '@sejam/service-host';
import { slaAccess } from './access.js';
import { applySlaEvents } from './clock/clock-view.js';
import { watchdog } from './clock/watchdog.js';
import { SlaModule } from './sla.module.js';
import type { SlaPorts } from './sla-ports.js';

const topic = 'sejam.sla.v1';

await runService('sla', async (context) => {
  const { log, metrics, onClose, env } = context;
  const config = readConfig({ ...hostSettings({ port: 8083, internalPort: 9083 }), ...partSettings() }, env);
  const migrations = [{ part: 'sla', folder: new URL('../migrations/', import.meta.url) }, busMigrations, identityMigrations];
  const { store, record, clock, transact, pool, bus } = await connectParts({ name: 'sla', config, migrations }, context);
  refuseOtherRecordsTopics(bus, record.recordId, context);

  const directory = new IdentityDirectory();
  const identities = await followIdentities({ bus, pool, directory, log });
  onClose(() => identities.stop());

  const rows = runProjection({ pool, store, name: 'clocks', prefixes: ['clock-', 'slapolicy-'], apply: applySlaEvents, onApplied: (events) => dog.announce(events), gatherMs: 40, log });
  onClose(() => rows.stop());
  const dog = watchdog({ pool, transact, clock, metrics, log, active: () => rows.status().active });
  onClose(() => dog.stop());

  const publisher = runPublisher({
    store, bus, pool, log, service: 'sla', gatherMs: 50, recordId: record.recordId, topics: { 'clock-': topic, 'slapolicy-': topic },
    word: (events) => events.map(({ type, data }) => ({ type: ceTypeOf(topic, type), data: encode(topic, type, data) })),
  });
  onClose(() => publisher.stop());

  const transport = new BusTransport({ bus, pool, log, consumer: 'sla', gatherMs: 50 });
  const consumers = () => ({ sla: transport.unwrap<Consumer>(), [`${pool.schema}-identity`]: identities.consumer });
  const figures = keepConsumerFigures({ pool, metrics, consumers, log });
  onClose(() => figures.stop());
  const ports: SlaPorts = { transact, transactForRequests: transactorForRequests(transact), clock, pool, rows, metrics, log };
  return {
    module: withParkedMessages(SlaModule.with(ports), { service: 'sla', pool, consumers }),
    config,
    access: [...slaAccess, ...parkedAccess],
    answers: readAnswers(new URL('../answers.json', import.meta.url)),
    directory,
    readiness: { record: () => store.ping(), keys: () => identities.table.assertFresh() },
    transports: [transport],
    bus: () => busState(transport),
    record: () => ({ recordId: record.recordId, speed: clock.speed, now: clock.now() }),
  };
});
