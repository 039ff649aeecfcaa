import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { choice, ConfigFault, flag, hostSettings, integer, list, optional, readConfig, secret, text, url } from './config.js';

const faultsOf = (work: () => unknown): readonly string[] => {
  try {
    work();
  } catch (error) {
    if (error instanceof ConfigFault) return error.faults;
    throw error;
  }
  return [];
};

describe('readConfig', () => {
  it('gives typed values, with fallbacks where the environment says nothing or only blanks', () => {
    const spec = { name: text('NAME', { fallback: 'sla' }), tries: integer('TRIES', { fallback: 3 }), on: flag('ON', true), mode: choice('MODE', ['log', 'kafka'], 'log'), brokers: list('BROKERS') };
    expect(readConfig(spec, { NAME: '  ', ON: 'off', BROKERS: 'a:1, b:2,' })).toEqual({ name: 'sla', tries: 3, on: false, mode: 'log', brokers: ['a:1', 'b:2'] });
  });

  it('is frozen', () => {
    expect(Object.isFrozen(readConfig(hostSettings({ port: 0 }), {}))).toBe(true);
  });

  it('names every fault at once, each as a sentence that begins with its variable', () => {
    const spec = { ...hostSettings(), mode: choice('MODE', ['log', 'kafka']), on: flag('ON', true), db: url('DATABASE_URL', { protocols: ['postgres:'] }), id: text('ID', { pattern: /^\d+$/, what: 'digits' }) };
    expect(faultsOf(() => readConfig(spec, { PORT: '70000', LOG_LEVEL: 'loud', MODE: 'rabbit', ON: 'maybe', DATABASE_URL: 'http://user:pw@host', ID: 'x' }))).toEqual([
      'PORT must be a whole number from 0 to 65535, not "70000".',
      'LOG_LEVEL must be one of fatal, error, warn, info, debug, trace, silent, not "loud".',
      'MODE must be one of log, kafka, not "rabbit".',
      'ON must be "on" or "off", not "maybe".',
      'DATABASE_URL must be a URL that begins with postgres://.',
      'ID must be digits.',
    ]);
    expect(faultsOf(() => readConfig({ port: hostSettings().port }, {}))).toEqual(['PORT is missing: give a whole number from 0 to 65535.']);
  });

  it('reads a secret from the environment or from a file, and never repeats it', () => {
    const folder = mkdtempSync(join(tmpdir(), 'sejam-config-'));
    try {
      writeFileSync(join(folder, 'token'), 'from-file\n');
      const spec = { token: secret('TOKEN') };
      expect(readConfig(spec, { TOKEN: 'direct' }).token).toBe('direct');
      expect(readConfig(spec, { TOKEN_FILE: join(folder, 'token') }).token).toBe('from-file');
      expect(faultsOf(() => readConfig(spec, { TOKEN_FILE: join(folder, 'absent') }))[0]).toContain('(ENOENT)');
      expect(readConfig({ token: optional(secret('TOKEN')) }, {}).token).toBeUndefined();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
