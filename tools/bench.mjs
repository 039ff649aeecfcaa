// `npm run bench [-- name…]`: builds, then runs each bench in a process of its own, one after the other, and prints what it measured as
// JSON lines. docs/performance.md keeps what was measured on a quiet machine, with date and machine.
import { spawnSync } from 'node:child_process';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const benches = {
  store: 'libs/embedded-eventstore/bench/run.mjs',
  intake: 'tests/load/intake.mjs',
  delivery: 'tests/load/delivery.mjs',
  watchdog: 'tests/load/watchdog.mjs',
  rebuild: 'services/reporting/bench/rebuild.mjs',
  audit: 'services/audit/bench/verify.mjs',
  log: 'services/audit/bench/log.mjs',
};

/** As the program that does this work is started. */
const flags = { rebuild: ['--max-semi-space-size=64'] };

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in benches));
if (unknown.length > 0) {
  console.error(`There is no bench ${unknown.join(', ')}; there are ${Object.keys(benches).join(', ')}.`);
  process.exit(2);
}
const built = spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b', root], { stdio: 'inherit' });
if (built.status !== 0) process.exit(built.status ?? 1);

console.log(JSON.stringify({ load: loadavg()[0], date: new Date().toISOString(), node: process.version, cpu: cpus()[0]?.model, cores: cpus().length, memoryGiB: Math.round(totalmem() / 2 ** 30) }));
for (const [name, path] of Object.entries(benches)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const { status } = spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', '--expose-gc', ...(flags[name] ?? []), join(root, path)], { stdio: 'inherit', timeout: 360_000 });
  if (status !== 0) {
    console.error(`The bench ${name} failed.`);
    process.exitCode = 1;
  }
}
