import { existsSync } from 'node:fs';
import { connectEventStore } from '@sejam/eventstoredb';
import { createLogger, StartFault } from '@sejam/service-host';
import { Child } from './child.js';
import { DataFolder } from './data-folder.js';
import { firstStart, type FirstStart } from './first-start.js';
import { choosePorts, keptPort, refuseTakenPort } from './ports.js';
import { programOf, programs, services, type ProgramName } from './services.js';
import type { LocalSettings } from './settings.js';

export interface Supervisor {
  readonly url: string;
  readonly credentialsFile: string;
  readonly credentials: FirstStart['credentials'];
  /** Undefined when it is left out. */
  readonly sandboxUrl: string | undefined;
  /** What is not ready, asked of the gateway; empty when everything is. */
  missing(): Promise<Readonly<Record<string, string>>>;
}

const internal = programs.map((name) => `${name}-internal` as const);
const names = ['event-store', 'postgres', ...programs, ...internal] as const;

/** Everything of one installation on this machine. Whatever has been started when `start` rejects is ended by `stop`. */
export class Installation {
  readonly #children = new Map<string, Child>();
  #folder: DataFolder | undefined;
  #stopping: Promise<void> | undefined;

  constructor(
    private readonly settings: LocalSettings,
    private readonly env: Readonly<Record<string, string | undefined>>,
    private readonly say: (sentence: string) => void,
  ) {}

  /** Resolves when every process listens. Throws StartFault, one sentence. */
  async start(): Promise<Supervisor> {
    const { settings, say } = this;
    const folder = DataFolder.take(settings.home);
    this.#folder = folder;
    await folder.endLeftovers(say);
    if (settings.port !== 0) await refuseTakenPort(settings.port, settings.host);
    const ports = await this.#ports(folder);
    const port = ports.gateway;
    const baseUrl = `http://localhost:${port}`;
    const url = Object.fromEntries(programs.map((name) => [name, `http://127.0.0.1:${ports[name]}`])) as Record<ProgramName, string>;
    const masterKeyFile = folder.file('master.key');
    const credentialsFile = folder.file('credentials.json');
    folder.remember({ url: baseUrl });

    const common = (name: ProgramName): Record<string, string> => ({
      PORT: String(ports[name]),
      INTERNAL_PORT: String(ports[`${name}-internal`]),
      HOST: '127.0.0.1',
    });
    const addresses = Object.fromEntries(services.map((name) => [`SEJAM_${name.toUpperCase()}_URL`, url[name]]));
    const sandbox = settings.sandbox && !(existsSync(masterKeyFile) && !existsSync(credentialsFile));
    if (sandbox) addresses['SEJAM_SANDBOX_URL'] = url.sandbox;

    const gateway = this.#run('gateway', { ...common('gateway'), ...addresses, SEJAM_PORT: String(port), HOST: settings.host, SEJAM_CREDENTIALS_HINT: credentialsFile });
    const [database, first] = await all([this.#database(folder, ports.postgres), this.#record(folder, ports['event-store'], { masterKeyFile, credentialsFile, baseUrl })]);
    const { eventStoreUrl, record, credentials } = first;

    const shared = {
      ...addresses,
      EVENTSTORE_URL: eventStoreUrl,
      DATABASE_URL: database,
      KAFKA_BROKERS: settings.kafkaBrokers.join(','),
      SEJAM_MASTER_KEY_FILE: masterKeyFile,
      SEJAM_CREDENTIALS_FILE: credentials === 'lost' ? '' : credentialsFile,
      SEJAM_SPEED: String(record.speed),
      SEJAM_WEBHOOK_ALLOW: settings.webhookAllow.join(','),
      SEJAM_GATEWAY_URL: `http://127.0.0.1:${port}`,
    };
    const others = services.map((name) => this.#run(name, { ...shared, ...common(name) }));
    if (sandbox && credentials !== 'lost') others.push(this.#run('sandbox', { ...shared, ...common('sandbox'), SEJAM_SANDBOX_PORT: String(ports.sandbox), SEJAM_SANDBOX_DATA: folder.file('sandbox') }));
    await all([gateway, ...others]);
    return { url: baseUrl, credentialsFile, credentials, sandboxUrl: sandbox && credentials !== 'lost' ? url.sandbox : undefined, missing: () => missingAt(url.gateway) };
  }

  /** The gateway first, so that nothing new comes in; then the services; then the servers they need. May be called again: same promise. */
  stop(): Promise<void> {
    return (this.#stopping ??= (async () => {
      const servers = ['postgres', 'event-store'];
      const groups = [['gateway', 'sandbox'], services, servers];
      for (const group of groups) await Promise.all(group.map(async (name) => this.#children.get(name)?.stop()));
      this.#folder?.release();
    })());
  }

  killNow(): void {
    for (const child of this.#children.values()) child.killNow();
    this.#folder?.release();
  }

  async #ports(folder: DataFolder): Promise<Record<(typeof names)[number], number>> {
    const file = folder.file('ports.json');
    // The platforms' endpoints stand in the record with the sandbox's address, so it keeps the port of the first start.
    const sandbox = this.settings.sandboxPort ?? keptPort(file, 'sandbox');
    const { port } = this.settings;
    return choosePorts(file, names, { ...(port === 0 ? {} : { gateway: port }), ...(sandbox === undefined || !this.settings.sandbox ? {} : { sandbox }) });
  }

  async #database(folder: DataFolder, port: number): Promise<string> {
    const { databaseUrl } = this.settings;
    if (databaseUrl !== undefined) {
      folder.remember({ databaseUrl });
      return databaseUrl;
    }
    const { url } = await this.#spawn('postgres', new URL('./postgres.js', import.meta.url).pathname, [folder.file('postgres'), String(port)], {});
    folder.remember({ databaseUrl: url });
    this.say('PostgreSQL is ready');
    return url;
  }

  async #record(folder: DataFolder, port: number, files: { masterKeyFile: string; credentialsFile: string; baseUrl: string }): Promise<FirstStart & { eventStoreUrl: string }> {
    let { eventStoreUrl } = this.settings;
    if (eventStoreUrl === undefined) {
      ({ url: eventStoreUrl } = await this.#spawn('event-store', new URL('./event-store.js', import.meta.url).pathname, [folder.file('record'), String(port)], {}));
      this.say('the event store is ready');
    }
    folder.remember({ eventStoreUrl });
    const { speed, origin } = this.settings;
    const store = connectEventStore(eventStoreUrl, { logger: createLogger({ name: 'supervisor', level: 'silent' }) });
    try {
      const first = await firstStart({ ...files, store, speed, origin });
      this.say({ written: 'the record is open; keys are made for every party', kept: `record ${first.record.recordId} goes on`, lost: `record ${first.record.recordId} goes on, without its credentials file` }[first.credentials]);
      return { ...first, eventStoreUrl };
    } finally {
      await store.close();
    }
  }

  async #run(name: ProgramName, env: Readonly<Record<string, string>>): Promise<void> {
    await this.#spawn(name, programOf(name), [], env);
    this.say(`${name} is ready`);
  }

  #spawn(name: string, program: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<{ url: string }> {
    // What would be started now would not be among those that the end waits for.
    if (this.#stopping !== undefined) return Promise.reject(new StartFault('Sejam was ended while it started'));
    const folder = this.#folder as DataFolder;
    const inherited = Object.fromEntries(Object.entries(this.env).filter((entry): entry is [string, string] => entry[1] !== undefined));
    const child = new Child({
      name,
      program,
      args,
      env: { ...inherited, ...env },
      logFile: folder.file('logs', `${name}.log`),
      say: this.say,
      onSpawn: (pid) => folder.remember({ process: { name, pid } }),
      onListening: (pid, { internalUrl }) => folder.remember({ process: { name, pid, internalUrl } }),
    });
    this.#children.set(name, child);
    return child.start();
  }
}

/** Like `Promise.all`; what fails later than the first is not left without a listener. */
async function all<T extends readonly unknown[]>(work: { readonly [K in keyof T]: Promise<T[K]> }): Promise<T> {
  for (const one of work) one.catch(() => undefined);
  return (await Promise.all(work)) as unknown as T;
}

async function missingAt(gateway: string): Promise<Readonly<Record<string, string>>> {
  try {
    const response = await fetch(`${gateway}/health/ready`, { signal: AbortSignal.timeout(5_000) });
    const { missing = {} } = (await response.json()) as { missing?: Record<string, string> };
    return missing;
  } catch (error) {
    if (error instanceof StartFault) throw error;
    return { gateway: 'does not answer' };
  }
}
