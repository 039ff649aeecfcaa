import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { transactor, type StoredEvent } from '@sejam/event-sourcing';
import { tx, type Pool } from '@sejam/postgres';
import { eventually, testDatabase, testEventStore, type TestDatabase, type TestEventStore } from '@sejam/testkit';
import { intakeSchema, intakeParts, newReport, startIntake, type Answer } from '../intake.example.js';
import { report } from '../report/report.js';
import { confirmErasure } from './erasure.js';
import { applyErasures, forgetErased } from './erasure-view.js';

type ErasureAnswer = { status: number; body: Answer['body'] & { state: string; subject: object; requestedByHolder: string; confirmedByHolder?: string; items: { id: string; state: string }[] } };

const parts = intakeParts();
const { keys } = parts;
const person = { name: 'Ani Lestari', contact: '+62 811 000 111' };
const personal = /Lestari|811 000|62811/;
const lines: string[] = [];
let secondOperator = '';
let secondHolder = '';

let database: TestDatabase;
let pool: Pool;
let events: TestEventStore;
let intake: Awaited<ReturnType<typeof startIntake>>;
let other: Awaited<ReturnType<typeof startIntake>>;

beforeAll(async () => {
  events = await testEventStore();
  database = await testDatabase();
  pool = await database.pool('intake', intakeSchema);
  intake = await startIntake({ store: events.store, pool, ...parts, lines });
  secondHolder = (await call('POST', '/v1/organisations/operator/officers', keys['operator'], { name: 'Second Operator' })).body.holder;
  secondOperator = (await call('POST', '/v1/organisations/operator/keys', keys['operator'], { roles: ['operator'], holder: secondHolder })).body.key;
  other = await startIntake({ store: events.store, pool, ...parts, lines });
});
afterAll(async () => {
  await Promise.all([intake?.stop(), other?.stop()]);
  await database?.drop();
  await events?.stop();
});

const call: typeof intake.call = (...request) => intake.call(...request);
const erasures = '/v1/privacy/erasures';
const ask = (subject: object, further: object = {}, key = keys['operator'], headers = {}) => call('POST', erasures, key, { subject, reason: 'asked by the person', ...further }, headers) as Promise<ErasureAnswer>;
const confirm = (id: string, key = secondOperator) => call('POST', `${erasures}/${id}/confirmation`, key, {}) as Promise<ErasureAnswer>;
const stateOf = async (id: string) => ((await call('GET', `${erasures}/${id}`, keys['auditor'])) as ErasureAnswer).body.state;
const reporterOf = (id: string) => ({ kind: 'reporter', reportId: id });

async function submitted(changes: object = {}) {
  const body = newReport({ reporter: person, ...changes });
  const { status, body: { id } } = await call('POST', '/v1/reports', keys['bawaslu'], body);
  expect(status).toBe(201);
  const stored = await streamOf(id);
  const { subjectId } = (stored[0]?.data as { reporter: { subjectId: string } }).reporter;
  return { id, body, stored, subjectId };
}

async function streamOf(id: string): Promise<StoredEvent[]> {
  const stream = [];
  for await (const event of events.store.read(`report-${id}`)) stream.push(event);
  return stream;
}

const keysOf = async (subjectId: string) => (await pool.query<{ subject_id: string; sealed_key: string }>('SELECT * FROM subject_key WHERE subject_id = $1', [subjectId])).rows;

/** A report whose reporter was erased, and the row of the key as an older copy of the kept table holds it. */
async function erasedReport() {
  const { id, subjectId, body } = await submitted();
  const [copy] = await keysOf(subjectId);
  const { body: { id: erasureId } } = await ask(reporterOf(id));
  expect(await confirm(erasureId)).toMatchObject({ status: 200 });
  // The projection deletes as well: what a test puts back must not be met by it.
  await eventually(async () => expect((await pool.query<{ revision: number }>('SELECT revision FROM report WHERE id = $1', [id])).rows[0]?.revision).toBe(2));
  const restoreKey = (into = pool) => into.query('INSERT INTO subject_key VALUES ($1, $2)', [copy?.subject_id, copy?.sealed_key]);
  return { id, subjectId, erasureId, body, restoreKey };
}

describe('an erasure', () => {
  it('is asked for by one operator and confirmed by another, and then the field is nowhere', async () => {
    const { id, body, stored, subjectId } = await submitted();
    expect((await call('GET', `/v1/reports/${id}`, keys['bawaslu'])).body.reporter).toEqual(person);

    const asked = await ask(reporterOf(id), { reference: 'PDP/2024/7' });
    expect(asked).toMatchObject({ status: 201, body: { id: `report-${id}.1`, state: 'requested', subject: reporterOf(id), requestedByHolder: 'officer:operator-1' } });
    expect(asked.body.subject).not.toHaveProperty('subjectId');
    expect(await confirm(asked.body.id, keys['operator'])).toMatchObject({ status: 403, body: { code: 'erasure.four-eyes' } });
    expect((await call('GET', `/v1/reports/${id}`, keys['bawaslu'])).body.reporter).toEqual(person);

    const confirmed = await confirm(asked.body.id);
    expect(confirmed).toMatchObject({ status: 200, body: { state: 'completed', confirmedByHolder: secondHolder } });
    expect(await keysOf(subjectId)).toEqual([]);
    for (const instance of [intake, other]) {
      expect((await instance.call('GET', `/v1/reports/${id}`, keys['bawaslu'])).body.reporter).toEqual({ erased: true });
      for (const stranger of ['kpu', 'auditor']) expect((await instance.call('GET', `/v1/reports/${id}`, keys[stranger])).body).not.toHaveProperty('reporter');
    }

    const now = await streamOf(id);
    expect(now[0]).toEqual(stored[0]);
    expect(now.map(({ type }) => type)).toEqual(['ReportSubmitted', 'ErasureRequested', 'SubjectErased']);
    expect(now[2]).toMatchObject({ id: confirmed.body.eventId, metadata: { by: { organisation: 'operator', holder: secondHolder } } });

    const keyCount = async () => (await pool.query('SELECT FROM subject_key')).rowCount;
    const before = await keyCount();
    const again = await call('POST', '/v1/reports', keys['bawaslu'], body);
    expect(again).toMatchObject({ status: 200, body: { id, reporter: { erased: true } } });
    expect(await keyCount()).toBe(before);
    expect(await streamOf(id)).toEqual(now);
  });

  it('adds nothing when it is asked for or confirmed again, by whomever, and answers with the first event', async () => {
    const { id } = await submitted();
    const once = { 'idempotency-key': 'erase-once' };
    const first = await ask(reporterOf(id), {}, keys['operator'], once);
    expect(await ask(reporterOf(id), {}, keys['operator'], once)).toMatchObject({ status: 200, body: { eventId: first.body.eventId } });
    expect(await ask(reporterOf(id), {}, secondOperator)).toMatchObject({ status: 200, body: { id: first.body.id, eventId: first.body.eventId, requestedByHolder: 'officer:operator-1' } });
    const { id: another } = await submitted();
    expect(await ask(reporterOf(another), {}, keys['operator'], once)).toMatchObject({ status: 409, body: { code: 'request.key-reused' } });

    const confirmed = await Promise.all(Array.from({ length: 10 }, () => confirm(first.body.id)));
    expect(new Set(confirmed.map(({ status, body }) => `${status} ${body.state} ${body.eventId}`)).size).toBe(1);
    expect((await streamOf(id)).filter(({ type }) => type === 'SubjectErased')).toHaveLength(1);
    expect(await ask(reporterOf(id))).toMatchObject({ status: 200, body: { state: 'completed', eventId: first.body.eventId } });
  });

  it('is taken back until it is confirmed', async () => {
    const { id } = await submitted();
    const { body } = await ask(reporterOf(id));
    const withdraw = (erasureId: string) => call('POST', `${erasures}/${erasureId}/withdrawal`, keys['operator'], { reason: 'the wrong report' });
    expect(await withdraw(body.id)).toMatchObject({ status: 200, body: { state: 'withdrawn' } });
    expect(await confirm(body.id)).toMatchObject({ status: 409, body: { code: 'erasure.withdrawn' } });
    expect((await call('GET', `/v1/reports/${id}`, keys['bawaslu'])).body.reporter).toEqual(person);
    const anew = await ask(reporterOf(id));
    expect(anew).toMatchObject({ status: 201, body: { id: `report-${id}.2` } });
    await confirm(anew.body.id);
    expect(await withdraw(anew.body.id)).toMatchObject({ status: 409, body: { code: 'erasure.already-confirmed' } });
  });

  it('is listed at once, newest first, by its state', async () => {
    const [one, two] = [await submitted(), await submitted()];
    parts.clock.advance(1_000);
    const { body: open } = await ask(reporterOf(one.id));
    parts.clock.advance(1_000);
    const { body: done } = await ask(reporterOf(two.id));
    await confirm(done.id);
    const list = async (query: string) => ((await call('GET', `${erasures}?${query}`, keys['auditor'])) as ErasureAnswer).body;
    expect((await list('limit=2')).items).toMatchObject([{ id: done.id, state: 'completed' }, { id: open.id, state: 'requested' }]);
    const { items: [first], next } = await list('limit=1');
    expect([first?.id, (await list(`limit=1&cursor=${next}`)).items[0]?.id]).toEqual([done.id, open.id]);
    expect((await list('state=requested')).items.map(({ id }) => id)).toContain(open.id);
    expect((await list('state=requested')).items.map(({ id }) => id)).not.toContain(done.id);
    expect(await call('GET', `${erasures}?cursor=nonsense`, keys['auditor'])).toMatchObject({ status: 400, body: { code: 'request.invalid-cursor' } });
  });

  it.each([
    ['a reason with an address', { reason: 'asked by ani@example.org' }, '/reason'],
    ['a reason with a telephone number', { reason: 'asked by +62 811 000 111' }, '/reason'],
    ['a reason of 201 characters', { reason: 'x'.repeat(201) }, '/reason'],
    ['no reason', { reason: undefined }, '/reason'],
    ['a reference in prose', { reference: 'see the letter' }, '/reference'],
    ['a subject of another kind', { subject: { kind: 'voter', reportId: 'x' } }, '/subject/kind'],
    ['a reporter without report', { subject: { kind: 'reporter' } }, '/subject/reportId'],
    ['an officer without holder', { subject: { kind: 'officer', organisation: 'kpu' } }, '/subject/holder'],
    ['a subject that is no object', { subject: 'Ani' }, '/subject'],
    ['an unknown field', { name: 'Ani' }, '/name'],
  ])('refuses %s, and points at it', async (_, changes, pointer) => {
    const { status, body } = await ask(reporterOf('00000000-0000-5000-8000-000000000000'), changes);
    expect(status).toBe(422);
    expect(body.errors?.map((error) => error.pointer)).toContain(pointer);
  });

  it('needs somebody to erase', async () => {
    const { body: anonymous } = await call('POST', '/v1/reports', keys['bawaslu'], newReport());
    expect(await ask(reporterOf(anonymous.id))).toMatchObject({ status: 404, body: { code: 'erasure.subject-unknown' } });
    expect(await ask(reporterOf('00000000-0000-5000-8000-000000000000'))).toMatchObject({ status: 404, body: { code: 'report.not-found' } });
    expect(await ask({ kind: 'officer', organisation: 'kpu', holder: 'officer:nobody' })).toMatchObject({ status: 404, body: { code: 'erasure.subject-unknown' } });
    for (const id of [`report-${anonymous.id}.1`, 'organisation-kpu.9', 'nonsense']) expect(await confirm(id)).toMatchObject({ status: 404, body: { code: 'erasure.not-found' } });
  });
});

describe('a key that is there again', () => {
  it('opens nothing even before it is deleted', async () => {
    const { id, erasureId, restoreKey } = await erasedReport();
    await restoreKey();
    expect((await call('GET', `/v1/reports/${id}`, keys['bawaslu'])).body.reporter).toEqual({ erased: true });
    expect(await stateOf(erasureId)).toBe('confirmed');
    expect(await confirm(erasureId)).toMatchObject({ status: 200, body: { state: 'completed' } });
  });

  it('is deleted at the next start, by what the rows hold', async () => {
    const { subjectId, restoreKey } = await erasedReport();
    const { subjectId: kept } = await submitted();
    await restoreKey();
    expect(await forgetErased({ store: events.store, pool })).toBe(1);
    expect(await keysOf(subjectId)).toEqual([]);
    expect(await keysOf(kept)).toHaveLength(1);
    expect(await forgetErased({ store: events.store, pool })).toBe(0);
  });

  it('is deleted at the next start although every derived row is gone, as after a restore', async () => {
    const { restoreKey } = await erasedReport();
    const restored = await database.pool('restored', intakeSchema);
    await restoreKey(restored);
    await restored.query("INSERT INTO subject_key VALUES ('kept', 'of somebody else')");
    expect(await forgetErased({ store: events.store, pool: restored })).toBe(1);
    expect((await restored.query('SELECT subject_id FROM subject_key')).rows).toEqual([{ subject_id: 'kept' }]);
  });

  it('is deleted by an instance that lives on when the one that recorded the erasure ends before its deletion', async () => {
    const { id, subjectId } = await submitted();
    const { body: { id: erasureId } } = await ask(reporterOf(id));
    const cause = { causationId: 'test:crash', correlationId: 'test', by: { organisation: 'operator', holder: secondHolder } };
    await transactor(events.store, parts.clock)(report, id, cause, (state) => confirmErasure(state, { erasureId, holder: secondHolder }));
    await eventually(async () => expect(await keysOf(subjectId)).toEqual([]));
    await eventually(async () => expect(await stateOf(erasureId)).toBe('completed'));
  });
});

describe('the rows of erasures', () => {
  it('are the same when they are made again, whatever the batches and however often an event comes', async () => {
    const rebuilt = await database.pool('rebuilt', intakeSchema);
    const told: StoredEvent[] = [];
    for await (const event of events.store.readAll({ prefixes: ['report-', 'organisation-'] })) told.push(event);
    for (let start = 0; start < told.length; start += 3) {
      for (const batch of [told.slice(start, start + 3), told.slice(Math.max(0, start - 5), start + 3)]) await tx(rebuilt, (client) => applyErasures(client, batch));
    }
    const rows = async (from: Pool) => (await from.query<{ state: string }>('SELECT * FROM erasure ORDER BY id')).rows;
    const made = await rows(rebuilt);
    expect(new Set(made.map(({ state }) => state))).toEqual(new Set(['requested', 'withdrawn', 'confirmed']));
    await eventually(async () => expect(await rows(pool)).toEqual(made));
  });
});

describe("an officer's name", () => {
  const nameOf = async (holder: string) => (await pool.query('SELECT FROM officer WHERE holder = $1', [holder])).rowCount;

  it('is erased in the same way, and does not come back with a retry of the request that brought it', async () => {
    const once = { 'idempotency-key': 'budi' };
    const add = (name: string) => call('POST', '/v1/organisations/kpu/officers', keys['operator'], { name }, once);
    const { body: { holder } } = await add('Budi Santoso');
    expect((await add('Budi Santoso')).body.holder).toBe(holder);
    expect(await add('Somebody Else')).toMatchObject({ status: 409, body: { code: 'request.key-reused' } });
    expect(await ask({ kind: 'officer', organisation: 'kpu', holder }, {}, keys['operator'], once)).toMatchObject({ status: 409, body: { code: 'request.key-reused' } });

    const { body: { id } } = await ask({ kind: 'officer', organisation: 'kpu', holder });
    expect(await nameOf(holder)).toBe(1);
    expect(await confirm(id)).toMatchObject({ status: 200, body: { state: 'completed', subject: { kind: 'officer', organisation: 'kpu', holder } } });
    expect(await nameOf(holder)).toBe(0);

    expect((await add('Budi Santoso')).body.holder).toBe(holder);
    expect((await pool.query('SELECT FROM officer WHERE organisation = $1', ['kpu'])).rowCount).toBe(0);
    await pool.query("INSERT INTO officer (holder, organisation, sealed_name) VALUES ($1, 'kpu', 'an older copy')", [holder]);
    expect(await forgetErased({ store: events.store, pool })).toBe(1);
  });
});

describe('a name or a contact', () => {
  it('stands in no row, no event and no log line, and no hash of it either', async () => {
    const body = newReport({ reporter: person });
    const once = { 'idempotency-key': 'no-hash' };
    expect(await call('POST', '/v1/reports', keys['bawaslu'], body, once)).toMatchObject({ status: 201 });
    // Were the hash of the whole body recorded, another reporter under the same key would be another request.
    expect(await call('POST', '/v1/reports', keys['bawaslu'], { ...body, reporter: { name: 'Wati' } }, once)).toMatchObject({ status: 200 });
    const batch = { reports: [newReport({ reporter: person })] };
    expect((await call('POST', '/v1/reports/batch', keys['bawaslu'], batch, { 'idempotency-key': 'no-hash-batch' })).body.results[0]).toMatchObject({ status: 201 });
    await call('POST', '/v1/reports', keys['bawaslu'], { ...body, reporter: { ...person, contact: `${person.contact} ${'x'.repeat(300)}` } });
    await call('POST', '/v1/reports', keys['bawaslu'], { ...body, category: 'unknown', reporter: person });

    const { rows: tables } = await pool.query<{ table_name: string }>("SELECT table_name FROM information_schema.tables WHERE table_schema = 'intake'");
    expect(tables.map(({ table_name }) => table_name)).toEqual(expect.arrayContaining(['report', 'erasure', 'idempotency_key', 'subject_key', 'checkpoint']));
    for (const { table_name } of tables) {
      const { rows } = await pool.query<{ row: string }>(`SELECT t::text AS row FROM intake.${table_name} t`);
      expect([table_name, rows.filter(({ row }) => personal.test(row))]).toEqual([table_name, []]);
    }
    for await (const event of events.store.readAll()) expect(JSON.stringify(event)).not.toMatch(personal);
    expect(lines.length).toBeGreaterThan(20);
    expect(lines.filter((line) => personal.test(line))).toEqual([]);
  });
});
