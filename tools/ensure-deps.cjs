// Installs what the lock file asks for before a script runs, so that `npm start` and `npm test` work as the first
// command after a clone. Runs on whatever Node the system has (>= 20): built-in modules only.
'use strict';
const { createHash } = require('node:crypto');
const { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { spawnSync } = require('node:child_process');

const root = join(__dirname, '..');
const stampFile = join(root, 'node_modules', '.deps-stamp');
const lockDir = join(root, '.deps-lock');

function wanted() {
  const hash = createHash('sha256');
  for (const name of ['package-lock.json', '.npmrc']) hash.update(readFileSync(join(root, name)));
  return hash.update(`${process.platform}-${process.arch}`).digest('hex');
}

const installed = () => existsSync(stampFile) && readFileSync(stampFile, 'utf8') === wanted();
const sleep = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

function ownerIsGone() {
  try {
    process.kill(Number(readFileSync(join(lockDir, 'pid'), 'utf8')), 0);
    return false;
  } catch (error) {
    if (error.code === 'EPERM') return false;
    // No pid yet: the owner may be between mkdir and write; give it five seconds.
    if (error.code === 'ENOENT') return Date.now() - statSync(lockDir, { throwIfNoEntry: false })?.mtimeMs > 5_000;
    return true;
  }
}

/** True when this process holds the lock; false when another one has finished the installation meanwhile. */
function lock() {
  for (;;) {
    if (installed()) return false;
    try {
      mkdirSync(lockDir);
      writeFileSync(join(lockDir, 'pid'), String(process.pid));
      return true;
    } catch (error) {
      if (error.code === 'EACCES' || error.code === 'EROFS') {
        console.error(`Sejam cannot write into ${root}: ${error.message}. Clone it into a folder of your own.`);
        process.exit(1);
      }
      if (error.code !== 'EEXIST') throw error;
      if (ownerIsGone()) rmSync(lockDir, { recursive: true, force: true });
      else sleep(300);
    }
  }
}

if (!installed() && lock()) {
  try {
    console.log('Installing dependencies as the lock file says (about a minute, once)…');
    const npm = process.env.npm_execpath;
    const args = ['ci', '--include=dev', '--loglevel=error', '--no-audit', '--no-fund'];
    const { status } = npm
      ? spawnSync(process.execPath, [npm, ...args], { cwd: root, stdio: 'inherit' })
      : spawnSync('npm', args, { cwd: root, stdio: 'inherit' });
    if (status !== 0) {
      console.error('npm ci failed; see above. Nothing was started.');
      process.exitCode = status ?? 1;
    } else if (!existsSync(join(root, 'node_modules', '.bin', 'node'))) {
      console.error('The pinned Node was not installed: npm skipped its install script. Allow "node" in allowScripts.');
      process.exitCode = 1;
    } else {
      writeFileSync(stampFile, wanted());
    }
  } finally {
    rmSync(lockDir, { recursive: true, force: true });
  }
}
