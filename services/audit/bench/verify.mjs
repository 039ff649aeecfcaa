// How fast a bundle is verified: `node services/audit/bench/verify.mjs [events]` after `npm run build`. One JSON line.
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBundle } from '../dist/bundle/bundle.js';
import { logOf, ordinaryEvents, writeTestBundle } from '../dist/bundle/testing.js';
import { verifyBundle } from '../dist/bundle/verify-bundle.js';

const count = Number(process.argv[2] ?? 200_000);
const folder = mkdtempSync(join(tmpdir(), 'sejam-bench-'));
try {
  writeTestBundle(folder, logOf(ordinaryEvents(count)));
  const bytes = statSync(join(folder, 'events.ndjson')).size;
  const bundle = openBundle(folder);
  const cpu = process.cpuUsage();
  const started = performance.now();
  const report = verifyBundle(bundle);
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  if (!report.holds) throw new Error('The bundle of the measurement does not hold');
  const cpuSeconds = (user + system) / 1e6;
  process.stdout.write(`${JSON.stringify({ measure: 'audit.verify', events: count, bytesPerEvent: Math.round(bytes / count), seconds: +seconds.toFixed(3), cpuSeconds: +cpuSeconds.toFixed(3), eventsPerSecond: Math.round(count / seconds), eventsPerCpuSecond: Math.round(count / cpuSeconds) })}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
