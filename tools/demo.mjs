// `npm run demo`: builds what is not built, then plays a day of the 2024 election.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const built = spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b', root], { stdio: 'inherit' });
if (built.status !== 0) process.exit(built.status ?? 1);
await import(join(root, 'deploy/local/dist/demo/run-demo.js'));
