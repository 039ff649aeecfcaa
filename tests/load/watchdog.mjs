// How late sla says that a due time has come, with 100 000 clocks running; and pg-boss and graphile-worker with as many future jobs, in the
// same run on the same PostgreSQL. Decision clocks run for 15 minutes, so 100 000 of them come due at 111 a second, and so do the jobs here.
// Nine tenths are due only after the run; those of the window go the whole way: report, clock, DeadlineReached, intake's DeadlinePassed,
// DeadlineMissed. Prints one JSON line for each figure.
import { setTimeout as delay } from 'node:timers/promises';
import { connectEventStore } from '@sejam/eventstoredb';
import { run as runGraphileWorker } from 'graphile-worker';
import pg from 'pg';
import { PgBoss } from 'pg-boss';
import { v4, v7 } from 'uuid';
import { benchStack, cpuMs, percentiles, print } from './bench-stack.mjs';

const clocks = Number(process.env.SEJAM_BENCH_CLOCKS ?? 100_000);
const seconds = Number(process.env.SEJAM_BENCH_SECONDS ?? 30);
const perSecond = clocks / 900;
const inWindow = Math.round(perSecond * seconds);
const quarterMs = 15 * 60_000;
const far = 40 * 60_000;

const stack = await benchStack({ services: [] });
const store = connectEventStore(stack.eventStoreUrl);
const pool = new pg.Pool({ connectionString: stack.databaseUrl, max: 4 });
try {
  await measureWatchdog();
  await measurePgBoss();
  await measureGraphileWorker();
} finally {
  await Promise.all([store.close(), pool.end()]);
  await stack.stop();
}

async function measureWatchdog() {
  const seededAt = performance.now();
  await sideBySide(128, clocks - inWindow, (index) => appendFarClock(Date.now() + far + index));
  print({ bench: 'watchdog', figure: 'clocks laid into the record', clocks: clocks - inWindow, seconds: (performance.now() - seededAt) / 1000 });

  const first = performance.now();
  await Promise.all([stack.start('intake'), stack.start('sla')]);
  await until(async () => (await count('SELECT count(*) FROM sla.clock')) >= clocks - inWindow, 300_000);
  print({ bench: 'watchdog', figure: 'sla: first start, all rows made', seconds: (performance.now() - first) / 1000, memoryMiB: stack.memoryMiB('sla') });
  await stack.end('sla');
  const again = performance.now();
  await stack.start('sla');
  print({ bench: 'watchdog', figure: 'sla: start again with the rows there', seconds: (performance.now() - again) / 1000, memoryMiB: stack.memoryMiB('sla') });
  // The topic has been told of all clocks: what the start itself does is over.
  await until(() => caughtUp('sla', 'clock-'), 120_000);

  const leadMs = 20_000 + inWindow * 4;
  const begin = Date.now() + leadMs;
  const dues = new Map();
  await sideBySide(64, inWindow, async (index) => {
    const due = begin + Math.round((index * 1_000) / perSecond);
    dues.set(await appendReport(due - quarterMs), due);
  });
  await until(async () => (await count('SELECT count(*) FROM sla.clock')) >= clocks, Math.max(1_000, begin - Date.now()), false);
  const started = await count('SELECT count(*) FROM sla.clock');
  const missed = () => count(`SELECT count(*) FROM sla.clock WHERE status = 'missed'`);
  await delay(Math.max(0, begin - Date.now()));
  const cpuAtStart = cpuMs();
  await delay(Math.max(0, begin + seconds * 1_000 - Date.now()));
  await until(async () => (await missed()) >= inWindow, 60_000, false);
  const cpuMsEach = (cpuMs() - cpuAtStart) / inWindow;

  const late = { DeadlineReached: [], DeadlineMissed: [] };
  for (const reportId of dues.keys()) {
    for await (const { type, metadata } of store.read(`clock-${reportId}`)) late[type]?.push(Date.parse(metadata.at) - dues.get(reportId));
  }
  const common = { running: started, duePerSecond: perSecond };
  print({ bench: 'watchdog', figure: 'sla: lateness of DeadlineReached', ...common, ...percentiles(late.DeadlineReached) });
  print({ bench: 'watchdog', figure: 'sla: lateness of DeadlineMissed', ...common, ...percentiles(late.DeadlineMissed), cpuMsEach, memoryMiB: stack.memoryMiB('sla') });
  await Promise.all([stack.end('sla'), stack.end('intake')]);
}

async function measurePgBoss() {
  const boss = new PgBoss({ connectionString: stack.databaseUrl, schema: 'pgboss', supervise: false, schedule: false });
  boss.on('error', (error) => console.error(`pg-boss: ${error.message}`));
  await boss.start();
  await boss.createQueue('due');
  const late = [];
  const begin = Date.now() + 20_000;
  const jobs = Array.from({ length: clocks }, (_, index) => dueOf(index, begin)).map((due) => ({ data: { due }, startAfter: new Date(due) }));
  for (let from = 0; from < jobs.length; from += 2_000) await boss.insert('due', jobs.slice(from, from + 2_000));
  await boss.work('due', { pollingIntervalSeconds: 0.5, batchSize: 500 }, async (batch) => {
    for (const { data } of batch) late.push(Date.now() - data.due);
  });
  await delay(Math.max(0, begin + seconds * 1_000 - Date.now()));
  await until(() => late.length >= inWindow, 30_000, false);
  print({ bench: 'watchdog', figure: 'pg-boss: lateness of a job (polls every 0.5 s, its shortest)', jobs: clocks, duePerSecond: perSecond, ...percentiles(late) });
  await boss.stop({ graceful: false });
}

async function measureGraphileWorker() {
  const late = [];
  const quiet = () => undefined;
  const { Logger } = await import('graphile-worker');
  const runner = await runGraphileWorker({
    connectionString: stack.databaseUrl, concurrency: 32, pollInterval: 100, noHandleSignals: true, logger: new Logger(() => quiet),
    taskList: { due: ({ due }) => void late.push(Date.now() - due) },
  });
  const begin = Date.now() + 20_000;
  const dues = Array.from({ length: clocks }, (_, index) => dueOf(index, begin));
  for (let from = 0; from < dues.length; from += 5_000) {
    await pool.query(
      `SELECT 1 FROM graphile_worker.add_jobs(ARRAY(SELECT json_populate_record(NULL::graphile_worker.job_spec, json_build_object(
         'identifier', 'due', 'payload', json_build_object('due', due), 'run_at', to_timestamp(due / 1000.0))) FROM unnest($1::bigint[]) AS due))`,
      [dues.slice(from, from + 5_000)],
    );
  }
  await delay(Math.max(0, begin + seconds * 1_000 - Date.now()));
  await until(() => late.length >= inWindow, 30_000, false);
  print({ bench: 'watchdog', figure: 'graphile-worker: lateness of a job (polls every 0.1 s)', jobs: clocks, duePerSecond: perSecond, ...percentiles(late) });
  await runner.stop();
}

function dueOf(index, begin) {
  return index < inWindow ? begin + Math.round((index * 1_000) / perSecond) : begin + far + index;
}

async function appendReport(atMs) {
  const reportId = v4();
  const id = v7();
  const content = {
    index: 0, submittedUrl: 'https://www.tiktok.com/@akun/video/7399295712095227142', canonicalUrl: 'https://www.tiktok.com/@akun/video/7399295712095227142',
    contentKey: 'tiktok:video:7399295712095227142', platform: 'tiktok', product: 'tiktok', provisional: false, takedownId: v4(),
  };
  const data = {
    reportId, reference: reportId, reportedBy: 'bawaslu', requestSha256: '0'.repeat(64), contents: [content],
    statement: { category: 'hate_speech', contentForm: 'video', region: '32.73', summary: 'Ujaran yang menyerang suatu golongan' },
  };
  await store.append(`report-${reportId}`, [{ id, type: 'ReportSubmitted', data, metadata: metadata(atMs, `bench:${id}`) }], 'no-stream');
  return reportId;
}

async function appendFarClock(dueMs) {
  const reportId = v4();
  const data = { clock: 'decision', run: 1, reportId, startedAt: new Date(dueMs - quarterMs).toISOString(), due: new Date(dueMs).toISOString() };
  await store.append(`clock-${reportId}`, [{ id: v7(), type: 'ClockStarted', data, metadata: metadata(dueMs - quarterMs, `bench:${reportId}`) }], 'no-stream');
}

function metadata(atMs, causationId) {
  return { at: new Date(atMs).toISOString(), by: { organisation: 'bawaslu', holder: 'system:bench' }, causationId, correlationId: causationId };
}

async function count(sql) {
  return Number((await pool.query(sql)).rows[0].count);
}

/** The service's publisher has told everything of these streams. */
async function caughtUp(service, prefix) {
  const [newest] = await Array.fromAsync(store.readAll({ prefixes: [prefix], direction: 'backwards', limit: 1 }));
  const { rows } = await pool.query(`SELECT commit_position AS commit FROM ${service}.checkpoint WHERE name = $1`, [`publisher ${service}`]);
  return rows[0]?.commit != null && BigInt(rows[0].commit) >= BigInt(newest.position.commit);
}

async function sideBySide(most, times, work) {
  let next = 0;
  const worker = async () => {
    while (next < times) await work(next++);
  };
  await Promise.all(Array.from({ length: most }, worker));
}

/** Polls until it holds; after `withinMs` throws, or goes on where `must` is false. */
async function until(holds, withinMs, must = true) {
  for (const end = performance.now() + withinMs; !(await holds()); await delay(200)) {
    if (performance.now() < end) continue;
    if (must) throw new Error('It took too long; see the figures so far');
    return;
  }
}
