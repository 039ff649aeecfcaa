import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Pool } from '@sejam/postgres';
import { eventually } from '@sejam/testkit';
import { Caller, type Json } from '../stack/caller.js';
import { approval, delivered, reportBody } from '../stack/cases.js';
import { Stack } from '../stack/stack.js';

const person = { name: 'Ani Lestari Handayani', contact: '+62 811 000 111' };
const personal = /Handayani|811 000 111|The second operator/;
const audit = (...args: string[]) => promisify(execFile)(process.execPath, ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, '../../services/audit/bin/sejam-audit.mjs'), ...args, '--quiet']);
const intakes = ['intake', 'intake-2'];

describe('a reporter who is erased', () => {
  let stack: Stack;
  let pool: Pool;
  let second: Caller;
  let secondHolder = '';
  const report = { id: '', eventId: '', takedownId: '', body: reportBody({ reporter: person }) };
  const olderKey = { subject_id: '', sealed_key: '' };
  let erasureId = '';

  beforeAll(async () => {
    stack = await Stack.start({ speed: 1, instances: 2 });
    pool = stack.pool('intake');
    const operator = stack.as('operator');
    secondHolder = (await operator.post('/v1/organisations/operator/officers', { name: 'The second operator' })).body.holder as string;
    const { key } = (await operator.post('/v1/organisations/operator/keys', { roles: ['operator'], holder: secondHolder })).body;
    second = new Caller(stack.urls[1] as string, key);

    const { status, body: { id, eventId, contents: [{ takedownId }] } } = await stack.as('bawaslu').post('/v1/reports', report.body);
    expect(status).toBe(201);
    Object.assign(report, { id, eventId, takedownId });
    await stack.as('bawasluReviewer').post(`/v1/reports/${id}/approval`, approval);
    await delivered(stack, { orderId: `${takedownId}.1` });
    Object.assign(olderKey, (await pool.query<typeof olderKey>('SELECT subject_id, sealed_key FROM subject_key')).rows[0]);
    writeFileSync(join(stack.folder, 'before.tlog-proof'), await proof());
    await audit('export', '--url', stack.url, '--key', stack.credentials.keys['auditor']!, '--out', join(stack.folder, 'before'));
  }, 240_000);
  afterAll(() => stack.stop(), 60_000);

  const keyRows = async () => (await pool.query('SELECT FROM subject_key WHERE subject_id = $1', [olderKey.subject_id])).rowCount;
  const proof = () => eventually(async () => {
    const { status, body } = await stack.as('auditor').get(`/v1/audit/proofs/${report.eventId}`);
    return status === 200 && (body as { text: string }).text;
  });

  /** Which address of the API answers with the person's data, to which key. Streams that stay open are left out. */
  async function tellers(): Promise<string[]> {
    const { body: { paths } } = await stack.as('operator').get('/openapi.json');
    const readable = Object.entries(paths as Record<string, Json>).filter(([path, operations]) => operations.get !== undefined && !path.endsWith('/stream')).map(([path]) => path);
    expect(readable.length).toBeGreaterThan(25);
    const named = (path: string): string =>
      path.replace('{eventId}', report.eventId).replace('{orderId}', `${report.takedownId}.1`).replace('{platform}', 'tiktok').replace('{period}', new Date().toISOString().slice(0, 4))
        .replace(/(?<=reports\/)\{id\}/, report.id).replace(/(?<=takedowns\/)\{id\}/, report.takedownId).replace(/(?<=organisations\/)\{id\}/, 'bawaslu').replace(/(?<=erasures\/)\{id\}/, erasureId || 'none').replace(/\{\w+\}/g, 'none');
    const queries = ['', '?topic=sejam.intake.v1', `?stream=report-${report.id}`, '?from=2024-01-01&to=2099-01-01'];
    const found = new Set<string>();
    for (const name of ['operator', 'bawaslu', 'bawasluReviewer', 'kpu', 'partner', 'auditor', 'consumer', 'tiktok']) {
      await Promise.all(readable.flatMap((path) => queries.map(async (query, instance) => {
        if (personal.test(JSON.stringify((await stack.as(name, instance).get(named(path) + query)).body))) found.add(`${name} ${path}`);
      })));
    }
    return [...found].sort();
  }

  it('was shown to the organisation that submitted the report, and to nobody else', async () => {
    expect(await tellers()).toEqual(['bawaslu /v1/reports/{id}', 'bawasluReviewer /v1/reports/{id}']);
  }, 120_000);

  it('is shown to nobody once a second operator has confirmed it, at whatever instance', async () => {
    const asked = await stack.as('operator').post('/v1/privacy/erasures', { subject: { kind: 'reporter', reportId: report.id }, reason: 'asked for by the person', reference: 'PDP-7' });
    expect(asked).toMatchObject({ status: 201, body: { state: 'requested' } });
    erasureId = asked.body.id as string;
    expect(await stack.as('operator', 1).post(`/v1/privacy/erasures/${erasureId}/confirmation`, {})).toMatchObject({ status: 403, body: { code: 'erasure.four-eyes' } });
    await eventually(async () => expect(await second.post(`/v1/privacy/erasures/${erasureId}/confirmation`, {})).toMatchObject({ status: 200, body: { state: 'completed' } }));
    expect(await keyRows()).toBe(0);
    expect(await tellers()).toEqual([]);
    for (const instance of [0, 1]) expect(await stack.as('bawaslu', instance).post('/v1/reports', report.body)).toMatchObject({ status: 200, body: { id: report.id, reporter: { erased: true } } });
  }, 120_000);

  it('stays erased when an older copy of the keys is put back: gone again before intake answers', async () => {
    for (const name of intakes) await stack.process(name).kill();
    await pool.query('INSERT INTO subject_key VALUES ($1, $2)', [olderKey.subject_id, olderKey.sealed_key]);
    await stack.process('intake').start();
    expect(await keyRows()).toBe(0);
    expect((await stack.as('bawaslu').get(`/v1/reports/${report.id}`)).body.reporter).toEqual({ erased: true });
    await stack.process('intake-2').start();
    await stack.ready();
    expect(readFileSync(join(stack.folder, 'logs', 'intake.log'), 'utf8')).toContain('were there again and are deleted');
  }, 120_000);

  it('is erased for good whenever intake is killed: each that was answered stands in the record, and no key is left', async () => {
    const reports = await Promise.all(Array.from({ length: 40 }, async () => (await stack.as('kpu').insist('POST', '/v1/reports', reportBody({ reporter: person }))).body.id as string));
    const erase = async (reportId: string): Promise<void> => {
      const { body: { id } } = await stack.as('operator').insist('POST', '/v1/privacy/erasures', { subject: { kind: 'reporter', reportId }, reason: 'asked for by the person' });
      const confirmed = await second.insist('POST', `/v1/privacy/erasures/${id}/confirmation`, {});
      expect(confirmed).toMatchObject({ status: 200, body: { state: 'completed' } });
    };
    let next = 0;
    const workers = Array.from({ length: 4 }, async () => {
      for (let at = next++; at < reports.length; at = next++) await erase(reports[at]!);
    });
    for (const name of [...intakes, ...intakes]) {
      await stack.process(name).kill();
      await stack.process(name).startAgain();
    }
    await Promise.all(workers);
    for (const id of reports) expect((await stack.events(`report-${id}`)).map(({ type }) => type)).toEqual(['ReportSubmitted', 'ErasureRequested', 'SubjectErased']);
    const events = [...(await stack.streams('report-')).values()].flat();
    const subjects = events.flatMap(({ data }) => (data as { reporter?: { subjectId: string } }).reporter?.subjectId ?? []);
    expect(subjects.length).toBeGreaterThan(reports.length);
    expect((await pool.query('SELECT FROM subject_key WHERE subject_id = ANY($1)', [subjects])).rowCount).toBe(0);
  }, 120_000);

  it('may be an officer of whom the other services know a holder id alone, and the keys go on working', async () => {
    const { body: { id } } = await second.post('/v1/privacy/erasures', { subject: { kind: 'officer', organisation: 'operator', holder: secondHolder }, reason: 'asked for by the officer' });
    expect(await stack.as('operator').post(`/v1/privacy/erasures/${id}/confirmation`, {})).toMatchObject({ status: 200, body: { state: 'completed' } });
    expect((await pool.query('SELECT FROM officer WHERE holder = $1', [secondHolder])).rowCount).toBe(0);
    const routing = stack.pool('routing');
    await eventually(async () => expect((await routing.query("SELECT FROM identity_event WHERE type = 'SubjectErased'")).rowCount).toBe(1));
    expect(await second.get('/v1/deliveries')).toMatchObject({ status: 200 });
    expect((await stack.as('operator').get('/v1/parked')).body).toMatchObject({ items: [] });
  }, 60_000);

  it('takes nothing from the proofs: the record holds, and so does a proof from before', async () => {
    const bundle = join(stack.folder, 'after');
    await eventually(async () => {
      await audit('export', '--url', stack.url, '--key', stack.credentials.keys['auditor']!, '--out', bundle);
      expect(readFileSync(join(bundle, 'events.ndjson'), 'utf8')).toContain('SubjectErased');
    });
    const lineIn = (folder: string) => readFileSync(join(stack.folder, folder, 'events.ndjson'), 'utf8').split('\n').find((line) => line.includes(`"${report.eventId}"`));
    expect(lineIn('before')).toEqual(expect.stringContaining('ReportSubmitted'));
    expect(lineIn('after')).toBe(lineIn('before'));
    await audit('verify', bundle, '--checkpoint', join(stack.folder, 'before.tlog-proof'));
    await audit('recompute', bundle);
  }, 120_000);

  it('is in no table, no event, no message and no log line', async () => {
    const { rows: tables } = await pool.query<{ name: string }>(
      "SELECT format('%I.%I', table_schema, table_name) AS name FROM information_schema.tables WHERE table_schema NOT IN ('pg_catalog', 'information_schema')",
    );
    expect(tables.map(({ name }) => name)).toEqual(expect.arrayContaining(['intake.erasure', 'reporting.report', 'routing.takedown', 'audit.leaf']));
    for (const { name } of tables) expect([name, (await pool.query(`SELECT FROM ${name} AS t WHERE t::text ~ '${personal.source}'`)).rowCount]).toEqual([name, 0]);
    // Every stream, those of the topics among them.
    let events = 0;
    for await (const event of stack.store.readAll()) {
      events += 1;
      expect(JSON.stringify(event)).not.toMatch(personal);
    }
    expect(events).toBeGreaterThan(50);
    const logs = readdirSync(join(stack.folder, 'logs'));
    expect(logs.length).toBeGreaterThan(10);
    for (const log of logs) expect(readFileSync(join(stack.folder, 'logs', log), 'utf8')).not.toMatch(personal);
  }, 60_000);
});
