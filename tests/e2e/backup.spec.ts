// The runbook of docs/operations.md as an operator goes through it: copy, lose everything, put back, go on.
import { appendFileSync, cpSync, existsSync, mkdtempSync, chmodSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { eventually } from '@sejam/testkit';
import { Caller } from '../stack/caller.js';
import { approval, reportBody } from '../stack/cases.js';
import { command, type Ended } from '../stack/command.js';
import { LocalStart, patience } from '../stack/local-start.js';

jest.setTimeout(180_000);

const folder = mkdtempSync(join(tmpdir(), 'sejam-backup-'));
chmodSync(folder, 0o755);
const at = (name: string): string => join(folder, name);
let sejam: LocalStart;
/** The platforms answer after seconds of domain time, which nobody needs to sit through. Said once: a record keeps its speed, also through a backup. */
const speed = { SEJAM_SPEED: '10' };
const as = (key: string): Caller => new Caller(sejam.url, sejam.credentials.keys[key] as string);

/** A report of a person, approved; resolves with its id when its order has been acted on. */
async function settled(reporter: string): Promise<string> {
  const { body } = await as('bawaslu').insist('POST', '/v1/reports', reportBody({ reporter: { name: reporter } }));
  expect((await as('bawasluReviewer').insist('POST', `/v1/reports/${body.id}/approval`, approval)).status).toBe(200);
  await eventually(async () => expect((await as('auditor').get(`/v1/takedowns/${body.contents[0].takedownId}`)).body.status).toBe('actioned'), patience);
  return body.id as string;
}

const takedowns = async (): Promise<string[]> => ((await as('auditor').insist('GET', '/v1/takedowns?limit=200')).body.items as { id: string; status: string }[]).map(({ id, status }) => `${id} ${status}`).sort();
const nameOf = async (report: string): Promise<string> => (await as('bawaslu').insist('GET', `/v1/reports/${report}`)).body.reporter?.name as string;
const refused = ({ code, output }: Ended): string => {
  expect(code).toBe(1);
  expect(output).not.toMatch(/^\s+at /m);
  return output.trimEnd().split('\n').at(-1) ?? '';
};

afterAll(async () => {
  await sejam.stop();
  rmSync(folder, { recursive: true, force: true });
});

const reports: string[] = [];

describe('a backup', () => {
  let before: string[];

  beforeAll(async () => {
    sejam = await new LocalStart(at('home'), speed).ready();
    reports.push(...(await Promise.all(['Siti', 'Budi'].map(settled))));
  });

  it('is made beside a running installation that goes on accepting reports', async () => {
    let [running, accepted] = [true, 0];
    const load = (async () => {
      while (running) if ((await as('kpu').insist('POST', '/v1/reports', reportBody({ reporter: { name: 'Wati' } }))).status === 201) accepted += 1;
    })();
    const made = await command('backup', ['--home', at('home'), '--out', at('busy')]);
    running = false;
    await load;
    expect(made).toMatchObject({ code: 0, output: expect.stringMatching(/the record is copied and checked: \d+ events\n.*the kept tables are copied: \d+ rows\n.*the keys are copied\n.*is backed up in/) });
    expect(accepted).toBeGreaterThan(0);
  });

  it('that is put back into another folder is the whole of it: the same answers, names that can be read, and a record that verifies', async () => {
    before = await takedowns();
    const kept = at('kept-by-a-platform');
    await eventually(async () => {
      const { body } = await as('auditor').get('/v1/audit/checkpoint');
      writeFileSync(kept, body.text as string);
      expect(Number((body.text as string).split('\n')[1])).toBeGreaterThan(0);
    });
    expect(await command('backup', ['--home', at('home'), '--out', at('backup'), '--keys', at('keys')])).toMatchObject({ code: 0 });
    expect(refused(await command('restore', ['--from', at('backup'), '--keys', at('keys'), '--home', at('home'), '--replace']))).toMatch(/^Sejam \(process \d+\) runs on .*: stop it first/);
    const { supervisor, processes } = sejam.running as { supervisor: { pid: number }; processes: Record<string, { pid: number }> };
    for (const { pid } of [supervisor, ...Object.values(processes)]) process.kill(pid, 'SIGKILL');
    await sejam.ended;

    expect(await command('restore', ['--from', at('backup'), '--keys', at('keys'), '--home', at('restored')])).toMatchObject({ code: 0, output: expect.stringContaining('all others are empty and are made again at the next start') });
    sejam = await new LocalStart(at('restored')).ready();
    await eventually(async () => expect(await takedowns()).toEqual(before), patience);
    expect(await Promise.all(reports.map(nameOf))).toEqual(['Siti', 'Budi']);
    expect((await as('auditor').get('/v1/audit/alarms')).body.items).toEqual([expect.objectContaining({ kind: 'record-restored' })]);
    expect(await (await fetch(`${sejam.running.processes['audit']?.internalUrl}/metrics`)).text()).toMatch(/^sejam_log_alarms\{.*kind="record-restored".*\} 1$/m);

    const key = sejam.credentials.keys['auditor'] as string;
    await eventually(async () => {
      expect(await command('sejam-audit', ['export', '--url', sejam.url, '--key', key, '--out', at('bundle'), '--quiet'])).toMatchObject({ code: 0 });
      expect(await command('sejam-audit', ['verify', at('bundle'), '--checkpoint', kept, '--quiet'])).toMatchObject({ code: 0, output: expect.stringContaining('Everything holds.') });
    }, patience);
    expect(await nameOf(await settled('Ani'))).toBe('Ani');
  });

  it('of a moment under load can be put back too, in place of what is there, which is set aside', async () => {
    expect(refused(await command('restore', ['--from', at('busy'), '--home', at('home')]))).toMatch(/is not empty: restore into another folder by --home, or set aside what is there by --replace\.$/);
    await sejam.stop();
    const { output } = await command('restore', ['--from', at('busy'), '--home', at('home'), '--replace']);
    expect(output).toMatch(/what was there is now .*home\.replaced-\d{8}T\d{6}Z/);
    expect(readdirSync(folder).filter((name) => name.startsWith('home.replaced-'))).toHaveLength(1);
    sejam = await new LocalStart(at('home')).ready();
    expect(await Promise.all(reports.map(nameOf))).toEqual(['Siti', 'Budi']);
    const { body } = await as('auditor').get('/v1/audit/alarms');
    expect((body.items as { kind: string }[]).map(({ kind }) => kind)).toEqual(['record-restored']);
    expect(await nameOf(await settled('Dewi'))).toBe('Dewi');
  });

  it('is made of a stopped installation as well', async () => {
    await sejam.stop();
    expect(await command('backup', ['--home', at('home'), '--out', at('stopped')])).toMatchObject({ code: 0 });
    expect(await command('restore', ['--from', at('stopped'), '--home', at('from-stopped')])).toMatchObject({ code: 0 });
    sejam = await new LocalStart(at('from-stopped')).ready();
    expect(await Promise.all(reports.map(nameOf))).toEqual(['Siti', 'Budi']);
  });
});

describe('a PostgreSQL that alone was lost', () => {
  it('is put back to the record that there is, which loses nothing and brings nobody back who was erased', async () => {
    const operator = as('operator');
    const { holder } = (await operator.insist('POST', '/v1/organisations/operator/officers', { name: 'The second operator' })).body;
    const second = new Caller(sejam.url, (await operator.insist('POST', '/v1/organisations/operator/keys', { roles: ['operator'], holder })).body.key as string);
    const erasure = await operator.insist('POST', '/v1/privacy/erasures', { subject: { kind: 'reporter', reportId: reports[0] }, reason: 'asked for by the person', reference: 'PDP-1' });
    expect(erasure.status).toBe(201);
    await eventually(async () => expect(await second.post(`/v1/privacy/erasures/${erasure.body.id}/confirmation`, {})).toMatchObject({ status: 200 }));
    const since = await settled('Rina');
    const before = await takedowns();
    const keys = sejam.credentials.keys;
    await sejam.stop();
    for (const name of readdirSync(at('from-stopped')).filter((one) => one.startsWith('postgres'))) rmSync(join(at('from-stopped'), name), { recursive: true });

    expect(await command('restore', ['--from', at('stopped'), '--home', at('from-stopped'), '--keep-record'])).toMatchObject({ code: 0, output: expect.stringMatching(/the record is kept: \d+ events/) });
    sejam = await new LocalStart(at('from-stopped')).ready();
    expect(sejam.credentials.keys).toEqual(keys);
    await eventually(async () => expect(await takedowns()).toEqual(before), patience);
    expect((await as('bawaslu').insist('GET', `/v1/reports/${reports[0]}`)).body.reporter).toEqual({ erased: true });
    expect(await nameOf(reports[1] as string)).toBe('Budi');
    // Its key was made after the backup: what was lost with PostgreSQL is lost, and says nothing wrong.
    expect(await nameOf(since)).toBeUndefined();
    expect(await nameOf(await settled('Tuti'))).toBe('Tuti');
  });
});

describe('what cannot be put back is refused in one sentence:', () => {
  const restored = (from: string, ...args: string[]) => command('restore', ['--from', from, '--home', at('never'), ...args]).then(refused);
  const spoilt = (name: string, spoil: (path: string) => void): string => {
    cpSync(at('stopped'), at(name), { recursive: true });
    spoil(at(name));
    return at(name);
  };
  afterAll(() => expect(existsSync(at('never'))).toBe(false));

  it('a folder that is no backup', async () => {
    const [nowhere, noManifest] = await Promise.all([restored(at('nowhere')), restored(spoilt('no-manifest', (path) => rmSync(join(path, 'record/manifest.json'))))]);
    expect(nowhere).toMatch(/^There is no backup at .*nowhere/);
    expect(noManifest).toMatch(/is no backup: it has no manifest\.json\.$/);
  });

  it('a backup that was killed while it was made', async () => {
    let unfinished = false;
    for (let attempt = 0; !unfinished && attempt < 5; attempt += 1) {
      const out = at(`killed-${attempt}`);
      await command('backup', ['--home', at('from-stopped'), '--out', out], {
        whileRunning(kill) {
          const look = setInterval(() => {
            if (!existsSync(join(out, 'record'))) return;
            clearInterval(look);
            kill();
          }, 1);
        },
      });
      unfinished = existsSync(join(out, 'record/unfinished'));
      if (unfinished) expect(await restored(out)).toMatch(/^The backup at .* was not finished: it cannot be restored, make a new one\.$/);
    }
    expect(unfinished).toBe(true);
  });

  it('a damaged file, wherever it is', async () => {
    const [damaged, missing] = await Promise.all([
      restored(spoilt('damaged', (path) => appendFileSync(join(path, 'record/tables/routing.webhook_secret.ndjson'), ' '))),
      restored(spoilt('missing', (path) => rmSync(join(path, 'keys/master.key')))),
    ]);
    expect(damaged).toMatch(/^The backup is damaged: .*routing\.webhook_secret\.ndjson is not what was written\.$/);
    expect(missing).toMatch(/^The backup is damaged: .*master\.key is missing\.$/);
  });

  it('keys that are older than the record, or of another one, or absent', async () => {
    const [older, absent, taken] = await Promise.all([
      restored(at('stopped'), '--keys', at('busy/keys')),
      restored(spoilt('no-keys', (path) => rmSync(join(path, 'keys'), { recursive: true }))),
      command('restore', ['--from', at('stopped'), '--keys', at('busy/keys'), '--older-keys', '--home', at('older-keys')]),
    ]);
    expect(older).toMatch(/^The keys are of .* and the backup of .*: older keys do not open all that it holds, and are taken with --older-keys alone\.$/);
    expect(absent).toMatch(/^The keys of the backup are not at .*: name their folder by --keys\.$/);
    expect(taken).toMatchObject({ code: 0, output: expect.stringContaining('the keys are older than the backup') });
  });

  it('a restore that was killed, until it is run again', async () => {
    const [from, home] = [at('stopped'), at('interrupted')];
    await command('restore', ['--from', from, '--home', home], {
      whileRunning(kill) {
        const look = setInterval(() => {
          if (!existsSync(join(`${home}.restoring`, 'postgres', 'postmaster.pid'))) return;
          clearInterval(look);
          kill();
        }, 2);
      },
    });
    expect(existsSync(home)).toBe(false);
    const start = new LocalStart(home);
    expect(await start.ended).toBe(1);
    expect(start.output.trimEnd().split('\n').at(-1)).toMatch(/^A restore into .* was not finished: run it again, or remove .*\.restoring\.$/);
    expect(await command('restore', ['--from', from, '--home', home])).toMatchObject({ code: 0 });
    expect(readdirSync(home)).toEqual(expect.arrayContaining(['credentials.json', 'master.key', 'postgres', 'record']));
  });
});
