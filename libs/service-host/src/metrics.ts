import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

/** The figures every service keeps, by the same names, so that one dashboard fits all. Label values are few: never ids, never URLs. */
export class Metrics {
  readonly registry = new Registry();
  /** Reports, answers, commands … that stand in the record because of a request. */
  readonly accepted: Counter<'what'>;
  readonly refused: Counter<'code'>;
  readonly orders: Gauge<'platform' | 'status'>;
  readonly deliveryAttempts: Counter<'platform' | 'outcome'>;
  /** Messages between what a consumer has handled and the end of its topic. */
  readonly consumerLag: Gauge<'topic'>;
  /** Wall seconds between a clock's due time and the moment its verdict was appended. */
  readonly clockLateness: Histogram<'clock'>;
  readonly parked: Gauge<'cause'>;
  readonly requests: Histogram<'method' | 'route' | 'status'>;

  constructor(service: string) {
    const registers = [this.registry];
    this.registry.setDefaultLabels({ service });
    this.accepted = new Counter({ name: 'sejam_accepted_total', help: 'Requests that are in the record', labelNames: ['what'], registers });
    this.refused = new Counter({ name: 'sejam_refused_total', help: 'Requests refused, by problem code', labelNames: ['code'], registers });
    this.orders = new Gauge({ name: 'sejam_orders', help: 'Orders by platform and status', labelNames: ['platform', 'status'], registers });
    this.deliveryAttempts = new Counter({ name: 'sejam_delivery_attempts_total', help: 'Attempts to deliver to a platform', labelNames: ['platform', 'outcome'], registers });
    this.consumerLag = new Gauge({ name: 'sejam_consumer_lag', help: 'Messages not yet handled', labelNames: ['topic'], registers });
    this.clockLateness = new Histogram({ name: 'sejam_clock_lateness_seconds', help: 'How late a verdict was appended', labelNames: ['clock'], registers, buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] });
    this.parked = new Gauge({ name: 'sejam_parked', help: 'Messages that wait for an operator', labelNames: ['cause'], registers });
    this.requests = new Histogram({ name: 'sejam_http_request_seconds', help: 'HTTP requests', labelNames: ['method', 'route', 'status'], registers, buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5] });
  }

  /** Memory, CPU and event loop. Not in the constructor: it starts an observer that tests do not need. */
  collectProcess(): this {
    collectDefaultMetrics({ register: this.registry });
    return this;
  }
}
