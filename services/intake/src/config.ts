import { legalBases } from '@sejam/contracts';
import { hostSettings, optional, partSettings, readConfig, text, type Environment, type Setting } from '@sejam/service-host';

const legalBasesFile: Setting<ReturnType<typeof legalBases>> = { variable: 'SEJAM_LEGAL_BASES_FILE', parse: (file) => legalBases(file) };

export const intakeConfig = (env: Environment) =>
  readConfig(
    {
      ...hostSettings({ port: 8081, internalPort: 9081 }),
      ...partSettings(),
      masterKeyFile: text('SEJAM_MASTER_KEY_FILE', { what: 'the path of the master key file' }),
      credentialsFile: optional(text('SEJAM_CREDENTIALS_FILE')),
      legalBases: legalBasesFile,
    },
    env,
  );
