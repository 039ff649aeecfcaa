import { readFileSync } from 'node:fs';
import { hostSettings, optional, partSettings, readConfig, text, type Environment, type Setting } from '@sejam/service-host';
import { parsePolicy, type TlogPolicy } from '@sejam/transparency-log';

const witnessPolicy: Setting<TlogPolicy> = {
  variable: 'SEJAM_WITNESS_POLICY_FILE',
  parse: (file) => {
    try {
      return parsePolicy(readFileSync(file ?? '', 'utf8'));
    } catch (error) {
      throw new Error(`names a policy that cannot be used: ${(error as Error).message}`, { cause: error });
    }
  },
};

export const auditConfig = (env: Environment) =>
  readConfig(
    {
      ...hostSettings({ port: 8085, internalPort: 9085 }),
      ...partSettings(),
      masterKeyFile: text('SEJAM_MASTER_KEY_FILE', { what: 'the path of the master key file' }),
      /** Names the log for ever; without it `sejam/<record id>`. */
      logOrigin: optional(text('SEJAM_LOG_ORIGIN', { pattern: /^[^\s+]{1,200}$/, what: 'a name without spaces and plus signs, such as sejam.example.go.id/record' })),
      /** C2SP tlog-policy: which witnesses are asked, and at which addresses. */
      witnessPolicy: optional(witnessPolicy),
    },
    env,
  );
