import { readFileSync } from 'node:fs';

const swcrc = JSON.parse(readFileSync(new URL('.swcrc', import.meta.url), 'utf8'));

const common = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  testEnvironmentOptions: { customExportConditions: ['source', 'node', 'node-addons'] },
  transform: { '^.+\\.ts$': ['@swc/jest', { ...swcrc, swcrc: false }] },
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  modulePathIgnorePatterns: ['/dist/', '<rootDir>/.nx/'],
};

const servers = {
  globalSetup: '<rootDir>/tools/test-servers.mjs',
  globalTeardown: '<rootDir>/tools/test-servers-stop.mjs',
};

/** Three kinds of test, told apart by suffix and folder; only the last two start servers. */
export default {
  // Generous: it ends a test that hangs, and is no measure of anything on a machine that is shared.
  testTimeout: 60_000,
  projects: [
    { ...common, displayName: 'unit', testMatch: ['<rootDir>/{libs,services,deploy}/*/src/**/*.unit.spec.ts', '<rootDir>/tests/architecture/**/*.spec.ts'] },
    { ...common, ...servers, displayName: 'int', testMatch: ['<rootDir>/{libs,services,deploy}/*/src/**/*.int.spec.ts'] },
    { ...common, ...servers, displayName: 'e2e', testMatch: ['<rootDir>/tests/{e2e,fault,browser}/**/*.spec.ts'] },
  ],
};
