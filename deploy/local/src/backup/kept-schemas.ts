import { pathToFileURL } from 'node:url';
import { busMigrations } from '@sejam/bus';
import { postgresMigrations, type Migrations } from '@sejam/postgres';
import { privacyMigrations } from '@sejam/privacy';
import { identityMigrations } from '@sejam/service-host';
import { programOf, type services } from '../services.js';

export type ServiceName = (typeof services)[number];

/** What a service's schema is built of, and which of its tables cannot be made again from the record. All others are derived. */
export interface KeptSchema {
  readonly parts: readonly Migrations[];
  /** An order in which rows can be put back: what a row refers to comes first. */
  readonly tables: readonly string[];
  /** What an erasure deletes rows of: kept apart, so that copies of them can age out. */
  readonly keyTables: readonly string[];
}

const waiting = ['parked_message', 'skipped_message'] as const;

/** Compared with the migrations' own words by a test, and at every backup with what each schema says it is built of. */
export const keptSchemas: Readonly<Record<ServiceName, KeptSchema>> = {
  intake: { parts: [postgresMigrations, own('intake'), busMigrations, privacyMigrations], tables: ['api_key_use', ...waiting], keyTables: ['subject_key', 'officer'] },
  routing: {
    parts: [postgresMigrations, ...['takedown', 'platform', 'delivery', 'short-link', 'approval'].map((part) => own('routing', part)), busMigrations, identityMigrations],
    tables: ['webhook_secret', 'signing_key', 'refused_webhook', ...waiting],
    keyTables: [],
  },
  sla: { parts: [postgresMigrations, own('sla'), busMigrations, identityMigrations], tables: waiting, keyTables: [] },
  reporting: { parts: [postgresMigrations, own('reporting'), busMigrations, identityMigrations], tables: waiting, keyTables: [] },
  audit: { parts: [postgresMigrations, own('audit')], tables: ['log', 'signed_checkpoint', 'cosignature', 'witness', 'alarm'], keyTables: [] },
};

/** A service's own migrations: all in one folder, or one folder a part. */
function own(service: ServiceName, part?: string): Migrations {
  return { part: part ?? service, folder: new URL(part === undefined ? '../migrations/' : `../migrations/${part}/`, pathToFileURL(programOf(service))) };
}
