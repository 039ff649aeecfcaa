// Builds what is not built: whoever starts Sejam from a clone comes through here.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const stamp = join(root, '.cache', 'built');

/** Ends the process with a sentence when it runs on another Node, or when the build fails. */
export function buildWhatIsNotBuilt() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major !== 24) {
    console.error(`Sejam runs on the pinned Node 24, and this is ${process.version}: start it by "npm start", in a clone that "npm ci" has filled.`);
    process.exit(1);
  }
  if (isBuilt()) return;
  console.log('Building Sejam…');
  const node = (...args) => spawnSync(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] }).status;
  if (node(join(root, 'tools/clean.mjs'), '--orphans') !== 0 || node(join(root, 'node_modules/typescript/bin/tsc'), '-b') !== 0) {
    console.error('Sejam could not be built; see above. Nothing was started.');
    process.exit(1);
  }
  try {
    mkdirSync(join(root, '.cache'), { recursive: true });
    writeFileSync(stamp, fingerprint());
  } catch {
    // A clone that this user may read only; then each start asks the compiler.
  }
}

function isBuilt() {
  try {
    return readFileSync(stamp, 'utf8') === fingerprint();
  } catch {
    return false;
  }
}

/** Of every source file and its time: cheaper than asking the compiler, which loads all of itself first. */
function fingerprint() {
  const hash = createHash('sha256');
  const add = (path) => {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat?.isDirectory()) for (const name of readdirSync(path).sort()) add(join(path, name));
    else if (stat !== undefined) hash.update(`${path} ${stat.size} ${stat.mtimeMs}\n`);
  };
  add(join(root, 'tsconfig.base.json'));
  for (const group of ['libs', 'services', 'deploy']) {
    for (const name of readdirSync(join(root, group))) {
      for (const part of ['src', 'tsconfig.json', 'package.json']) add(join(root, group, name, part));
      hash.update(String(statSync(join(root, group, name, 'dist'), { throwIfNoEntry: false })?.ino));
    }
  }
  return hash.digest('hex');
}
