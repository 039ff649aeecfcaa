// Jest's global setup of the tests that need servers. Kafka starts only when a test asks for it (testkit's `testKafka`).
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export default async function startServers() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < 24) throw new Error(`Tests run on the pinned Node 24, this is ${process.version}: start them by npm`);
  if (globalThis.sejamTestServers) return; // one desk for all projects of a run
  const desk = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', fileURLToPath(new URL('./test-servers-desk.mjs', import.meta.url))], {
    detached: true, // Ctrl-C in the terminal must not reach it before the tests are over
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const line = await Promise.race([once(createInterface(desk.stdout), 'line'), once(desk, 'exit')]);
  if (typeof line[0] !== 'string' || !line[0].startsWith('http')) throw new Error('The test servers did not start; see above');
  desk.stdin.on('error', () => {}); // it has ended by itself
  desk.unref();
  desk.stdin.unref();
  desk.stdout.unref();
  globalThis.sejamTestServers = desk;
  process.env.SEJAM_TEST_SERVERS = line[0];
}
