import { connectParts, createLogger, type ServiceContext } from '@sejam/service-host';
import { reportingConfig } from './config.js';
import { rebuildViews, reportingMigrations } from './rebuild/rebuild-views.js';

// `npm run rebuild -w @sejam/reporting`, with the environment of the service, which goes on answering meanwhile.
const log = createLogger({ name: 'reporting-rebuild', level: 'info' });
const closers: (() => Promise<void> | void)[] = [];
const context: Pick<ServiceContext, 'log' | 'closing' | 'onClose'> = { log, closing: new AbortController().signal, onClose: (close) => void closers.push(close) };

try {
  const config = reportingConfig(process.env);
  const { pool, bus } = await connectParts({ name: 'reporting', config, migrations: reportingMigrations.slice(1) }, context);
  let said = 0;
  const onProgress = (waiting: number): void => {
    if (performance.now() - said < 2_000 || Number.isNaN(waiting)) return;
    said = performance.now();
    log.info({ waiting }, 'Rebuilding the views');
  };
  const { events, seconds } = await rebuildViews({ pool, url: config.databaseUrl, bus, log, onProgress });
  log.info({ events, seconds: Math.round(seconds * 10) / 10 }, 'The views were rebuilt and are in use');
} catch (error) {
  log.fatal(`The views were not rebuilt; the old ones are as they were. ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
for (const close of closers.reverse()) await close();
process.exit();
