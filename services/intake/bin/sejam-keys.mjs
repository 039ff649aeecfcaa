#!/usr/bin/env node
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const built = new URL('../dist/keys-cli.js', import.meta.url);
const project = fileURLToPath(new URL('../tsconfig.json', import.meta.url));
if (!existsSync(built) && existsSync(project)) {
  // A clone that has not been built yet.
  const compiler = createRequire(import.meta.url).resolve('typescript/lib/tsc.js');
  const { status } = spawnSync(process.execPath, [compiler, '-b', project], { stdio: ['ignore', 2, 2] });
  if (status !== 0) process.exit(1);
}
const { run } = await import(built.href);
process.exitCode = await run(process.argv.slice(2));
