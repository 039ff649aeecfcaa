import type { Migrations } from '@sejam/postgres';

/** The views' own tables. */
export const viewMigrations: Migrations = { part: 'reporting', folder: new URL('../../migrations/', import.meta.url) };
