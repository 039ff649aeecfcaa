// How fast the log follows the record and serves receipts: `node services/audit/bench/log.mjs [events] [leaves]` after `npm run build`. JSON lines.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startEventStore } from '@sejam/embedded-eventstore';
import { connectEventStore } from '@sejam/eventstoredb';
import { createPool, migrate, postgresMigrations, startEmbeddedPostgres, tx } from '@sejam/postgres';
import { createMasterKeyFile } from '@sejam/privacy';
import { createLogger } from '@sejam/service-host';
import { formatTlogProof, Frontier, leafHash, proveInclusion, signCheckpoint } from '@sejam/transparency-log';
import { ordinaryEvents } from '../dist/bundle/testing.js';
import { Alarms } from '../dist/log/alarms.js';
import { integrateEvents } from '../dist/log/integrate-events.js';
import { openLogKey } from '../dist/log/log-key.js';
import { insertNodes, nodeReader } from '../dist/log/log-tables.js';
import { TransparencyLog } from '../dist/log/transparency-log.js';

const count = Number(process.argv[2] ?? 50_000);
const leaves = Number(process.argv[3] ?? 1_000_000);
const home = mkdtempSync(join(tmpdir(), 'sejam-bench-'));
const print = (figure) => process.stdout.write(`${JSON.stringify(Object.fromEntries(Object.entries(figure).map(([name, value]) => [name, typeof value === 'number' ? Number(value.toPrecision(4)) : value])))}\n`);
const p = (values, share) => values.sort((one, other) => one - other)[Math.min(values.length - 1, Math.floor(values.length * share))];

const server = await startEventStore({ dataFolder: join(home, 'record') });
const store = connectEventStore(server.url);
const postgres = await startEmbeddedPostgres({ dataFolder: join(home, 'postgres') });
const pool = createPool({ url: postgres.url, schema: 'audit' });
const log = createLogger({ name: 'bench', level: 'warn' });
const migrations = [postgresMigrations, { part: 'audit', folder: new URL('../migrations/', import.meta.url) }];
const masterKey = createMasterKeyFile(join(home, 'master.key'));

try {
  await migrate(pool, migrations);
  const signer = await openLogKey(pool, masterKey, 'sejam/bench');

  // Sustained: the record is there already, and the log catches up.
  const events = ordinaryEvents(count, { streams: Math.ceil(count / 100) });
  const byStream = Map.groupBy(events, ({ stream }) => stream);
  await Promise.all([...byStream].map(([stream, list]) => store.append(stream, list.map(({ id, type, data, metadata }) => ({ id, type, data, metadata })), 'no-stream')));
  let size = 0;
  const waiting = new Map();
  const started = performance.now();
  const integration = integrateEvents({
    store, pool, transparencyLog: new TransparencyLog(pool, signer), alarms: new Alarms(pool, log), log,
    onSigned: (checkpoint) => {
      size = checkpoint.size;
      for (const [at, done] of waiting) if (at <= size) { waiting.delete(at); done(); }
    },
  });
  const covered = (at) => (size >= at ? Promise.resolve() : new Promise((resolve) => waiting.set(at, resolve)));
  await covered(count);
  print({ measure: 'audit.integrate', events: count, perSecond: count / ((performance.now() - started) / 1000) });

  // Live: 200 events a second, from the append's answer to the signed checkpoint that covers it.
  const latencies = [];
  const open = [];
  for (let index = 0; index < 1_000; index += 1) {
    const { id, type, data, metadata } = events[index];
    await store.append(`takedown-live${index}`, [{ id: id.replace('8000', '9000'), type, data, metadata }], 'no-stream');
    const appended = performance.now();
    open.push(covered(count + index + 1).then(() => latencies.push(performance.now() - appended)));
    await delay(5);
  }
  await Promise.all(open);
  await integration.stop();
  print({ measure: 'audit.append-to-checkpoint', events: latencies.length, p50Ms: p(latencies, 0.5), p99Ms: p(latencies, 0.99) });

  // A log of a million leaves, filled without the record: only proofs are asked of it.
  const large = createPool({ url: postgres.url, schema: 'audit_large' });
  await migrate(large, migrations);
  const frontier = new Frontier();
  for (let done = 0; done < leaves; ) {
    const nodes = [];
    for (const end = Math.min(leaves, done + 20_000); done < end; done += 1) frontier.append(leafHash(Buffer.from(`leaf ${done}`)), (node) => nodes.push(node));
    await tx(large, (client) => insertNodes(client, nodes));
  }
  await large.query('VACUUM ANALYZE node');
  const checkpoint = signCheckpoint({ size: leaves, root: frontier.root() }, signer);
  const read = nodeReader(large);
  const times = [];
  let bytes = 0;
  for (let index = 0; index < 2_000; index += 1) {
    const begun = performance.now();
    const leaf = Math.floor(Math.random() * leaves);
    bytes = formatTlogProof({ index: leaf, hashes: await proveInclusion(leaf, leaves, read), checkpoint }).length;
    times.push(performance.now() - begun);
  }
  print({ measure: 'audit.inclusion-proof', leaves, proofs: times.length, p50Ms: p(times, 0.5), p99Ms: p(times, 0.99), bytes });
  await large.end();
} finally {
  await store.close();
  await server.close();
  await pool.end();
  await postgres.stop();
  rmSync(home, { recursive: true, force: true });
}
