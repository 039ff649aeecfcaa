// Accepted reports a second at intake, against raw single-event appends of the same client on the same store, in one run; and how long a
// report takes at half that load. Prints one JSON line for each figure.
import { randomUUID } from 'node:crypto';
import { connectEventStore } from '@sejam/eventstoredb';
import { v7 } from 'uuid';
import { atRate, benchStack, percentiles, print, report, timed } from './bench-stack.mjs';
import { httpLine } from './http-line.mjs';

const seconds = Number(process.env.SEJAM_BENCH_SECONDS ?? 8);
const stack = await benchStack({ services: ['intake'] });
try {
  const raw = await rawAppends();
  print({ bench: 'intake', figure: 'raw single-event appends, 64 concurrent', ...raw });
  const ratios = ({ perSecond, cpuMsEach }) => ({ ratioToRaw: perSecond / raw.perSecond, ratioOfCpu: raw.cpuMsEach / cpuMsEach });
  const headers = { authorization: `Bearer ${stack.keys.bawaslu}`, 'content-type': 'application/json' };
  const lines = await Promise.all(Array.from({ length: 64 }, () => httpLine(stack.urls.intake, headers)));
  const post = async (path, body) => {
    const line = lines.pop() ?? (await httpLine(stack.urls.intake, headers));
    const { status, text } = await line.post(path, JSON.stringify(body));
    lines.push(line);
    if (status !== 201 && status !== 207) throw new Error(`${path} answered ${status}: ${text().slice(0, 300)}`);
  };
  await timed(2, 64, () => post('/v1/reports', report()));
  const single = await timed(seconds, 64, () => post('/v1/reports', report()));
  print({ bench: 'intake', figure: 'one report a request, 64 concurrent', ...single, ...ratios(single) });

  const latencies = [];
  await atRate(single.perSecond / 2, seconds, async () => {
    const at = performance.now();
    await post('/v1/reports', report());
    latencies.push(performance.now() - at);
  });
  print({ bench: 'intake', figure: 'one report at half load', ...percentiles(latencies) });

  const batchOf = 500;
  const batches = await timed(seconds, 4, () => post('/v1/reports/batch', { reports: Array.from({ length: batchOf }, report) }), batchOf);
  print({ bench: 'intake', figure: `batches of ${batchOf}, 4 concurrent`, ...batches, ...ratios(batches) });
  for (const line of lines) line.close();
} finally {
  await stack.stop();
}

async function rawAppends() {
  const store = connectEventStore(stack.eventStoreUrl);
  const metadata = { at: new Date().toISOString(), by: { organisation: 'sejam', holder: 'system:bench' }, causationId: 'bench', correlationId: 'bench' };
  const append = () => store.append(`bench-${randomUUID()}`, [{ id: v7(), type: 'BenchAppended', data: report(), metadata }], 'no-stream');
  await timed(2, 64, append);
  const appended = await timed(seconds, 64, append);
  await store.close();
  return appended;
}
