import { runService } from '@sejam/service-host';
import { gatewayAccess } from './access.js';
import { gatewayConfig } from './config.js';
import { GatewayModule } from './gateway.module.js';
import { JointReadiness } from './upstream/upstreams.js';

await runService('gateway', async ({ env, log, closing }) => {
  const { upstreams, answerTimeoutMs, credentialsHint, ...config } = gatewayConfig(env);
  const readiness = new JointReadiness(upstreams);
  return Promise.resolve({
    module: GatewayModule.with({ upstreams, forwarding: { log, closing, answerTimeoutMs }, page: { credentialsHint, sandboxUrl: upstreams.sandbox } }),
    config,
    access: gatewayAccess,
    exposed: true,
    readiness: readiness.checks(),
    parts: () => readiness.parts(),
    bus: () => readiness.bus(),
    record: () => readiness.record(),
  });
});
