// The servers of one test run, in a process of their own: started by test-servers.mjs, ends when its standard input closes, so that
// nothing is left behind whether Jest ends well, by Ctrl-C or by kill -9. Prints its address; workers ask it over HTTP:
//   GET /postgres → { url }         a server, started once with the desk
//   GET /kafka    → { brokers, from } | { skipped }   started by the first who asks
//   GET /kafka/own → { brokers, from, own } | { skipped }   another one, for a test that lets it crash:
//   GET /kafka/own/<own>/crash/<ms away> → { brokers }      answers when it is back
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../libs/postgres/src/embedded-postgres.ts';
import { startKafka } from './kafka/broker.mjs';

const folder = mkdtempSync(join(tmpdir(), 'sejam-test-'));
// Tests need a real server, not one that survives a power cut.
const fast = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '600' };
const postgres = process.env.SEJAM_TEST_DATABASE_URL
  ? { url: process.env.SEJAM_TEST_DATABASE_URL, async stop() {} }
  : await startEmbeddedPostgres({ dataFolder: join(folder, 'postgres'), settings: fast });
let kafka;
const own = [];

async function answer(path) {
  if (path === '/postgres') return { url: postgres.url };
  if (path === '/kafka') {
    const { brokers, from, skipped } = await (kafka ??= startKafka({ folder }));
    return skipped ? { skipped } : { brokers, from };
  }
  if (path === '/kafka/own') {
    const broker = await startKafka({ folder: mkdtempSync(join(folder, 'own-')), mustCrash: true });
    if (broker.skipped) return broker;
    return { brokers: broker.brokers, from: broker.from, own: own.push(broker) - 1 };
  }
  const crash = /^\/kafka\/own\/(\d+)\/crash\/(\d+)$/.exec(path);
  if (crash) {
    const broker = own[Number(crash[1])];
    await broker.crash(Number(crash[2]));
    return { brokers: broker.brokers };
  }
  throw new Error(`Nobody keeps ${path} here`);
}

const desk = createServer((request, response) => {
  answer(request.url).then(
    (body) => response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body)),
    (error) => response.writeHead(500).end(error.message),
  );
});
desk.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${desk.address().port}`));

let ending = false;
async function end() {
  if (ending) return;
  ending = true;
  desk.close();
  desk.closeAllConnections();
  await Promise.allSettled([postgres.stop(), Promise.resolve(kafka).then((broker) => broker?.stop?.()), ...own.map((broker) => broker.stop())]);
  rmSync(folder, { recursive: true, force: true });
  process.exit(0);
}
process.stdin.on('end', end).on('error', end).resume();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {}); // ours is the closing of standard input
