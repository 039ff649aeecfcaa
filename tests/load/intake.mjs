// Accepted reports a second at intake, against raw single-event appends on the same store, in one run; and how long a report takes at half that
// load. Appends and reports take turns, so that a machine that is slow for a while is slow for both. Prints one JSON line for each figure.
import { randomUUID } from 'node:crypto';
import { EventStoreDBClient, jsonEvent, NO_STREAM } from '@eventstore/db-client';
import { connectEventStore } from '@sejam/eventstoredb';
import { atRate, benchStack, percentiles, print, report, timed } from './bench-stack.mjs';
import { httpLine } from './http-line.mjs';

const seconds = Number(process.env.SEJAM_BENCH_SECONDS ?? 12);
const rounds = 4;
const underWay = 64;
const batchOf = 500;

const stack = await benchStack({ services: ['intake'] });
const official = EventStoreDBClient.connectionString(stack.eventStoreUrl);
const own = connectEventStore(stack.eventStoreUrl);
try {
  const headers = { authorization: `Bearer ${stack.keys.bawaslu}`, 'content-type': 'application/json' };
  const lines = await Promise.all(Array.from({ length: underWay }, () => httpLine(stack.urls.intake, headers)));
  const post = async (path, body) => {
    const line = lines.pop() ?? (await httpLine(stack.urls.intake, headers));
    const { status, text } = await line.post(path, JSON.stringify(body));
    lines.push(line);
    if (status !== 201 && status !== 207) throw new Error(`${path} answered ${status}: ${text().slice(0, 300)}`);
  };

  const type = 'BenchAppended';
  const metadata = { at: new Date().toISOString(), by: { organisation: 'sejam', holder: 'system:bench' }, causationId: 'bench', correlationId: 'bench' };
  const parts = {
    raw: { concurrency: underWay, work: () => official.appendToStream(`bench-${randomUUID()}`, jsonEvent({ id: randomUUID(), type, data: report(), metadata }), { expectedRevision: NO_STREAM }) },
    rawOwn: { concurrency: underWay, work: () => own.append(`bench-${randomUUID()}`, [{ id: randomUUID(), type, data: report(), metadata }], 'no-stream') },
    single: { concurrency: underWay, work: () => post('/v1/reports', report()) },
    batches: { concurrency: 4, work: () => post('/v1/reports/batch', { reports: Array.from({ length: batchOf }, report) }), items: batchOf },
  };
  for (const { concurrency, work, items } of Object.values(parts)) await timed(2, concurrency, work, items);
  const results = Object.fromEntries(Object.keys(parts).map((name) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, { concurrency, work, items }] of Object.entries(parts)) results[name].push(await timed(seconds / rounds, concurrency, work, items));
  }
  const { raw, rawOwn, single, batches } = Object.fromEntries(Object.entries(results).map(([name, all]) => [name, together(all)]));

  const ratios = ({ perSecond, cpuMsEach }) => ({
    ratioToRaw: perSecond / raw.perSecond, ratioOfCpu: raw.cpuMsEach / cpuMsEach, ratioToOwnRaw: perSecond / rawOwn.perSecond, ratioOfOwnCpu: rawOwn.cpuMsEach / cpuMsEach,
  });
  print({ bench: 'intake', figure: `raw single-event appends by the official client, ${underWay} concurrent`, ...raw });
  print({ bench: 'intake', figure: `raw single-event appends by libs/eventstoredb, ${underWay} concurrent`, ...rawOwn });
  print({ bench: 'intake', figure: `one report a request, ${underWay} concurrent`, ...single, ...ratios(single) });
  print({ bench: 'intake', figure: `batches of ${batchOf}, 4 concurrent`, ...batches, ...ratios(batches) });

  const latencies = [];
  await atRate(single.perSecond / 2, seconds, async () => {
    const at = performance.now();
    await post('/v1/reports', report());
    latencies.push(performance.now() - at);
  });
  print({ bench: 'intake', figure: 'one report at half load', perSecond: single.perSecond / 2, ...percentiles(latencies) });
  for (const line of lines) line.close();
} finally {
  await Promise.all([official.dispose(), own.close()]);
  await stack.stop();
}

/** Rounds of the same length as one. */
function together(all) {
  const count = all.reduce((sum, { perSecond }) => sum + perSecond, 0);
  const each = (value) => all.reduce((sum, one) => sum + value(one) * one.perSecond, 0) / count;
  const cpuMsByPart = Object.fromEntries(Object.keys(all[0].cpuMsByPart).map((part) => [part, Number(each((one) => one.cpuMsByPart[part] ?? 0).toPrecision(3))]));
  return { perSecond: count / all.length, cpuMsEach: each(({ cpuMsEach }) => cpuMsEach), cpuMsByPart };
}
