import { randomBytes, randomUUID } from 'node:crypto';
import { ANY, EventStoreDBClient, NO_STREAM, binaryEvent, jsonEvent } from '@eventstore/db-client';

const FILLER = randomBytes(340).toString('base64');
const BYTES = randomBytes(500);

/** About 500 bytes: of JSON with a number in it, or of nothing that means anything. */
export const event = (number, { binary = false } = {}) =>
  binary ? binaryEvent({ id: randomUUID(), type: 'Measured', data: BYTES }) : jsonEvent({ id: randomUUID(), type: 'Measured', data: { number, at: Date.now(), filler: FILLER } });

/** `concurrency` writers, each waiting for its append before the next, for `seconds`; each append goes to a stream of its own. */
async function appendLoad(client, { seconds, concurrency, batch, binary }) {
  const latencies = [];
  const cpu = process.cpuUsage();
  const start = performance.now();
  const end = start + seconds * 1000;
  let events = 0;
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (performance.now() < end) {
        const began = performance.now();
        await client.appendToStream(`load-${randomUUID()}`, Array.from({ length: batch }, () => event(events, { binary })), { expectedRevision: batch === 1 ? NO_STREAM : ANY });
        latencies.push(performance.now() - began);
        events += batch;
      }
    }),
  );
  const { user, system } = process.cpuUsage(cpu);
  return { events, latencies, seconds: (performance.now() - start) / 1000, cpuMicroseconds: user + system };
}

// A process of its own, so that several clients have as many processors: it warms up, says so, and appends when it is told to.
if (process.send) {
  const { url, ...load } = JSON.parse(process.argv[2]);
  const client = EventStoreDBClient.connectionString(url);
  await appendLoad(client, { ...load, seconds: 1 });
  process.once('message', async () => {
    const result = await appendLoad(client, load);
    // The latencies of many appends take a while to be told.
    await new Promise((resolve) => process.send(result, resolve));
    await client.dispose();
    process.disconnect();
  });
  process.send('ready');
}
