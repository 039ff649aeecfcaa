// From an officer's approval to the signed order at the platform: how long, at 100 approved reports a second, on the log bus and on Kafka.
// The time runs from the moment the approval's request is sent until the order's request has arrived, so both ends of HTTP are in it.
// Prints one JSON line for each bus.
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { verify } from '@sejam/webhooks';
import { Pool } from 'undici';
import { startKafka } from '../../tools/kafka/broker.mjs';
import { atRate, benchStack, cpuMs, cpuMsEachSince, cpuMsOfParts, percentiles, print, report } from './bench-stack.mjs';

const seconds = Number(process.env.SEJAM_BENCH_SECONDS ?? 8);
const perSecond = Number(process.env.SEJAM_BENCH_RATE ?? 100);
/** Until the services run compiled code. */
const warmUpSeconds = 20;

const only = process.env.SEJAM_BENCH_BUS;
if (only !== 'kafka') await measure('log');
if (only !== 'log') await measureOnKafka();

async function measureOnKafka() {
  const folder = mkdtempSync(join(tmpdir(), 'sejam-bench-kafka-'));
  const kafka = await startKafka({ folder });
  try {
    if (kafka.skipped) print({ bench: 'delivery', bus: 'kafka', skipped: kafka.skipped });
    else await measure('kafka', kafka.brokers.join(','));
  } finally {
    await kafka.stop?.();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(bus, brokers) {
  const stack = await benchStack({ services: ['intake', 'routing', 'sla'], kafka: brokers, env: { SEJAM_WEBHOOK_ALLOW: '127.0.0.0/8' } });
  const platform = await receiver();
  const intake = new Pool(stack.urls.intake, { connections: 64, pipelining: 1 });
  const routing = new Pool(stack.urls.routing, { connections: 4 });
  const call = async (pool, method, path, key, body) => {
    const { statusCode, body: answer } = await pool.request({
      method, path, headers: { authorization: `Bearer ${stack.keys[key]}`, 'content-type': 'application/json' }, body: JSON.stringify(body),
    });
    const text = await answer.text();
    if (statusCode >= 300) throw Object.assign(new Error(`${path} answered ${statusCode}: ${text.slice(0, 300)}`), { statusCode });
    return JSON.parse(text);
  };
  try {
    platform.secret = stack.webhookSecrets.tiktok.orders;
    await patiently(() => call(routing, 'PUT', '/v1/platforms/tiktok/endpoint', 'tiktok', { url: platform.url }));
    const reports = [];
    for (const wanted = perSecond * (warmUpSeconds + seconds); reports.length < wanted; ) {
      const batch = { reports: Array.from({ length: Math.min(200, wanted - reports.length) }, report) };
      const { results } = await call(intake, 'POST', '/v1/reports/batch', 'bawaslu', batch);
      reports.push(...results.map((result) => result.report));
    }
    await delay(3_000);

    const sentAt = new Map();
    const approve = async () => {
      const { id, contents: [{ takedownId }] } = reports[sentAt.size];
      sentAt.set(takedownId, performance.now());
      await call(intake, 'POST', `/v1/reports/${id}/approval`, 'bawasluReviewer', { reasons: 'Ujaran yang menyerang suatu golongan, diperiksa oleh dua petugas', requestedAction: 'removed' });
    };
    const arrived = async () => {
      for (const end = performance.now() + 60_000; platform.receivedAt.size < sentAt.size && performance.now() < end; ) await delay(50);
    };
    await atRate(perSecond, warmUpSeconds, approve);
    await arrived();
    const warm = new Set(sentAt.keys());
    const cpuAtStart = cpuMs();
    const partsAtStart = cpuMsOfParts();
    await atRate(perSecond, seconds, approve, () => sentAt.size < reports.length);
    await arrived();

    const cpu = cpuMs() - cpuAtStart;
    const counted = [...sentAt].filter(([takedownId]) => !warm.has(takedownId));
    const cpuMsByPart = cpuMsEachSince(partsAtStart, counted.length);
    const latencies = counted.flatMap(([takedownId, at]) => (platform.receivedAt.has(takedownId) ? [platform.receivedAt.get(takedownId) - at] : []));
    print({ bench: 'delivery', figure: `approval to order received at ${perSecond}/s`, bus, missing: counted.length - latencies.length, badSignatures: platform.badSignatures, ...percentiles(latencies), cpuMsEach: cpu / counted.length, cpuMsByPart });
  } finally {
    await Promise.all([intake.close(), routing.close()]);
    await stack.stop();
    await platform.close();
  }
}

/** A platform that answers 204 at once and notes when each takedown's order came. */
async function receiver() {
  const platform = { receivedAt: new Map(), badSignatures: 0, secret: undefined, url: '', close: () => new Promise((closed) => server.close(closed)) };
  const server = createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const at = performance.now();
      response.writeHead(204).end();
      const body = Buffer.concat(chunks);
      if (!verify({ headers: request.headers, body, secrets: [{ secret: platform.secret, keyId: 'orders' }], now: new Date() }).valid) platform.badSignatures += 1;
      const { type, data } = JSON.parse(body.toString('utf8'));
      if (type === 'order.issued' && !platform.receivedAt.has(data.takedownId)) platform.receivedAt.set(data.takedownId, at);
    });
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  platform.url = `http://127.0.0.1:${server.address().port}/orders`;
  return platform;
}

/** routing learns organisations and keys from the bus, a moment after it listens. */
async function patiently(request) {
  for (const end = performance.now() + 30_000; ; ) {
    try {
      return await request();
    } catch (error) {
      if (performance.now() > end || ![401, 503].includes(error.statusCode)) throw error;
      await delay(200);
    }
  }
}
