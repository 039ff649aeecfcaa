import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { legalBases } from '@sejam/contracts';
import { transactor, type EventStore } from '@sejam/event-sourcing';
import { fakeClock } from '@sejam/event-sourcing/testing';
import { postgresMigrations, runProjection, type Pool } from '@sejam/postgres';
import { createMasterKeyFile } from '@sejam/privacy';
import { createLogger, hostSettings, IdentityDirectory, Metrics, newApiKey, readConfig, startService, transactorForRequests, type Problem } from '@sejam/service-host';
import { intakeAccess } from './access.js';
import { intakeMigrations } from './intake-migrations.js';
import { IntakeModule } from './intake.module.js';
import { applyOrganisationEvents } from './organisation/organisation-view.js';
import { seedOrganisations, seeds } from './organisation/seed-organisations.js';
import { IdempotencyKeys } from './report/idempotency-keys.js';
import type { ReportDocument } from './report/report-document.js';
import { applyReportEvents } from './report/report-view.js';

export const intakeSchema = [postgresMigrations, ...intakeMigrations];

export type Answer = {
  status: number;
  body: Omit<ReportDocument, 'status'> & Omit<Problem, 'status'> & { results: { status: number; report?: ReportDocument; problem?: Problem }[]; items: ReportDocument[]; next?: string; key: string; keyId: string; holder: string };
};

/** What the instances of one intake share: keys by their names in the credentials file, domain time, the master key. */
export function intakeParts() {
  const keys: Record<string, string> = {};
  for (const { holders } of seeds) for (const name of Object.keys(holders)) keys[name] = newApiKey(name.toLowerCase()).key;
  const masterKeyFile = join(mkdtempSync(join(tmpdir(), 'sejam-')), 'master.key');
  return { keys, clock: fakeClock(), masterKeyFile, masterKey: createMasterKeyFile(masterKeyFile) };
}

/** One instance of intake over a store and a schema, without bus. Every line that it logs goes into `lines`. */
export async function startIntake({ store, pool, keys, clock, masterKey, lines = [] }: Omit<ReturnType<typeof intakeParts>, 'masterKeyFile'> & { store: EventStore; pool: Pool; lines?: string[] }) {
  const transact = transactor(store, clock);
  await seedOrganisations(transact, { baseUrl: '', recordId: 'r', keys, webhookSecrets: {} }, new Date());
  const directory = new IdentityDirectory().alwaysFresh();
  for await (const event of store.readAll({ prefixes: ['organisation-'] })) directory.apply(event);
  const log = createLogger({ name: 'intake', level: 'trace', destination: { write: (line) => void lines.push(line) } });
  const reports = runProjection({ pool, store, name: 'reports', prefixes: ['report-'], apply: applyReportEvents, log });
  const organisations = runProjection({ pool, store, name: 'organisations', prefixes: ['organisation-'], apply: applyOrganisationEvents, log });
  const service = await startService({
    name: 'intake',
    module: IntakeModule.with({
      store, clock, pool, reports, directory, masterKey,
      transact: transactorForRequests(transact),
      idempotencyKeys: new IdempotencyKeys(pool),
      legalBases: legalBases(),
      metrics: new Metrics('intake'),
    }),
    config: readConfig(hostSettings({ port: 0, internalPort: 0 }), { RATE_LIMIT_PER_KEY: '100000' }),
    log,
    access: intakeAccess,
    directory,
    readiness: { record: () => store.ping() },
  });
  return {
    async call(method: string, path: string, key: string | undefined, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
      const response = await fetch(`${service.url}${path}`, {
        method,
        headers: { ...(key === undefined ? {} : { authorization: `Bearer ${key}` }), ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: response.status, body: (await response.json()) as Answer['body'] };
    },
    async stop(): Promise<void> {
      await service.close();
      await Promise.all([reports.stop(), organisations.stop()]);
    },
  };
}

let counter = 0;
/** Of a video nobody has reported yet. */
export const videoId = (): string => `7399295712095${String((counter += 1)).padStart(6, '0')}`;

export const newReport = (changes: object = {}) => ({
  reference: `BWS-${(counter += 1)}`, category: 'hoax.voting_procedure', contentForm: 'video', region: '32.73', summary: 'Claims that voting moved',
  legalBasis: ['UU-10-2016:69-c'], contents: [{ url: `https://www.tiktok.com/@x/video/${videoId()}?_r=1` }], ...changes,
});
