import { busMigrations } from '@sejam/bus';
import { privacyMigrations } from '@sejam/privacy';

export const intakeMigrations = [{ part: 'intake', folder: new URL('../migrations/', import.meta.url) }, busMigrations, privacyMigrations];
