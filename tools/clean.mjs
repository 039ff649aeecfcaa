// `node tools/clean.mjs` removes everything that is built or cached; with --orphans only built files whose source is gone, which
// `tsc -b` leaves behind and a glob would still load.
import { existsSync, globSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const root = join(import.meta.dirname, '..');
const packages = globSync('{libs,services}/*/package.json', { cwd: root }).concat('deploy/local/package.json').map((path) => join(root, dirname(path)));

function removeOrphans(folder) {
  const dist = join(folder, 'dist');
  if (!existsSync(dist)) return;
  for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
    const built = /^(.*?)(\.d)?\.(?:js|ts)(?:\.map)?$/.exec(entry.name);
    if (!entry.isFile() || built === null) continue;
    const source = join(folder, 'src', relative(dist, entry.parentPath), built[1]);
    if (['.ts', '.js', '.d.ts'].some((suffix) => existsSync(source + suffix))) continue;
    rmSync(join(entry.parentPath, entry.name));
    rmSync(join(dist, '.tsbuildinfo'), { force: true });
  }
}

if (process.argv.includes('--orphans')) packages.forEach(removeOrphans);
else for (const path of [...packages.map((folder) => join(folder, 'dist')), join(root, '.nx'), join(root, '.cache'), join(root, 'coverage')]) rmSync(path, { recursive: true, force: true });
