import { readFileSync } from 'node:fs';

/** One environment variable: where it stands, what it must look like, and what it becomes. */
export interface Setting<T> {
  readonly variable: string;
  /** Throws an Error whose message completes the sentence "<variable> …". */
  readonly parse: (raw: string | undefined, env: Environment) => T;
}

export type Environment = Readonly<Record<string, string | undefined>>;
export type ConfigSpec = Readonly<Record<string, Setting<unknown>>>;
export type Config<Spec extends ConfigSpec> = { readonly [Name in keyof Spec]: Spec[Name] extends Setting<infer T> ? T : never };

/** The environment does not describe a service that can start. Its message names every fault, one a line. */
export class ConfigFault extends Error {
  override readonly name = 'ConfigFault';
  constructor(readonly faults: readonly string[]) {
    super(faults.length === 1 ? (faults[0] ?? '') : `The environment has ${faults.length} faults:\n${faults.map((fault) => `- ${fault}`).join('\n')}`);
  }
}

/** Reads every setting before it complains about any, so that an operator mends all faults in one go. The result is frozen. */
export function readConfig<const Spec extends ConfigSpec>(spec: Spec, env: Environment): Config<Spec> {
  const faults: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(spec)) {
    const raw = env[setting.variable]?.trim();
    try {
      values[name] = setting.parse(raw === '' ? undefined : raw, env);
    } catch (error) {
      faults.push(`${setting.variable} ${error instanceof Error ? error.message : String(error)}.`);
    }
  }
  if (faults.length > 0) throw new ConfigFault(faults);
  return Object.freeze(values) as Config<Spec>;
}

function orElse<T>(raw: string | undefined, fallback: T | undefined, what: string): T | undefined {
  if (raw !== undefined) return undefined;
  if (fallback === undefined) throw new Error(`is missing: give ${what}`);
  return fallback;
}

export function text(variable: string, { fallback, pattern, what = 'a text' }: { fallback?: string; pattern?: RegExp; what?: string } = {}): Setting<string> {
  return {
    variable,
    parse: (raw) => {
      const value = raw ?? orElse(raw, fallback, what) ?? '';
      if (pattern !== undefined && !pattern.test(value)) throw new Error(`must be ${what}`);
      return value;
    },
  };
}

export function integer(variable: string, { fallback, min = 0, max = Number.MAX_SAFE_INTEGER }: { fallback?: number; min?: number; max?: number } = {}): Setting<number> {
  const what = `a whole number from ${min} to ${max}`;
  return {
    variable,
    parse: (raw) => {
      if (raw === undefined) return orElse(raw, fallback, what) ?? 0;
      const value = Number(raw);
      if (!/^-?\d+$/.test(raw) || value < min || value > max) throw new Error(`must be ${what}, not "${raw}"`);
      return value;
    },
  };
}

/** 0 asks the system for a free port. */
export function port(variable: string, fallback?: number): Setting<number> {
  return integer(variable, { ...(fallback === undefined ? {} : { fallback }), max: 65_535 });
}

export function flag(variable: string, fallback: boolean): Setting<boolean> {
  return {
    variable,
    parse: (raw) => {
      if (raw === undefined) return fallback;
      if (['on', 'true', '1', 'yes'].includes(raw.toLowerCase())) return true;
      if (['off', 'false', '0', 'no'].includes(raw.toLowerCase())) return false;
      throw new Error(`must be "on" or "off", not "${raw}"`);
    },
  };
}

export function choice<const T extends string>(variable: string, choices: readonly T[], fallback?: NoInfer<T>): Setting<T> {
  const what = `one of ${choices.join(', ')}`;
  return {
    variable,
    parse: (raw) => {
      const value = raw ?? orElse(raw, fallback, what);
      const found = choices.find((one) => one === value);
      if (found === undefined) throw new Error(`must be ${what}, not "${String(value)}"`);
      return found;
    },
  };
}

/** A URL with one of the protocols, such as `postgres:`. Its value is never repeated in a fault: it may hold a password. */
export function url(variable: string, { protocols, fallback }: { protocols: readonly string[]; fallback?: string }): Setting<string> {
  const what = `a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`;
  return {
    variable,
    parse: (raw) => {
      const value = raw ?? orElse(raw, fallback, what) ?? '';
      if (!URL.canParse(value) || !protocols.includes(new URL(value).protocol)) throw new Error(`must be ${what}`);
      return value;
    },
  };
}

/** Comma-separated; an empty list where the variable is missing and there is no fallback. */
export function list(variable: string, fallback: readonly string[] = []): Setting<readonly string[]> {
  return {
    variable,
    parse: (raw) => raw?.split(',').map((part) => part.trim()).filter((part) => part !== '') ?? fallback,
  };
}

/** A secret from `<variable>`, or from the file that `<variable>_FILE` names, as container platforms mount it. Never repeated in a fault. */
export function secret(variable: string): Setting<string> {
  return {
    variable,
    parse: (raw, env) => {
      const file = env[`${variable}_FILE`];
      if (raw !== undefined) return raw;
      if (file === undefined || file === '') throw new Error(`is missing: give the secret, or the path of a file that holds it in ${variable}_FILE`);
      try {
        return readFileSync(file, 'utf8').trim();
      } catch (error) {
        throw new Error(`cannot be read from ${file} (${(error as NodeJS.ErrnoException).code ?? 'unknown cause'})`, { cause: error });
      }
    },
  };
}

/** A setting that may be left out. */
export function optional<T>(setting: Setting<T>): Setting<T | undefined> {
  return {
    variable: setting.variable,
    parse: (raw, env) => (raw === undefined && (env[`${setting.variable}_FILE`] ?? '') === '' ? undefined : setting.parse(raw, env)),
  };
}

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

/** What every service has: where it listens, how much it says, and how fast one caller may be. Spread it into the service's own spec. */
export function hostSettings({ port: publicPort, internalPort }: { port?: number; internalPort?: number } = {}) {
  return {
    host: text('HOST', { fallback: '127.0.0.1', what: 'the address to listen on' }),
    port: port('PORT', publicPort),
    internalPort: port('INTERNAL_PORT', internalPort ?? 0),
    logLevel: choice('LOG_LEVEL', logLevels, 'info'),
    requestsPerSecond: integer('RATE_LIMIT_PER_KEY', { fallback: 50, min: 1 }),
    webhooksPerSecond: integer('RATE_LIMIT_WEBHOOKS', { fallback: 200, min: 1 }),
    rateBurst: integer('RATE_LIMIT_BURST', { fallback: 4, min: 1, max: 1000 }),
  } as const;
}

export type HostConfig = Config<ReturnType<typeof hostSettings>>;
