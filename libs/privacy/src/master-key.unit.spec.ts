import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { addMasterKey, createMasterKeyFile, dropOldMasterKeys, loadMasterKey, MasterKey, sealedUnder } from './master-key.js';
import { openSecret, purposeOfSecret, sealSecret } from './secret-at-rest.js';

const purpose = ['webhook-secret', 'tiktok', 's1'];

describe('the master key file', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sejam-key-'));
    file = join(folder, 'made', 'master.key');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('is made once, for its owner alone, and read again', () => {
    const made = createMasterKeyFile(file);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(loadMasterKey(file).open(made.seal('x', purpose), purpose).toString()).toBe('x');
    expect(readdirSync(join(folder, 'made'))).toEqual(['master.key']);
  });

  it('is never replaced by a new one', () => {
    createMasterKeyFile(file);
    const before = readFileSync(file, 'utf8');
    expect(() => createMasterKeyFile(file)).toThrow('exists already and is not replaced');
    expect(readFileSync(file, 'utf8')).toBe(before);
  });

  it('that is lost is said in one sentence', () => {
    expect(() => loadMasterKey(file)).toThrow(/^The master key file \S+ is missing: put it back from your backup, for what was sealed under it opens with no other$/);
    expect(existsSync(file)).toBe(false);
  });

  it('that others may read or anybody else may write is refused; the group may read', () => {
    createMasterKeyFile(file);
    for (const mode of [0o644, 0o604, 0o660, 0o620, 0o602, 0o666]) {
      chmodSync(file, mode);
      expect(() => loadMasterKey(file)).toThrow(`(mode 0${mode.toString(8)}): run chmod 600 on it`);
    }
    for (const mode of [0o600, 0o400, 0o440]) {
      chmodSync(file, mode);
      expect(loadMasterKey(file).ids).toHaveLength(1);
    }
  });

  it('that is damaged is refused with the line, without repeating it', () => {
    createMasterKeyFile(file);
    const whole = readFileSync(file, 'utf8');
    const [header, line = ''] = whole.split('\n');
    const flipped = line.slice(0, -2) + (line.at(-2) === 'A' ? 'B' : 'A') + line.slice(-1);
    for (const damaged of [line.slice(0, -1), flipped, `${line} more`, 'nonsense', line.split(' ')[1], `000000000000 ${line.split(' ')[1]}`]) {
      writeFileSync(file, `${header}\n${damaged}\n`);
      expect(() => loadMasterKey(file)).toThrow(/^The master key file \S+ is damaged in line 2: put it back from your backup$/);
    }
    for (const empty of ['', '\n\n', `${header}\n`]) {
      writeFileSync(file, empty);
      expect(() => loadMasterKey(file)).toThrow('holds no key');
    }
    rmSync(file);
    expect(() => loadMasterKey(folder)).toThrow(/cannot be read|is open to others/);
  });

  it('is rotated without losing what was sealed: add, seal anew, drop', () => {
    const first = createMasterKeyFile(file);
    const sealed = sealSecret(first, purpose, 'whsec_abc');
    const both = addMasterKey(file);
    expect(both.ids).toEqual([both.currentId, first.currentId]);
    expect(both.currentId).not.toBe(first.currentId);
    expect(openSecret(both, purpose, sealed)).toBe('whsec_abc');
    const resealed = both.reseal(sealed, purposeOfSecret(purpose));
    expect(sealedUnder(resealed)).toBe(both.currentId);
    expect(both.reseal(resealed, purposeOfSecret(purpose))).toBe(resealed);

    const second = dropOldMasterKeys(file);
    expect(second.ids).toEqual([both.currentId]);
    expect(openSecret(second, purpose, resealed)).toBe('whsec_abc');
    expect(() => openSecret(second, purpose, sealed)).toThrow(`does not hold master key ${first.currentId}`);
    expect(() => second.mustHold([second.currentId, first.currentId])).toThrow('put back the file from your backup');
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('stays readable for its group, and a link stays a link, when it is changed', () => {
    createMasterKeyFile(file);
    chmodSync(file, 0o640);
    const link = join(folder, 'link.key');
    symlinkSync(file, link);
    const { ids } = addMasterKey(link);
    expect(loadMasterKey(file).ids).toEqual(ids);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(statSync(file).mode & 0o777).toBe(0o640);
  });

  it('is read again by whoever began before it was changed: to open what was sealed since, and never to seal under a key that is out', () => {
    const before = createMasterKeyFile(file);
    const after = addMasterKey(file);
    expect(before.open(after.seal('x', purpose), purpose).toString()).toBe('x');
    expect(sealedUnder(before.seal('x', purpose))).toBe(before.ids[1]);
    expect(before.currentId).not.toBe(after.currentId);
    dropOldMasterKeys(file);
    expect(sealedUnder(before.seal('x', purpose))).toBe(after.currentId);
    expect(before.currentId).toBe(after.currentId);
  });

  it('may go away under those who have read it', () => {
    const masterKey = createMasterKeyFile(file);
    const sealed = masterKey.seal('x', purpose);
    writeFileSync(file, 'no key');
    expect(masterKey.open(masterKey.seal('y', purpose), purpose).toString()).toBe('y');
    rmSync(file);
    expect(masterKey.open(masterKey.seal('y', purpose), purpose).toString()).toBe('y');
    expect(masterKey.open(sealed, purpose).toString()).toBe('x');
  });
});

describe('a sealed secret', () => {
  const masterKey = new MasterKey([randomBytes(32)]);

  it('opens for its purpose alone', () => {
    const sealed = sealSecret(masterKey, purpose, 'whsec_é');
    expect(openSecret(masterKey, purpose, sealed)).toBe('whsec_é');
    expect(sealed).not.toContain('whsec');
    for (const other of [['webhook-secret', 'meta', 's1'], ['webhook-secret', 'tiktok'], ['webhook-secret,tiktok', 's1'], []]) {
      expect(() => openSecret(masterKey, other, sealed)).toThrow(expect.objectContaining({ name: 'SealBroken' }));
    }
    expect(() => masterKey.open(sealed, purpose)).toThrow(expect.objectContaining({ name: 'SealBroken' }));
  });

  it('does not open after any change', () => {
    const sealed = sealSecret(masterKey, purpose, 'a secret');
    const [id, text = ''] = sealed.split('.');
    for (let i = 0; i < text.length; i++) {
      const changed = `${id}.${text.slice(0, i)}${text[i] === 'A' ? 'B' : 'A'}${text.slice(i + 1)}`;
      expect(() => openSecret(masterKey, purpose, changed)).toThrow(expect.objectContaining({ name: 'SealBroken' }));
    }
    for (const changed of [sealed.slice(0, -1), `${sealed}A`, `${id}.`]) expect(() => openSecret(masterKey, purpose, changed)).toThrow(expect.objectContaining({ name: 'SealBroken' }));
    for (const changed of ['', 'x', `${'0'.repeat(12)}.${text}`]) expect(() => openSecret(masterKey, purpose, changed)).toThrow(expect.objectContaining({ name: 'MasterKeyFault' }));
  });

  it('looks different each time, so that equal secrets cannot be recognised', () => {
    expect(sealSecret(masterKey, purpose, 'same')).not.toBe(sealSecret(masterKey, purpose, 'same'));
  });

  it('needs a key', () => {
    expect(() => new MasterKey([])).toThrow('holds no key');
  });
});
