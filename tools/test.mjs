// `npm test`: everything that CI does, in the order in which faults are cheapest to find. `npm test -- lint unit` runs only these parts.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const results = join(root, '.cache', 'test');
const major = Number(process.versions.node.split('.')[0]);
if (major !== 24) {
  console.error(`The tests run on the pinned Node 24, and this is ${process.version}. Start them by npm, in a clone that "npm ci" has filled.`);
  process.exit(1);
}

const bin = (path) => join(root, 'node_modules', path);
const quiet = ['--disable-warning=ExperimentalWarning', '--disable-warning=TimeoutNegativeWarning'];
const program = (path, ...args) => ({ args: [...quiet, bin(path), ...args] });
const jest = (name, project, ...args) => ({
  results: join(results, `${name}.json`),
  args: [...quiet, '--experimental-vm-modules', bin('jest/bin/jest.js'), '--selectProjects', project, '--json', `--outputFile=${join(results, `${name}.json`)}`, ...args],
});

/** What the public language is compared with: where this branch left the main one, else the last commit. */
function protoBase() {
  for (const args of [['merge-base', 'HEAD', 'origin/main'], ['rev-parse', '--verify', '--quiet', 'HEAD~1']]) {
    const { status, stdout } = spawnSync('git', args, { cwd: root, encoding: 'utf8' });
    if (status === 0) return stdout.trim();
  }
  return undefined;
}

function protoSteps() {
  const steps = [program('@bufbuild/buf/bin/buf', 'lint')];
  const base = protoBase();
  const before = join(results, 'proto-before.tar');
  // An archive and not the repository itself: a clone may be shallow, or a second working tree.
  const archived = base !== undefined && spawnSync('git', ['archive', '--format=tar', `--output=${before}`, base, 'proto', 'buf.yaml'], { cwd: root }).status === 0;
  if (archived) steps.push(program('@bufbuild/buf/bin/buf', 'breaking', '--against', before));
  else console.log('There is no earlier commit with a public language to compare this one with.');
  return steps;
}

const sections = {
  build: () => [{ args: [join(root, 'tools/clean.mjs'), '--orphans'] }, program('typescript/bin/tsc', '-b')],
  lint: () => [program('eslint/bin/eslint.js', '.', '--cache', '--cache-location', '.cache/eslint', '--max-warnings', '0')],
  types: () => [program('typescript/bin/tsc', '-p', 'tsconfig.spec.json')],
  proto: protoSteps,
  architecture: () => [jest('architecture', 'unit', 'tests/architecture')],
  unit: () => [jest('unit', 'unit', '--testPathIgnorePatterns', 'tests/architecture')],
  int: () => [jest('int', 'int')],
  e2e: () => [jest('e2e', 'e2e', '--runInBand')],
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in sections));
if (unknown.length > 0) {
  console.error(`There is no part named ${unknown.join(', ')}; there are ${Object.keys(sections).join(', ')}.`);
  process.exit(1);
}

let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => (interrupted = true));

function run(step) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, step.args, { cwd: root, stdio: 'inherit', env: { ...process.env, FORCE_COLOR: process.stdout.isTTY ? '1' : '0' } });
    const passOn = () => child.kill('SIGTERM');
    process.once('SIGTERM', passOn);
    const watch = setInterval(() => endIfStuck(child, step), 5_000);
    const over = (code) => {
      clearInterval(watch);
      process.off('SIGTERM', passOn);
      resolve(code);
    };
    child.once('error', () => over(1));
    child.once('exit', (code) => over(code ?? 1));
  });
}

/** Jest waits for ever for what a test has left running, long after its results are there. That is a failure, and not the end of the rest. */
function endIfStuck(child, { results: file }) {
  if (file === undefined || !existsSync(file) || Date.now() - statSync(file).mtimeMs < 60_000) return;
  console.error('A test has left something running that keeps Jest from ending; run its files one by one, with --detectOpenHandles');
  child.kill('SIGKILL');
}

/** Of a step that is not Jest's, its success is one thing that passed. A run that left no results behind failed as one. */
function count(step, code) {
  const one = { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 };
  if (step.results === undefined) return one;
  try {
    const { numPassedTests, numFailedTests, numPendingTests, numRuntimeErrorTestSuites, success } = JSON.parse(readFileSync(step.results, 'utf8'));
    const failed = numFailedTests + numRuntimeErrorTestSuites;
    return { passed: numPassedTests, failed: failed === 0 && (code !== 0 || !success) ? 1 : failed, skipped: numPendingTests };
  } catch {
    return { ...one, passed: 0, failed: 1 };
  }
}

rmSync(results, { recursive: true, force: true });
mkdirSync(results, { recursive: true });
const total = { passed: 0, failed: 0, skipped: 0 };
const summary = [];
for (const [name, steps] of Object.entries(sections)) {
  if (interrupted || (wanted.length > 0 && !wanted.includes(name))) continue;
  console.log(`\n=== ${name} ===`);
  const startedAt = performance.now();
  const section = { passed: 0, failed: 0, skipped: 0 };
  for (const step of steps()) {
    const counted = count(step, await run(step));
    for (const key of Object.keys(section)) section[key] += counted[key];
    if (interrupted || (section.failed > 0 && step.results === undefined)) break;
  }
  for (const key of Object.keys(total)) total[key] += section[key];
  const line = `${name}: ${section.failed === 0 ? 'ok' : 'FAILED'} in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
  console.log(line);
  summary.push(line);
}

console.log(`\n=== summary ===\n${summary.join('\n')}`);
if (total.skipped > 0) console.log(`${total.skipped} skipped, each with its reason above`);
if (interrupted) console.log('Interrupted: the parts that are not listed did not run');
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = interrupted ? 130 : total.failed === 0 ? 0 : 1;
