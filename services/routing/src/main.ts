import { busMigrations, runConsumer, runPublisher } from '@sejam/bus';
import { runProjection } from '@sejam/postgres';
import { loadMasterKey, resealAll } from '@sejam/privacy';
import { createShortLinkFollower } from '@sejam/webhooks';
import { connectParts, followCheckpoint, followIdentities, IdentityDirectory, identityMigrations, keepConsumerFigures, patiently, readAnswers, readCredentials, refuseOtherRecordsTopics, runService, StartFault } from '@sejam/service-host';
import { routingAccess } from './access.js';
import { approvalMigrations, keepApprovals, watchApprovals } from './approval/watch-approvals.js';
import { RefusedWebhooks } from './answer/refused-webhooks.js';
import { routingConfig } from './config.js';
import { Courier } from './delivery/courier.js';
import { countDeliveries } from './delivery/count-deliveries.js';
import { deliveryMigrations, deliveryRows } from './delivery/delivery-view.js';
import { PlatformDirectory } from './platform/platform-directory.js';
import { isSeeded, seedPlatforms } from './platform/seed-platforms.js';
import { platformMigrations, sealedWebhookSecrets, WebhookSecrets } from './platform/webhook-secrets.js';
import { RoutingModule } from './routing.module.js';
import type { RoutingPorts } from './routing-ports.js';
import { FollowShortLinks, isFullAddress, shortLinkHosts } from './short-link/follow-short-links.js';
import { applyHolds, opensHold, shortLinkMigrations } from './short-link/hold-view.js';
import { sealedSigningKeys, SigningKeys } from './signing-key/signing-keys.js';
import { Takedowns } from './takedown/act-on-takedown.js';
import { countOrders } from './takedown/count-orders.js';
import { driveMerges } from './takedown/drive-merges.js';
import { followClocks } from './takedown/follow-clocks.js';
import { followReports } from './takedown/follow-reports.js';
import { KnownRequests } from './takedown/known-requests.js';
import { completePolicies, keepPolicies, PolicyTable } from './takedown/policy-table.js';
import { PublishTakedown } from './takedown/publish-takedown.js';
import { applyTakedowns, takedownMigrations } from './takedown/takedown-view.js';

await runService('routing', async (context) => {
  const { log, metrics, onClose, env, closing } = context;
  const config = routingConfig(env);
  const masterKey = loadMasterKey(config.masterKeyFile);
  const migrations = [takedownMigrations, platformMigrations, deliveryMigrations, shortLinkMigrations, approvalMigrations, busMigrations, identityMigrations];
  const { store, record, clock, transact, pool, bus } = await connectParts({ name: 'routing', config, migrations }, context);

  await patiently('PostgreSQL', context, () => resealAll({ pool, masterKey, columns: [sealedWebhookSecrets, sealedSigningKeys], log }));
  const secrets = new WebhookSecrets(pool, masterKey);
  await patiently('the platforms', context, async () => {
    if (config.credentialsFile !== undefined) {
      const credentials = readCredentials(config.credentialsFile, record.recordId);
      await seedPlatforms({ transact, secrets, credentials, ...(config.sandboxUrl === undefined ? {} : { sandboxUrl: config.sandboxUrl }) });
    } else if (!(await isSeeded(store))) throw new StartFault('The record has no platforms yet: give the credentials file of the first start in SEJAM_CREDENTIALS_FILE');
    return true;
  });

  const signingKeys = new SigningKeys({ client: pool, masterKey, store, transact });
  await patiently('the key that signs webhooks', context, async () => {
    await signingKeys.ensure();
    return true;
  });
  await signingKeys.follow();
  onClose(() => signingKeys.stop());
  const platforms = new PlatformDirectory(secrets, signingKeys);
  await platforms.follow(store);
  onClose(() => platforms.stop());
  const directory = new IdentityDirectory();
  const identities = await followIdentities({ bus, pool, directory, log });
  onClose(() => identities.stop());

  const policies = new PolicyTable(pool);
  const { legalBases, desk, redress } = config;
  const takedowns = new Takedowns({ transact, platforms, policies, legalBases, desk, redress });
  const takedownView = runProjection({ pool, store, name: 'takedowns', prefixes: ['takedown-'], apply: applyTakedowns, gatherMs: 100, log });
  onClose(() => takedownView.stop());
  const figures = countOrders(pool, metrics, (error) => log.warn({ error: String(error) }, 'The orders could not be counted'));
  onClose(() => figures.stop());
  const merges = driveMerges({ pool, store, takedowns, log });
  onClose(() => merges.stop());

  const checkpoint = followCheckpoint(config.auditUrl);
  onClose(() => checkpoint.stop());
  const courier = new Courier({ pool, store, clock, transact, takedowns, directory: platforms, allow: config.webhookAllow, metrics, log, alongside: checkpoint.headers }).start();
  const follower = createShortLinkFollower({ allowedHosts: shortLinkHosts, isFinal: isFullAddress, allow: config.webhookAllow });
  const shortLinks = new FollowShortLinks({ pool, clock, takedowns, follower, log }).start();
  const rows = deliveryRows((platform) => courier.wake(platform));
  const deliveryView = runProjection({
    pool, store, name: 'deliveries', prefixes: ['takedown-'], gatherMs: 15, log,
    async apply(client, events) {
      await rows.apply(client, events);
      await applyHolds(client, events);
    },
    onApplied(events) {
      rows.onApplied(events);
      if (events.some(opensHold)) shortLinks.wake();
    },
  });
  onClose(async () => {
    await deliveryView.stop();
    await Promise.all([courier.stop(), shortLinks.stop()]);
  });
  const deliveries = countDeliveries(pool, metrics, (error) => log.warn({ error: String(error) }, 'Deliveries could not be counted'));
  onClose(async () => deliveries.stop());

  refuseOtherRecordsTopics(bus, record.recordId, context);
  const wording = new PublishTakedown(store);
  const publisher = runPublisher({
    store, bus, pool, log, service: 'routing', gatherMs: 50, recordId: record.recordId,
    topics: { 'takedown-': 'sejam.takedown.v1' },
    word: (events) => wording.word(events),
  });
  onClose(() => publisher.stop());

  const policyConsumer = runConsumer({ bus, pool, log, consumer: 'routing-policies', gatherMs: 250, handlers: { 'sejam.sla.v1': { kind: 'view', handle: keepPolicies } } });
  onClose(() => policyConsumer.stop());
  void completePolicies(policies, policyConsumer, closing);
  const consumer = runConsumer({
    bus, pool, log, consumer: 'routing', gatherMs: 15,
    handlers: {
      'sejam.intake.v1': { kind: 'append', handle: (message) => followReports(takedowns, message) },
      'sejam.sla.v1': { kind: 'append', handle: (message) => followClocks({ takedowns, clock }, message) },
    },
  });
  onClose(() => consumer.stop());

  const approvalConsumer = runConsumer({ bus, pool, log, consumer: 'routing-approvals', gatherMs: 250, handlers: { 'sejam.intake.v1': { kind: 'view', handle: keepApprovals } } });
  onClose(() => approvalConsumer.stop());
  const approvals = watchApprovals({ client: pool, clock, metrics, log });
  onClose(async () => approvals.stop());

  const consumers = () => ({ routing: consumer, 'routing-policies': policyConsumer, 'routing-approvals': approvalConsumer, [`${pool.schema}-identity`]: identities.consumer });
  const consumerFigures = keepConsumerFigures({ pool, metrics, consumers, log });
  onClose(() => consumerFigures.stop());

  const ports: RoutingPorts = {
    store, transact, clock, pool, platforms, policies, takedowns, takedownView, signingKeys, metrics, log,
    requests: new KnownRequests(pool),
    delivery: { courier, view: deliveryView, secrets, allow: config.webhookAllow },
    parked: { service: 'routing', pool, consumers },
    refusedWebhooks: new RefusedWebhooks(pool),
  };
  return {
    module: RoutingModule.with(ports),
    config,
    access: routingAccess,
    answers: readAnswers(new URL('../answers.json', import.meta.url)),
    directory,
    readiness: { record: () => store.ping(), keys: () => identities.table.assertFresh() },
    bus: async () => ({ connected: consumer.status().connected, lag: sum(await consumer.lag()) }),
    record: () => ({ recordId: record.recordId, speed: clock.speed, now: clock.now() }),
  };
});

const sum = (lags: Readonly<Record<string, number>>): number => Object.values(lags).reduce((total, lag) => total + lag, 0);
