import { join } from 'node:path';
import { runService } from '@sejam/service-host';
import { openKeyFile } from './answer/key-file.js';
import { sandboxConfig } from './config.js';
import { openJournal } from './journal.js';
import { access, SandboxModule } from './sandbox.module.js';

await runService('sandbox', async ({ env, log, closing }) => {
  const config = sandboxConfig(env);
  const { credentials, script, speed, dataFolder, withAnswerKey, gatewayUrl = credentials.baseUrl } = config;
  const kept = (name: string): string | undefined => (dataFolder === undefined ? undefined : join(dataFolder, name));
  const journal = openJournal(kept('sandbox.ndjson'));
  const answerKeys = openKeyFile(withAnswerKey, kept('answer-keys.json'));
  return {
    module: SandboxModule.with({ credentials, script, journal, answerKeys, log, settings: { gatewayUrl, speed, closing } }),
    config,
    access,
    readiness: {},
  };
});
