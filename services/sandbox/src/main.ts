import { join } from 'node:path';
import { runService } from '@sejam/service-host';
import { sandboxConfig } from './config.js';
import { openJournal } from './journal.js';
import { access, SandboxModule } from './sandbox.module.js';

await runService('sandbox', async ({ env, log, closing }) => {
  const config = sandboxConfig(env);
  const { credentials, script, speed, dataFolder, gatewayUrl = credentials.baseUrl } = config;
  const journal = openJournal(dataFolder === undefined ? undefined : join(dataFolder, 'sandbox.ndjson'));
  return {
    module: SandboxModule.with({ credentials, script, journal, log, settings: { gatewayUrl, speed, closing } }),
    config,
    access,
    readiness: {},
  };
});
