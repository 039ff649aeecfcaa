import { resolve } from 'node:path';
import { flag, hostSettings, integer, list, optional, port, readConfig, text, url, type Environment, type Setting } from '@sejam/service-host';

const speed: Setting<number | undefined> = {
  variable: 'SEJAM_SPEED',
  parse: (raw) => {
    if (raw === undefined) return undefined;
    const value = Number(raw);
    if (!(value > 0 && value <= 10_000)) throw new Error(`must be a number above 0 and up to 10000, not "${raw}"`);
    return value;
  },
};

const origin: Setting<string | undefined> = {
  variable: 'SEJAM_ORIGIN',
  parse: (raw) => {
    if (raw === undefined) return undefined;
    if (Number.isNaN(Date.parse(raw))) throw new Error(`must be a time such as 2024-11-27T00:00:00Z, not "${raw}"`);
    return new Date(raw).toISOString();
  },
};

/** Of a record that is opened; a record that is open keeps what it was opened with. */
export const domainTimeSettings = { speed, origin } as const;

/** What an operator may say of a start on one machine. Each of the three server addresses replaces the embedded part. */
export function localSettings(env: Environment) {
  const settings = readConfig(
    {
      home: text('SEJAM_HOME', { fallback: '.sejam' }),
      host: hostSettings().host,
      port: port('SEJAM_PORT', 8080),
      sandboxPort: optional(integer('SEJAM_SANDBOX_PORT', { min: 1, max: 65_535 })),
      sandbox: flag('SEJAM_SANDBOX', true),
      ...domainTimeSettings,
      webhookAllow: list('SEJAM_WEBHOOK_ALLOW', ['127.0.0.0/8', '::1/128']),
      eventStoreUrl: optional(url('EVENTSTORE_URL', { protocols: ['esdb:', 'esdb+discover:', 'kurrentdb:', 'kurrentdb+discover:'] })),
      databaseUrl: optional(url('DATABASE_URL', { protocols: ['postgres:', 'postgresql:'] })),
      kafkaBrokers: list('KAFKA_BROKERS'),
    },
    env,
  );
  return { ...settings, home: resolve(settings.home) };
}

export type LocalSettings = ReturnType<typeof localSettings>;
