// The distributed way's one-shot: does what the supervisor does at a first start, and ends. May be run again at any time.
import { connectEventStore } from '@sejam/eventstoredb';
import { createLogger, optional, readConfig, startSentence, text, url } from '@sejam/service-host';
import { firstStart } from './first-start.js';
import { domainTimeSettings } from './settings.js';

const log = createLogger({ name: 'bootstrap' });
try {
  const config = readConfig(
    {
      ...domainTimeSettings,
      eventStoreUrl: url('EVENTSTORE_URL', { protocols: ['esdb:', 'esdb+discover:', 'kurrentdb:', 'kurrentdb+discover:'] }),
      masterKeyFile: text('SEJAM_MASTER_KEY_FILE', { what: 'the path of the master key file' }),
      credentialsFile: text('SEJAM_CREDENTIALS_FILE', { what: 'the path of the credentials file' }),
      baseUrl: optional(url('SEJAM_BASE_URL', { protocols: ['http:', 'https:'] })),
    },
    process.env,
  );
  const store = connectEventStore(config.eventStoreUrl, { logger: log });
  const { record, credentials } = await firstStart({ ...config, store, baseUrl: config.baseUrl ?? 'http://localhost:8080' });
  await store.close();
  if (credentials === 'lost') log.warn('The credentials file is gone and is not made anew: issue new keys by "npx sejam-keys rotate <organisation>"');
  else log.info({ recordId: record.recordId, credentialsFile: config.credentialsFile }, credentials === 'written' ? 'The record is open and its keys are written' : 'Everything is there already');
  process.exit(0);
} catch (error) {
  log.fatal(startSentence('bootstrap', error));
  process.exit(1);
}
