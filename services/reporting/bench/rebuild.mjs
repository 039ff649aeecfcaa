// How fast the views are rebuilt from the topics, and whether an event costs the same when there are many. Tells a history on the log bus of
// an embedded event store, rebuilds from it into an embedded PostgreSQL, and prints a JSON line for each size.
// node services/reporting/bench/rebuild.mjs [events …], 10000 and 1000000 without any.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { logBus, toEnvelope } from '@sejam/bus';
import { builtInTerms } from '@sejam/deadlines';
import { connectEventStore } from '@sejam/eventstoredb';
import { createPool, migrate, startEmbeddedPostgres } from '@sejam/postgres';
import { rebuildViews, reportingMigrations } from '../dist/rebuild/rebuild-views.js';

const sizes = process.argv.slice(2).map(Number);
const wanted = sizes.length > 0 ? sizes : [10_000, 1_000_000];
const quiet = { info() {}, warn(fields, message) { console.error(message, fields); }, error(fields, message) { console.error(message, fields); } };

const idOf = (text) => {
  const hex = createHash('sha256').update(text).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
};
const at = (seconds) => new Date(Date.parse('2024-11-27T00:00:00Z') + seconds * 1_000).toISOString();
const platforms = ['tiktok', 'meta', 'google', 'telegram'];
const categories = ['hoax.candidate', 'hoax.other', 'hate_speech', 'defamation'];

/** One report's fifteen messages over all three topics, as long as real ones are. */
function* life(n) {
  const [reportId, takedownId] = [idOf(`report ${n}`), idOf(`takedown ${n}`)];
  const orderId = `${takedownId}.1`;
  const [platform, category, url] = [platforms[n % 4], categories[n % 3], `https://www.tiktok.com/@akun/video/${7_000_000_000_000 + n}`];
  const contentKey = `tiktok:video:${7_000_000_000_000 + n}`;
  const content = { index: 0, submittedUrl: `${url}?_r=1`, canonicalUrl: url, contentKey, platform, product: platform, provisional: false, takedownId, alsoSubmittedAs: [] };
  const statement = { category, contentForm: 'video', language: 'id', legalBasis: ['UU-ITE:28-2'], region: '32.73', summary: 'Ujaran yang menyerang suatu golongan menjelang pemungutan suara', evidence: [] };
  const reasons = 'Ujaran ini menyerang suatu golongan, dan laporan diperiksa oleh dua petugas.';
  const takedown = (status) => ({ id: takedownId, platform, product: platform, contentKey, category, status, round: 1 });
  const clock = (kind, data) => ({ clock: kind, run: 1, orderId, due: at(n + 3_600), ...data });
  yield ['intake', `report-${reportId}`, 'ReportSubmitted', { reportId, reference: `B-${n}`, reportedBy: 'bawaslu', statement, contents: [content], refused: [] }];
  yield ['intake', `report-${reportId}`, 'ContentsApproved', { reportId, reference: `B-${n}`, reportedBy: 'bawaslu', submittedAt: at(n), decidedBy: 'bawaslu', issuedBy: 'kominfo', contents: [content], statement, reasons, requestedAction: 'removed', legalBasis: ['UU-ITE:28-2'], territories: [], submittedByHolder: 'officer:1', approvedByHolder: 'officer:2', undecided: 0 }];
  yield ['takedown', `takedown-${takedownId}`, 'TakedownOpened', { takedown: takedown('awaiting_delivery'), takedownId, contentKey, platform, product: platform, submittedUrl: url, canonicalUrl: url, category, provisional: false }];
  yield ['takedown', `takedown-${takedownId}`, 'ReportJoined', { takedown: takedown('awaiting_delivery'), reportId, reportedBy: 'bawaslu', decidedBy: 'bawaslu', issuedBy: 'kominfo', submittedAt: at(n), approvedAt: at(n), submittedUrl: url, canonicalUrl: url, category, contentForm: 'video', region: '32.73', evidence: [], legalBasis: ['UU-ITE:28-2'], reasons, requestedAction: 'removed', territories: [], submittedByHolder: 'officer:1', approvedByHolder: 'officer:2' }];
  yield ['takedown', `takedown-${takedownId}`, 'OrderIssued', { takedown: takedown('awaiting_delivery'), orderId, round: 1, approvedAt: at(n), requestedAction: 'removed', territories: [], category, legalBasis: [], reasons, decidedBy: 'bawaslu', issuedBy: 'kominfo', reports: 1, terms: builtInTerms, test: false }];
  yield ['takedown', `takedown-${takedownId}`, 'OrderDelivered', { takedown: takedown('delivered'), orderId, via: 'webhook', webhookId: idOf(`w${n}`), attempt: 1 }];
  yield ['takedown', `takedown-${takedownId}`, 'OrderAcknowledged', { takedown: takedown('acknowledged'), orderId }];
  yield ['takedown', `takedown-${takedownId}`, 'ContentActioned', { takedown: takedown('actioned'), orderId, action: 'removed', asRequested: true, territories: [], automated: 'no', actionedAt: at(n + 900) }];
  yield ['sla', `clock-${reportId}`, 'ClockStarted', { clock: 'decision', run: 1, reportId, startedAt: at(n), due: at(n + 900) }];
  yield ['sla', `clock-${reportId}`, 'DeadlineMet', { clock: 'decision', run: 1, reportId, due: at(n + 900), metBy: 'ContentsApproved', metAt: at(n), eventId: idOf(`e${n}`) }];
  for (const kind of ['dispatch', 'acknowledgement', 'resolution']) yield ['sla', `clock-${orderId}`, 'ClockStarted', clock(kind, { startedAt: at(n) })];
  for (const kind of ['acknowledgement', 'resolution']) yield ['sla', `clock-${orderId}`, 'DeadlineMet', clock(kind, { metBy: 'ContentActioned', metAt: at(n + 900), eventId: idOf(`e${n}`) })];
}
const eventsOfALife = 15;
const together = 400;

/** So many events, the lives of 400 reports going on at the same time. */
async function tell(bus, from, events) {
  const lives = Math.ceil(events / eventsOfALife);
  for (let begin = from; begin < from + lives; begin += together) {
    const messages = { intake: [], takedown: [], sla: [] };
    const running = Array.from({ length: Math.min(together, from + lives - begin) }, (_, index) => ({ life: life(begin + index), revisions: new Map(), n: begin + index }));
    for (let left = running; left.length > 0; ) {
      left = left.filter(({ life: steps, revisions, n }) => {
        const { value, done } = steps.next();
        if (done) return false;
        const [topic, subject, type, data] = value;
        const sequence = revisions.get(subject) ?? 0;
        revisions.set(subject, sequence + 1);
        messages[topic].push(toEnvelope({ id: idOf(`${subject}/${sequence}`), type: `sejam.${topic}.v1.${type}`, source: 'sejam://r/bench', subject, time: at(n + sequence), sequence, correlationId: idOf(`c${n}`), causationId: `request:bawaslu:${n}`, data }));
        return true;
      });
    }
    await Promise.all(Object.entries(messages).map(([topic, all]) => bus.publish(`sejam.${topic}.v1`, all)));
  }
  return lives;
}

const home = mkdtempSync(join(tmpdir(), 'sejam-rebuild-'));
const port = await new Promise((resolve) => {
  const probe = createServer().listen(0, '127.0.0.1', () => {
    const { port: free } = probe.address();
    probe.close(() => resolve(free));
  });
});
const server = spawn(process.execPath, [join(import.meta.dirname, '../../../libs/embedded-eventstore/bin/sejam-eventstore.mjs'), '--port', String(port), '--data', join(home, 'record')], { stdio: ['ignore', 'ignore', 'inherit'] });
const postgres = await startEmbeddedPostgres({ dataFolder: join(home, 'postgres') });
const store = connectEventStore(`esdb://127.0.0.1:${port}?tls=false`, { logger: quiet });
const bus = logBus({ store });
const pool = createPool({ url: postgres.url, schema: 'reporting', log: quiet });
try {
  await migrate(pool, reportingMigrations);
  let [told, lives] = [0, 0];
  let first;
  for (const size of [...wanted].sort((one, other) => one - other)) {
    lives += await tell(bus, lives, size - told);
    told = lives * eventsOfALife;
    const started = process.cpuUsage();
    const { events, seconds } = await rebuildViews({ pool, url: postgres.url, bus, log: quiet });
    if (events !== told) throw new Error(`${told} events were told, ${events} are in the views`);
    const { user, system } = process.cpuUsage(started);
    const perEventUs = (seconds * 1e6) / events;
    first ??= perEventUs;
    console.log(JSON.stringify({ bench: 'rebuild', events, seconds: Number(seconds.toFixed(2)), eventsPerSecond: Math.round(events / seconds), perEventUs: Number(perEventUs.toFixed(1)), ratioToFirst: Number((perEventUs / first).toFixed(2)), ownCpuShare: Number(((user + system) / 1e6 / seconds).toFixed(2)), memoryMiB: Math.round(process.memoryUsage.rss() / 2 ** 20) }));
  }
} finally {
  await bus.close();
  await store.close();
  await pool.end();
  await postgres.stop();
  server.kill();
  await once(server, 'exit');
  rmSync(home, { recursive: true, force: true });
}
process.exit();
