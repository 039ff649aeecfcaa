// A real Apache Kafka for tests, from wherever this machine can have one: KAFKA_BROKERS, else testcontainers where Docker answers,
// else Kafka's own jars from Maven Central. Plain JavaScript: runs without a build.
import { execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const here = fileURLToPath(new URL('.', import.meta.url));

/**
 * @param {{ folder: string, mustCrash?: boolean }} options `folder` is space for data and log, for the Maven way; `mustCrash`: only a
 * broker of our own will do.
 * @returns {Promise<{ brokers: string[], from: string, stop(): Promise<void>, crash?(awayMs: number): Promise<void> } | { skipped: string }>}
 * `crash` kills the broker and starts it again on the same data and ports; only ours can do that.
 */
export async function startKafka({ folder, mustCrash = false }) {
  if (process.env.KAFKA_BROKERS && !mustCrash) return { brokers: process.env.KAFKA_BROKERS.split(','), from: 'KAFKA_BROKERS', async stop() {} };
  const why = [];
  for (const way of mustCrash ? [fromMaven] : [fromDocker, fromMaven]) {
    try {
      return await way(folder);
    } catch (error) {
      why.push(String(error.stderr || error.message).trim().split('\n').at(-1));
    }
  }
  return { skipped: mustCrash ? `there is no Kafka here that may crash: ${why.join('; ')}` : `there is no Kafka here: KAFKA_BROKERS is not set; ${why.join('; ')}` };
}

async function fromDocker() {
  await run('docker', ['info'], { timeout: 5_000 }).catch(() => {
    throw new Error('Docker does not answer');
  });
  const { GenericContainer, Wait } = await import('testcontainers');
  const port = await freePort();
  const container = await new GenericContainer('apache/kafka:4.1.0')
    .withExposedPorts({ container: 9092, host: port })
    .withEnvironment({
      KAFKA_NODE_ID: '1',
      KAFKA_PROCESS_ROLES: 'broker,controller',
      KAFKA_LISTENERS: 'PLAINTEXT://:9092,CONTROLLER://:9093',
      KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://127.0.0.1:${port}`,
      KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
      KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
      KAFKA_CONTROLLER_QUORUM_VOTERS: '1@localhost:9093',
      KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
      KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1',
      KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: '1',
      KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
      KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
    })
    .withWaitStrategy(Wait.forLogMessage(/Kafka Server started/))
    .start();
  return { brokers: [`127.0.0.1:${port}`], from: 'testcontainers', stop: async () => void (await container.stop()) };
}

async function fromMaven(folder) {
  const [java, jars] = [process.env.JAVA_HOME ? join(process.env.JAVA_HOME, 'bin', 'java') : 'java', await kafkaJars()];
  await run(java, ['-version']).catch(() => {
    throw new Error('there is no java');
  });
  for (let attempt = 1; ; attempt++) {
    const broker = await startBroker(java, jars, join(folder, `kafka-${attempt}`));
    if (broker.brokers) return broker;
    // A port may have been taken between our look and the broker's; anything else does not get better.
    if (attempt === 3) throw new Error(`Kafka did not start: ${broker.reason}`);
  }
}

/** The folder with the jars, kept in the user's cache by the pom's content, so that clones and runs share it. */
async function kafkaJars() {
  const pom = readFileSync(join(here, 'pom.xml'));
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'sejam');
  const jars = join(cache, `kafka-${createHash('sha256').update(pom).digest('hex').slice(0, 12)}`);
  if (existsSync(jars)) return jars;
  mkdirSync(cache, { recursive: true });
  const part = mkdtempSync(join(cache, 'kafka-part-'));
  try {
    console.error('Fetching Kafka by Maven (44 MB, once)…');
    await run('mvn', ['-q', '-B', '-f', join(here, 'pom.xml'), 'dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${part}`], { timeout: 300_000 });
    renameSync(part, jars);
  } catch (error) {
    rmSync(part, { recursive: true, force: true });
    if (existsSync(jars)) return jars; // another run was quicker
    throw new Error(error.code === 'ENOENT' ? 'there is no mvn' : `mvn failed: ${String(error.stdout || error.message).trim().split('\n')[0]}`);
  }
  return jars;
}

async function startBroker(java, jars, folder) {
  const data = join(folder, 'data');
  mkdirSync(data, { recursive: true });
  const [port, controllerPort] = [await freePort(), await freePort()];
  const config = join(folder, 'server.properties');
  writeFileSync(config, properties({ port, controllerPort, data }));
  const classpath = ['-cp', `${jars}/*`];
  const small = ['-Xms64m', '-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'];
  await run(java, [...small, ...classpath, 'kafka.tools.StorageTool', 'format', '--ignore-formatted', '-t', clusterId(), '-c', config]);
  const logFile = join(folder, 'kafka.log');
  const start = async () => {
    const log = openSync(logFile, 'w');
    const broker = spawn(java, [...small, ...classpath, 'kafka.Kafka', config], { cwd: folder, detached: true, stdio: ['ignore', log, log] });
    closeSync(log);
    let over = false;
    const ended = new Promise((done) => broker.once('exit', done).once('error', done)).then(() => {
      over = true;
    });
    for (const deadline = Date.now() + 60_000; !over && Date.now() < deadline; await delay(100)) {
      // Listening is not yet ready: the broker opens its socket when it has registered with the controller.
      if (await answers(port)) return { broker, ended };
    }
    broker.kill('SIGKILL');
    return undefined;
  };
  let running = await start();
  if (!running) return { reason: readFileSync(logFile, 'utf8').split('\n').find((line) => /ERROR|Exception/.test(line)) ?? logFile };
  return {
    brokers: [`127.0.0.1:${port}`],
    from: 'Maven Central',
    async crash(awayMs) {
      running.broker.kill('SIGKILL');
      await running.ended;
      await delay(awayMs);
      running = (await start()) ?? running;
    },
    async stop() {
      running.broker.kill('SIGTERM');
      if ((await Promise.race([running.ended, delay(5_000, 'late', { ref: false })])) === 'late') running.broker.kill('SIGKILL');
      await running.ended;
    },
  };
}

/** Not beginning with a hyphen, which would be taken for an option. */
const clusterId = () => randomBytes(16).toString('base64url').replace(/^-/, 'A');

const properties = ({ port, controllerPort, data }) => `
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:${controllerPort}
listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}
advertised.listeners=PLAINTEXT://127.0.0.1:${port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs=${data.replaceAll('\\', '/')}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
num.network.threads=2
num.io.threads=2
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=4194304
broker.session.timeout.ms=1500
broker.heartbeat.interval.ms=300
`;

function answers(port) {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => done(true)).once('error', () => done(false));
    socket.once('connect', () => socket.destroy());
  });
}

function freePort() {
  return new Promise((done, fail) => {
    const probe = createServer().once('error', fail);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => done(port));
    });
  });
}
