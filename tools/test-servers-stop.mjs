import { once } from 'node:events';

/** Jest's global teardown: resolves when every server of the run has ended. */
export default async function stopServers() {
  const desk = globalThis.sejamTestServers;
  if (!desk || desk.exitCode !== null) return;
  globalThis.sejamTestServers = undefined;
  desk.ref();
  desk.stdin.end();
  await once(desk, 'exit');
}
