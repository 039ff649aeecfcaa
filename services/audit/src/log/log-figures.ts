import { Gauge } from 'prom-client';
import type { Metrics } from '@sejam/service-host';

/** What an operator watches of the log. */
export function logFigures({ registry }: Metrics) {
  return {
    size: new Gauge({ name: 'sejam_log_size', help: 'Events covered by the newest checkpoint that this instance has signed', registers: [registry] }),
    alarms: new Gauge({ name: 'sejam_log_alarms', help: 'Alarms about the record or the log that are kept', labelNames: ['kind'], registers: [registry] }),
  };
}
