import { readFileSync } from 'node:fs';
import { hostSettings, optional, port, readConfig, readCredentials, text, url, type Environment, type Setting } from '@sejam/service-host';
import { credentialsOfPlatforms, type Credentials } from './credentials.js';
import { isPlatform, type Platform } from './order/order.js';
import { defaultScript, readScript, type Script } from './script/script.js';

/** Beside the host's settings: `SEJAM_SANDBOX_PORT` goes before `PORT`, so that a supervisor may set both. */
const spec = (env: Environment) => ({
  ...hostSettings({ port: 8090 }),
  ...(env['SEJAM_SANDBOX_PORT'] ? { port: port('SEJAM_SANDBOX_PORT') } : {}),
  credentials: parsed('SEJAM_CREDENTIALS_FILE', (file): Credentials => {
    if (file === undefined) throw new Error('is missing: give the credentials file that the first start of Sejam writes');
    return credentialsOfPlatforms(readCredentials(file));
  }),
  script: parsed('SEJAM_SANDBOX_SCRIPT', (file): Script => (file === undefined ? defaultScript : readScript(JSON.parse(readFileSync(file, 'utf8'))))),
  gatewayUrl: optional(url('SEJAM_GATEWAY_URL', { protocols: ['http:', 'https:'] })),
  speed: parsed('SEJAM_SPEED', (raw): number => {
    const speed = Number(raw ?? 1);
    if (!(speed > 0 && Number.isFinite(speed))) throw new Error(`must be a number above 0, not "${raw}"`);
    return speed;
  }),
  /** Platforms that sign their answers with a key of their own too. */
  withAnswerKey: parsed('SEJAM_SANDBOX_ANSWER_KEYS', (raw = 'meta'): Platform[] => {
    const names = raw === 'none' ? [] : raw.split(',').map((name) => name.trim());
    if (names.every(isPlatform)) return names;
    throw new Error(`must be none, or platforms separated by commas, not "${raw}"`);
  }),
  dataFolder: optional(text('SEJAM_SANDBOX_DATA', { what: 'a folder' })),
});

export function sandboxConfig(env: Environment) {
  return readConfig(spec(env), env);
}

function parsed<T>(variable: string, parse: (raw: string | undefined) => T): Setting<T> {
  return {
    variable,
    parse: (raw) => {
      try {
        return parse(raw);
      } catch (error) {
        const message = (error as Error).message;
        throw new Error(/^(is|must|cannot) /.test(message) ? message : `cannot be used: ${message}`);
      }
    },
  };
}
