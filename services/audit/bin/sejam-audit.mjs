#!/usr/bin/env node
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const built = new URL('../dist/cli.js', import.meta.url);
if (!existsSync(built)) {
  // A fresh clone has no dist yet, and an auditor should not have to know that.
  process.stderr.write('Building sejam-audit, once\n');
  const project = fileURLToPath(new URL('..', import.meta.url));
  const { status } = spawnSync('npx', ['--no-install', 'tsc', '-b', project], { cwd: project, stdio: ['ignore', 2, 2] });
  if (status !== 0) process.exit(2);
}
const { run } = await import(built.href);
process.exitCode = await run(process.argv.slice(2));
