import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { busMigrations } from '@sejam/bus';
import { postgresMigrations, type Pool } from '@sejam/postgres';
import { eventually, testDatabase, type TestDatabase } from '@sejam/testkit';
import { keepConsumerFigures } from './consumer-figures.js';
import { createLogger } from './logger.js';
import { Metrics } from './metrics.js';

let database: TestDatabase;
let pool: Pool;
beforeAll(async () => {
  database = await testDatabase();
  pool = await database.pool('figures', [postgresMigrations, busMigrations]);
});
afterAll(() => database.drop());

it('What is parked, and how far the slowest consumer of a topic is behind, is shown as it changes', async () => {
  const metrics = new Metrics('test');
  const lags: Record<string, Record<string, number>> = { one: { 'sejam.sla.v1': 3, 'sejam.intake.v1': 0 }, two: { 'sejam.sla.v1': 7 }, starting: { 'sejam.sla.v1': Number.NaN } };
  const figures = keepConsumerFigures({
    pool, metrics, everyMs: 20, log: createLogger({ name: 'test', level: 'silent' }),
    consumers: () => Object.fromEntries(Object.entries(lags).map(([name, lag]) => [name, { lag: async () => lag }])),
  });
  const shown = async (name: string) => Object.fromEntries(((await metrics.registry.getMetricsAsJSON()).find((one) => one.name === name)?.values ?? []).map(({ labels, value }) => [labels['topic'] ?? labels['cause'], value]));
  try {
    await eventually(async () => expect(await shown('sejam_consumer_lag')).toEqual({ 'sejam.sla.v1': 7, 'sejam.intake.v1': 0 }));
    expect(await shown('sejam_parked')).toEqual({});
    for (const [sequence, cause] of [[1, 'gap'], [2, 'queued'], [3, 'queued']] as const) {
      await pool.query(`INSERT INTO parked_message (consumer, stream, sequence, event_id, topic, partition, "offset", headers, cause, detail) VALUES ('one', 's', $1, 'e', 't', 0, '1', '{}', $2, '')`, [sequence, cause]);
    }
    await eventually(async () => expect(await shown('sejam_parked')).toEqual({ gap: 1, queued: 2 }));
    await pool.query('DELETE FROM parked_message');
    lags['two'] = { 'sejam.sla.v1': 0 };
    await eventually(async () => expect([await shown('sejam_parked'), await shown('sejam_consumer_lag')]).toEqual([{}, { 'sejam.sla.v1': 3, 'sejam.intake.v1': 0 }]));
  } finally {
    await figures.stop();
  }
});
