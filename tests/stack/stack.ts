import { mkdtempSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { Kafka, logLevel } from 'kafkajs';
import { domainClock, readRecord, type EventStore, type StoredEvent } from '@sejam/event-sourcing';
import { connectEventStore } from '@sejam/eventstoredb';
import { createPool, type Pool } from '@sejam/postgres';
import { readCredentials, type Credentials } from '@sejam/service-host';
import { eventually, testDatabase, type TestDatabase } from '@sejam/testkit';
import { firstStart } from '../../deploy/local/src/first-start.js';
import { Caller, type Answer } from './caller.js';
import { PlatformsDesk } from './platforms-desk.js';
import { compileCache, StackProcess } from './stack-process.js';

export interface StackOptions {
  /** Domain seconds per second. */
  readonly speed: number;
  /** Kafka's addresses; without them the conversation goes through the store. */
  readonly brokers?: readonly string[];
  /** Of every service; each has a gateway of its own in front. 1 without it. */
  readonly instances?: number;
  /** A PostgreSQL that the test may stop, in place of a database on the run's server. */
  readonly ownPostgres?: boolean;
  /** All of them without it. */
  readonly services?: readonly (typeof everyService)[number][];
  /** The real sandbox answers in place of the test's desk. */
  readonly sandbox?: boolean;
  /** Put over what every process gets. */
  readonly env?: Readonly<Record<string, string>>;
}

const root = join(import.meta.dirname, '../..');
const everyService = ['intake', 'routing', 'sla', 'reporting', 'audit'] as const;

/**
 * Everything of one installation as processes of their own, started from `dist`, under ports that stay the same when a process is killed and
 * started again. What `npm start` does in one tree, without its supervisor: here nothing comes back unless the test says so.
 */
export class Stack {
  readonly desk = new PlatformsDesk();
  readonly processes = new Map<string, StackProcess>();
  readonly folder = mkdtempSync(join(tmpdir(), 'sejam-stack-'));
  /** Of each gateway; the first is `url`. */
  readonly urls: string[] = [];
  credentials!: Credentials;
  /** A client of the record itself, for what a black box cannot see: that nothing was lost or written twice. */
  store!: EventStore;
  eventStoreUrl = '';
  databaseUrl = '';
  /** Where the sandbox listens to whoever directs it; empty without one. */
  sandboxUrl = '';
  #database: TestDatabase | undefined;
  #postgresFolder = '';
  readonly #pools: Pool[] = [];

  private constructor(readonly options: StackOptions) {}

  static async start(options: StackOptions): Promise<Stack> {
    const stack = new Stack(options);
    try {
      await stack.#start();
      return stack;
    } catch (error) {
      // What went wrong first is what says why.
      await stack.stop().catch(() => undefined);
      throw error;
    }
  }

  get url(): string {
    return this.urls[0] as string;
  }

  /** A caller with the key of this name in the credentials file, at one of the gateways. */
  as(keyName: string, instance = 0): Caller {
    const key = this.credentials.keys[keyName];
    if (key === undefined) throw new Error(`The credentials have no key ${keyName}`);
    return new Caller(this.urls[instance % this.urls.length] as string, key);
  }

  process(name: string): StackProcess {
    const found = this.processes.get(name);
    if (found === undefined) throw new Error(`There is no process ${name}; there are ${[...this.processes.keys()].join(', ')}`);
    return found;
  }

  /** Posts an answer as a platform's system does. */
  async answer(platform: string, type: string, data: object, options: { webhookId?: string; at?: Date; instance?: number } = {}): Promise<Answer> {
    const { headers, body } = this.desk.sign(platform, type, data, options);
    return new Caller(this.urls[(options.instance ?? 0) % this.urls.length] as string).send('POST', `/v1/platforms/${platform}/webhooks`, body, headers);
  }

  /** All events of a stream as they stand in the record. */
  async events(stream: string): Promise<StoredEvent[]> {
    const events = [];
    for await (const event of this.store.read(stream)) events.push(event);
    return events;
  }

  /** Every event of the streams whose names begin so. */
  async streams(...prefixes: string[]): Promise<Map<string, StoredEvent[]>> {
    const streams = new Map<string, StoredEvent[]>();
    for await (const event of this.store.readAll({ prefixes })) streams.set(event.stream, [...(streams.get(event.stream) ?? []), event]);
    return streams;
  }

  /** Now, as the record's clock has it. */
  async domainTime(): Promise<Date> {
    const record = await readRecord(this.store);
    if (record === undefined) throw new Error('The record is not open');
    return domainClock(record, Date.now).now();
  }

  /** SIGKILL, as by an operator or for want of memory. PostgreSQL itself goes with the program that starts it. */
  async kill(name: string): Promise<void> {
    const postmaster = name === 'postgres' ? Number(readFileSync(join(this.#postgresFolder, 'postmaster.pid'), 'utf8').split('\n')[0]) : undefined;
    await this.process(name).kill();
    if (postmaster !== undefined) process.kill(postmaster, 'SIGKILL');
  }

  pool(schema: string): Pool {
    const pool = createPool({ url: this.databaseUrl, schema, max: 2 });
    this.#pools.push(pool);
    return pool;
  }

  /** Until every gateway says that all behind it is ready. */
  async ready(withinMs = 60_000): Promise<void> {
    for (const url of this.urls) {
      await eventually(async () => {
        const { status, body } = await new Caller(url).send('GET', '/health/ready');
        if (status !== 200) throw new Error(`${url} is not ready: ${JSON.stringify(body)}`);
      }, { withinMs });
    }
  }

  async stop(): Promise<void> {
    const servers = ['postgres', 'event-store'];
    const keep = process.env['SEJAM_KEEP_STACK'] !== undefined;
    await Promise.all([...this.processes.values()].filter(({ name }) => !servers.includes(name)).map((one) => one.end()));
    await Promise.all(this.#pools.map((pool) => pool.end()));
    await (this.store as EventStore | undefined)?.close();
    for (const name of servers) await this.processes.get(name)?.end();
    await this.#database?.drop();
    await this.desk.close();
    if (!keep) rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 });
    else process.stderr.write(`The stack's files are kept in ${this.folder}\n`);
    const ends = [...this.processes.values()].flatMap(({ unexpectedEnds }) => unexpectedEnds);
    if (ends.length > 0) throw new Error(ends.join('\n'));
  }

  async #start(): Promise<void> {
    const { speed, brokers = [], instances = 1, ownPostgres = false, sandbox = false, services = everyService } = this.options;
    if (brokers.length > 0) await removeTopics(brokers);
    mkdirSync(join(this.folder, 'logs'));
    await this.desk.open();
    const names = Array.from({ length: instances }, (_, index) => [...services, 'gateway'].map((name) => nameOf(name, index))).flat();
    // All in one draw: a second one could be given what the first has let go again.
    const ports = await freePorts([...names, 'sandbox', 'event-store', 'postgres', ...[...names, 'sandbox'].map(internal)]);
    const at = (name: string): string => `http://127.0.0.1:${ports[name]}`;

    const database = ownPostgres
      ? this.#add('postgres', 'deploy/local/dist/postgres.js', {}, [join(this.folder, 'postgres'), String(ports['postgres'])]).start().then(({ url }) => url)
      : testDatabase().then((own) => (this.#database = own).url);
    const store = this.#add('event-store', 'deploy/local/dist/event-store.js', {}, [join(this.folder, 'record'), String(ports['event-store'])]).start();
    this.databaseUrl = await database;
    if (ownPostgres) this.#postgresFolder = (await this.pool('public').query<{ data_directory: string }>('SHOW data_directory')).rows[0]?.data_directory ?? '';
    this.eventStoreUrl = (await store).url;
    this.store = connectEventStore(this.eventStoreUrl, { logger: { warn: () => undefined }, backOff: { firstMs: 20, mostMs: 500 } });

    const masterKeyFile = join(this.folder, 'master.key');
    const credentialsFile = join(this.folder, 'credentials.json');
    const { record } = await firstStart({ store: this.store, masterKeyFile, credentialsFile, baseUrl: at('gateway'), speed, origin: undefined });
    this.credentials = readCredentials(credentialsFile, record.recordId);
    this.desk.knows(this.credentials.webhookSecrets);

    const shared = {
      EVENTSTORE_URL: this.eventStoreUrl,
      DATABASE_URL: this.databaseUrl,
      KAFKA_BROKERS: brokers.join(','),
      SEJAM_MASTER_KEY_FILE: masterKeyFile,
      SEJAM_CREDENTIALS_FILE: credentialsFile,
      SEJAM_SPEED: String(speed),
      SEJAM_WEBHOOK_ALLOW: '127.0.0.0/8',
      SEJAM_SANDBOX_URL: sandbox ? at('sandbox') : this.desk.url,
      SEJAM_GATEWAY_URL: at('gateway'),
      SEJAM_AUDIT_URL: services.includes('audit') ? at('audit') : '',
      RATE_LIMIT_PER_KEY: '5000',
      RATE_LIMIT_WEBHOOKS: '5000',
      HOST: '127.0.0.1',
      ...compileCache,
      ...this.options.env,
    };
    const own = (name: string): Record<string, string> => ({ PORT: String(ports[name]), INTERNAL_PORT: String(ports[internal(name)]) });
    const starts = [];
    for (let index = 0; index < instances; index += 1) {
      const addresses = Object.fromEntries(services.map((name) => [`SEJAM_${name.toUpperCase()}_URL`, at(nameOf(name, index))]));
      for (const name of services) starts.push(this.#add(nameOf(name, index), `services/${name}/dist/main.js`, { ...shared, ...own(nameOf(name, index)) }).start());
      const gateway = nameOf('gateway', index);
      starts.push(this.#add(gateway, 'services/gateway/dist/main.js', { ...shared, SEJAM_SANDBOX_URL: '', ...addresses, ...own(gateway), SEJAM_PORT: String(ports[gateway]) }).start());
      this.urls.push(at(gateway));
    }
    if (sandbox) {
      this.sandboxUrl = at('sandbox');
      starts.push(this.#add('sandbox', 'services/sandbox/dist/main.js', { ...shared, ...own('sandbox'), SEJAM_SANDBOX_DATA: join(this.folder, 'sandbox') }).start());
    }
    await Promise.all(starts);
    await this.ready();
  }

  #add(name: string, program: string, env: Readonly<Record<string, string>>, args: readonly string[] = []): StackProcess {
    const added = new StackProcess({ name, program: join(root, program), args, env, logFile: join(this.folder, 'logs', `${name}.log`) });
    this.processes.set(name, added);
    return added;
  }
}

const internal = (name: string): string => `${name}-internal`;
const nameOf = (service: string, instance: number): string => (instance === 0 ? service : `${service}-${instance + 1}`);

/** Free when asked; kept for the whole life of a stack. Below those that systems give to outgoing connections, which would take them meanwhile. */
async function freePorts(names: readonly string[]): Promise<Record<string, number>> {
  const held: Server[] = [];
  const ports: Record<string, number> = {};
  while (held.length < names.length) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true)));
    if (!free) continue;
    ports[names[held.length] as string] = port;
    held.push(server);
  }
  await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** The run's broker is shared by its specs, one after the other; the services refuse the topics of another record, as they should. */
export async function removeTopics(brokers: readonly string[]): Promise<void> {
  const admin = new Kafka({ clientId: 'sejam-tests', brokers: [...brokers], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    const ours = async () => (await admin.listTopics()).filter((topic) => topic.startsWith('sejam.'));
    const topics = await ours();
    if (topics.length > 0) await admin.deleteTopics({ topics });
    await eventually(async () => expect(await ours()).toEqual([]), { withinMs: 30_000 });
  } finally {
    await admin.disconnect();
  }
}
