import { hostSettings, partSettings, readConfig, type Environment } from '@sejam/service-host';

export const reportingConfig = (env: Environment) => readConfig({ ...hostSettings({ port: 8084, internalPort: 9084 }), ...partSettings() }, env);
