import { hostSettings, integer, optional, port, readConfig, url, type Environment } from '@sejam/service-host';
import type { Upstreams } from './upstream/upstreams.js';

const address = (variable: string) => optional(url(variable, { protocols: ['http:', 'https:'] }));

/** Beside the host's settings: where the services are, and where the whole is reached. A service without an address does not run here. */
export function gatewayConfig(env: Environment) {
  const { port: _, ...host } = hostSettings();
  const config = readConfig(
    {
      ...host,
      port: port('SEJAM_PORT', 8080),
      intake: address('SEJAM_INTAKE_URL'),
      routing: address('SEJAM_ROUTING_URL'),
      sla: address('SEJAM_SLA_URL'),
      reporting: address('SEJAM_REPORTING_URL'),
      audit: address('SEJAM_AUDIT_URL'),
      sandbox: address('SEJAM_SANDBOX_URL'),
      answerTimeoutMs: integer('SEJAM_UPSTREAM_TIMEOUT_MS', { fallback: 30_000, min: 100 }),
    },
    env,
  );
  const { intake, routing, sla, reporting, audit, sandbox } = config;
  const upstreams = Object.fromEntries(Object.entries({ intake, routing, sla, reporting, audit, sandbox }).filter(([, base]) => base !== undefined)) as Upstreams;
  return { ...config, upstreams, credentialsHint: env['SEJAM_CREDENTIALS_HINT'] };
}
