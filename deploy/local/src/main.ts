import { relative } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ConfigFault, StartFault } from '@sejam/service-host';
import { localSettings } from './settings.js';
import { Installation, type Supervisor } from './supervisor.js';

const began = performance.now() - Number(process.env['SEJAM_STARTED_MS_AGO'] ?? 0);
const seconds = (): string => ((performance.now() - began) / 1000).toFixed(1);
/** The sentence that says why is the last one. */
let failed = false;
const say = (sentence: string): void => {
  if (!failed) console.log(`${seconds().padStart(7)} s  ${sentence}`);
};

let installation: Installation | undefined;
let firstSignalAt: number | undefined;

async function end(exitCode: number): Promise<never> {
  await installation?.stop();
  process.exit(exitCode);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    // A terminal sends Ctrl-C to the whole group and npm passes it on: signals within two seconds are one wish.
    if (firstSignalAt !== undefined) {
      if (performance.now() - firstSignalAt < 2_000) return;
      installation?.killNow();
      process.exit(130);
    }
    firstSignalAt = performance.now();
    say('ending; requests in flight are finished');
    void end(0).then(() => undefined);
  });
}
process.on('exit', (code) => {
  if (code === 0) say('Sejam has ended');
});
// The terminal may be gone before we are.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

try {
  const settings = localSettings(process.env);
  const shown = relative(process.cwd(), settings.home) || '.';
  console.log(`Sejam starts; its data lie in ${shown.startsWith('..') ? settings.home : shown}`);
  installation = new Installation(settings, process.env, say);
  const supervisor = await installation.start();
  await readiness(supervisor);
  greet(supervisor);
} catch (error) {
  if (firstSignalAt === undefined) {
    failed = true;
    const known = error instanceof StartFault || error instanceof ConfigFault || (error as Error).name === 'MasterKeyFault';
    console.error(known ? (error as Error).message.replace(/\.?$/, '.') : error);
    await end(1);
  }
}

/** Waits for as long as it takes, and says what for. */
async function readiness(supervisor: Supervisor): Promise<void> {
  let said = '';
  for (let asked = 1; ; asked++) {
    const missing = Object.entries(await supervisor.missing()).map(([name, why]) => `${name} ${why}`).join('; ');
    if (missing === '' || firstSignalAt !== undefined) return;
    if (asked > 10 && missing !== said) say(`waiting: ${(said = missing)}`);
    await delay(200);
  }
}

function greet({ url, credentialsFile, credentials, sandboxUrl }: Supervisor): void {
  if (firstSignalAt !== undefined) return;
  say('everything is ready');
  const file = relative(process.cwd(), credentialsFile);
  const shown = file.startsWith('..') ? credentialsFile : file;
  console.log(`
  Open       ${url}
  API        ${url}/docs
  Keys       ${credentials === 'lost' ? `the file ${shown} is gone and is not made anew: npx sejam-keys rotate <organisation>` : `${shown} (of every party: keep it to yourself)`}
${sandboxUrl !== undefined ? `  Platforms  played by the sandbox at ${sandboxUrl}: orders are answered in seconds\n` : credentials === 'lost' ? '  Platforms  the sandbox is left out, since its secrets were in that file\n' : ''}
  A first report:
    KEY=$(node -p "JSON.parse(require('fs').readFileSync('${shown}')).keys.bawaslu")
    curl -s ${url}/v1/reports -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' -d '{
      "reference": "TRY-1", "category": "hoax.voting_procedure", "contentForm": "video", "region": "32.73",
      "summary": "Claims that voting moved to 28 November", "legalBasis": ["UU-10-2016:69-c"],
      "contents": [{ "url": "https://www.tiktok.com/@x/video/7399295712095227142" }] }'

  Ctrl-C ends it; what was recorded stays.
`);
}
