import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { memoryEventStore } from '@sejam/event-sourcing/testing';
import type { Pool } from '@sejam/postgres';
import { addMasterKey, countSealed, dropOldMasterKeys, loadMasterKey, resealAll, sealedSubjectKeys } from '@sejam/privacy';
import { createLogger } from '@sejam/service-host';
import { testDatabase, type TestDatabase } from '@sejam/testkit';
import { intakeAccess } from './access.js';
import { intakeSchema, intakeParts, newReport, startIntake, videoId as video, type Answer } from './intake.example.js';
import { sealedOfficerNames } from './organisation/officer-names.js';

const store = memoryEventStore();
const parts = intakeParts();
const { keys, clock } = parts;

let database: TestDatabase;
let pool: Pool;
let intake: Awaited<ReturnType<typeof startIntake>>;

beforeAll(async () => {
  database = await testDatabase();
  pool = await database.pool('intake', intakeSchema);
  intake = await startIntake({ store, pool, ...parts });
});

afterAll(async () => {
  await intake?.stop();
  await database?.drop();
});

const call: typeof intake.call = (...request) => intake.call(...request);
const approval = { reasons: 'Voting is on 27 November, as KPU announced.', requestedAction: 'removed', factCheck: { statement: 'KPU: the day has not moved' } };
const submit = (changes: object = {}, key = keys['bawaslu']): Promise<Answer> => call('POST', '/v1/reports', key, newReport(changes));

describe('POST /v1/reports', () => {
  it('answers each content at once, in order, with the takedown it belongs to', async () => {
    const id = video();
    const { status, body } = await submit({ contents: [{ url: `https://m.tiktok.com/v/${id}.html`, note: 'at 0:12' }, { url: 'https://example.org/news/1' }, { url: `https://www.tiktok.com/@x/video/${id}?_r=1` }] });
    expect(status).toBe(201);
    expect(body).toMatchObject({
      status: 'submitted', reportedBy: 'bawaslu',
      contents: [
        { contentKey: `tiktok:video:${id}`, platform: 'tiktok', decision: 'pending', note: 'at 0:12' },
        { url: 'https://example.org/news/1', refused: { code: 'content.unknown-product' } },
        { contentKey: `tiktok:video:${id}` },
      ],
    });
    expect(body.eventId).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('does one thing and gives one answer when the same report comes fifty times at once', async () => {
    const report = newReport();
    const answers = await Promise.all(Array.from({ length: 50 }, () => call('POST', '/v1/reports', keys['bawaslu'], report)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(49);
    expect(new Set(answers.map(({ body }) => `${body.id} ${body.eventId}`)).size).toBe(1);
  });

  it('refuses another report under a reference, and another request under an Idempotency-Key, but not another reporter', async () => {
    const report = newReport();
    await call('POST', '/v1/reports', keys['bawaslu'], report);
    expect(await call('POST', '/v1/reports', keys['bawaslu'], { ...report, summary: 'Something else' })).toMatchObject({ status: 409, body: { code: 'report.reference-conflict' } });
    expect(await call('POST', '/v1/reports', keys['bawaslu'], { ...report, reporter: { name: 'Ani' } })).toMatchObject({ status: 200 });
    expect(await call('POST', '/v1/reports', keys['kpu'], { ...report, summary: 'Something else' })).toMatchObject({ status: 201 });

    const once = { 'idempotency-key': 'once' };
    const first = await call('POST', '/v1/reports', keys['bawaslu'], newReport(), once);
    expect(await call('POST', '/v1/reports', keys['bawaslu'], newReport(), once)).toMatchObject({ status: 409, body: { code: 'request.key-reused' } });
    expect(first.status).toBe(201);
  });

  it('refuses a report without routable content, and leaves its reference free', async () => {
    const unroutable = newReport({ contents: [{ url: 'https://example.org/a' }, { url: 'javascript:alert(1)' }] });
    expect(await call('POST', '/v1/reports', keys['bawaslu'], unroutable)).toMatchObject({
      status: 422,
      body: { code: 'report.no-routable-content', errors: [{ pointer: '/contents/0/url', code: 'content.unknown-product' }, { pointer: '/contents/1/url', code: 'content.invalid-url' }] },
    });
    expect(await call('POST', '/v1/reports', keys['bawaslu'], newReport({ reference: unroutable.reference }))).toMatchObject({ status: 201 });
  });

  it('keeps what tells who the reporter is from everybody else, and out of the record in clear', async () => {
    const { body } = await submit({ reporter: { name: 'Ani Lestari', contact: '+62 811 000 111' } });
    expect((await call('GET', `/v1/reports/${body.id}`, keys['bawaslu'])).body).toMatchObject({ reporter: { name: 'Ani Lestari', contact: '+62 811 000 111' } });
    for (const other of ['kpu', 'auditor']) expect((await call('GET', `/v1/reports/${body.id}`, keys[other])).body).not.toHaveProperty('reporter');
    expect(JSON.stringify(store.all())).not.toMatch(/Lestari|0811|811 000/);
    expect(JSON.stringify((await pool.query('SELECT * FROM report')).rows)).not.toMatch(/Lestari|811 000/);
  });

  it.each([
    ['an unknown field', { extra: 1 }, '/extra'],
    ['a wrong type', { summary: 7 }, '/summary'],
    ['a content without URL', { contents: [{}] }, '/contents/0/url'],
    ['a content that is no object', { contents: ['https://t.me/x/1'] }, '/contents'],
    ['a number as URL', { contents: [{ url: 42 }] }, '/contents/0/url'],
    ['no contents', { contents: [] }, '/contents'],
    ['51 contents', { contents: Array.from({ length: 51 }, () => ({ url: 'https://t.me/x/1' })) }, '/contents'],
    ['null for an optional field', { note: null }, '/note'],
    ['an unknown category', { category: 'hoax' }, '/category'],
    ['an unknown region', { region: 'Jawa Barat' }, '/region'],
    ['a field of 10 000 characters', { summary: 'x'.repeat(10_000) }, '/summary'],
    ['a reference of 65 characters', { reference: 'x'.repeat(65) }, '/reference'],
    ['an unknown legal basis', { legalBasis: ['UU-1:1'] }, '/legalBasis/0'],
    ['evidence without a hash', { evidence: [{ mediaType: 'image/png', size: 1, uri: 'https://e.org/x' }] }, '/evidence/0/sha256'],
  ])('refuses %s, and points at it', async (_, changes, pointer) => {
    const { status, body } = await submit(changes);
    expect(status).toBe(422);
    expect(body.errors?.map((error) => error.pointer)).toContain(pointer);
  });
});

describe('POST /v1/reports/batch', () => {
  it('lets one bad report fail alone', async () => {
    const { status, body } = await call('POST', '/v1/reports/batch', keys['partner'], { reports: [newReport(), { reference: 'x' }, newReport({ contents: [{ url: 'https://example.org' }] }), 7, newReport()] });
    expect(status).toBe(207);
    expect(body.results.map((result) => result.status)).toEqual([201, 422, 422, 422, 201]);
    expect(body.results[1]?.problem?.errors?.map(({ pointer }) => pointer)).toContain('/category');
  });

  it('refuses more than 1000 reports or 5000 contents', async () => {
    expect(await call('POST', '/v1/reports/batch', keys['partner'], { reports: Array.from({ length: 1001 }, () => 0) })).toMatchObject({ status: 413, body: { code: 'request.too-large' } });
    const contents = Array.from({ length: 50 }, () => ({ url: 'x' }));
    expect(await call('POST', '/v1/reports/batch', keys['partner'], { reports: Array.from({ length: 101 }, () => ({ contents })) })).toMatchObject({ status: 413 });
  });
});

describe('decisions', () => {
  it('need a second pair of eyes, and the same decision again answers with the first event', async () => {
    const { body } = await submit();
    const path = `/v1/reports/${body.id}/approval`;
    expect(await call('POST', path, keys['bawaslu'], approval)).toMatchObject({ status: 403, body: { code: 'report.four-eyes' } });
    const first = await call('POST', path, keys['bawasluReviewer'], approval);
    expect(first).toMatchObject({ status: 200, body: { status: 'approved', contents: [{ decision: 'approved', decidedBy: 'bawaslu' }] } });
    expect((await call('POST', path, keys['kpuReviewer'], approval)).body.eventId).toBe(first.body.eventId);
    expect(await call('POST', `/v1/reports/${body.id}/decline`, keys['kpuReviewer'], { reason: 'no' })).toMatchObject({ status: 409, body: { code: 'report.already-decided' } });
    const recorded = store.all().find(({ id }) => id === first.body.eventId);
    expect(recorded).toMatchObject({ type: 'ContentsApproved', data: { decidedBy: 'bawaslu', issuedBy: 'kominfo' } });
  });

  it('come in lists too, each for itself', async () => {
    const [one, two] = [await submit(), await submit()];
    const { status, body } = await call('POST', '/v1/reports/decisions', keys['kpuReviewer'], {
      decisions: [{ reportId: one.body.id, approval }, { reportId: two.body.id, decline: { reason: 'satire' } }, { reportId: two.body.id }, { reportId: '00000000-0000-5000-8000-000000000000', approval }],
    });
    expect(status).toBe(207);
    expect(body.results.map((result) => [result.status, result.report?.status])).toEqual([[200, 'approved'], [200, 'declined'], [422, undefined], [404, undefined]]);
  });

  it.each([
    ['too short reasons', { reasons: 'no' }, '/reasons'],
    ['an unknown action', { requestedAction: 'deleted' }, '/requestedAction'],
    ['already gone as a wish', { requestedAction: 'already_gone' }, '/requestedAction'],
    ['a hoax without fact check', { factCheck: undefined }, '/factCheck'],
    ['an unknown content', { contents: ['tiktok:video:0'] }, '/contents/0'],
    ['a null fact check', { factCheck: null }, '/factCheck'],
  ])('refuse %s', async (_, changes, pointer) => {
    const { body } = await submit();
    const answer = await call('POST', `/v1/reports/${body.id}/approval`, keys['kpuReviewer'], { ...approval, ...changes });
    expect(answer.status).toBe(422);
    expect(answer.body.errors?.map((error) => error.pointer)).toContain(pointer);
  });
});

describe('POST /v1/reports/{id}/amendment', () => {
  it('changes what was sent and nothing else', async () => {
    const { body } = await submit({ language: 'id', target: 'voters' });
    const amended = await call('POST', `/v1/reports/${body.id}/amendment`, keys['bawaslu'], { changes: { region: '33' }, reason: 'wrong province' });
    expect(amended).toMatchObject({ status: 200, body: { region: '33', language: 'id', target: 'voters', summary: body.summary } });
    expect(store.all().find(({ id }) => id === amended.body.eventId)).toMatchObject({ data: { changed: ['region'] } });
    expect(await call('POST', `/v1/reports/${body.id}/amendment`, keys['bawaslu'], { changes: { contents: [] }, reason: 'x' })).toMatchObject({ status: 422 });
  });
});

describe('reading reports', () => {
  it('shows a list that holds the caller\'s own writes at once, page by page', async () => {
    for (let n = 0; n < 5; n += 1) {
      clock.advance(1_000);
      const { body } = await submit({ region: '11' });
      expect((await call('GET', '/v1/reports?region=11&limit=1', keys['auditor'])).body.items.map(({ id }) => id)).toEqual([body.id]);
    }
    const seen: string[] = [];
    for (let next: string | undefined, page = 0; page < 10; page += 1) {
      const { body } = await call('GET', `/v1/reports?region=11&limit=2${next === undefined ? '' : `&cursor=${next}`}`, keys['kpu']);
      seen.push(...body.items.map(({ id }) => id));
      next = body.next;
      if (next === undefined) break;
    }
    expect(new Set(seen).size).toBe(5);
    expect(await call('GET', '/v1/reports?cursor=nonsense', keys['kpu'])).toMatchObject({ status: 400, body: { code: 'request.invalid-cursor' } });
    expect(await call('GET', '/v1/reports?limit=1000', keys['kpu'])).toMatchObject({ status: 400 });
  });

  it('shows partners their own reports only; another\'s does not exist', async () => {
    const { body: theirs } = await submit();
    const { body: own } = await submit({}, keys['partner']);
    expect(await call('GET', `/v1/reports/${theirs.id}`, keys['partner'])).toMatchObject({ status: 404, body: { code: 'report.not-found' } });
    expect(await call('POST', `/v1/reports/${theirs.id}/withdrawal`, keys['partner'], { reason: 'x' })).toMatchObject({ status: 404 });
    expect(await call('POST', `/v1/reports/${own.id}/withdrawal`, keys['kpu'], { reason: 'x' })).toMatchObject({ status: 403, body: { code: 'report.not-yours' } });
    expect(await call('POST', `/v1/reports/${own.id}/withdrawal`, keys['partner'], { reason: 'mistake' })).toMatchObject({ status: 200, body: { status: 'withdrawn' } });
    const { body } = await call('GET', '/v1/reports?limit=200', keys['partner']);
    expect(new Set(body.items.map(({ reportedBy }) => reportedBy))).toEqual(new Set(['partner']));
  });
});

describe('organisations and keys', () => {
  it('gives an officer a key that works at once, rotates it, and takes it away at once', async () => {
    const { body: officer } = await call('POST', '/v1/organisations/kpu/officers', keys['operator'], { name: 'Budi Santoso' });
    const issued = await call('POST', '/v1/organisations/kpu/keys', keys['operator'], { roles: ['reporter'], holder: officer.holder });
    expect(issued).toMatchObject({ status: 201, body: { key: expect.stringMatching(/^sjm_/) } });
    expect(await submit({}, issued.body.key)).toMatchObject({ status: 201 });
    const rotated = await call('POST', `/v1/organisations/kpu/keys/${issued.body.keyId}/rotation`, keys['operator'], { overlapMinutes: 60 });
    expect(await submit({}, rotated.body.key)).toMatchObject({ status: 201 });
    expect(await submit({}, issued.body.key)).toMatchObject({ status: 201 });
    expect(await call('DELETE', `/v1/organisations/kpu/keys/${rotated.body.keyId}`, keys['operator'])).toMatchObject({ status: 200 });
    expect(await submit({}, rotated.body.key)).toMatchObject({ status: 401, body: { code: 'key.unknown' } });
    expect(JSON.stringify(store.all())).not.toMatch(/Santoso/);
    expect(JSON.stringify((await pool.query('SELECT * FROM officer')).rows)).not.toMatch(/Santoso/);
  });

  it('refuses a role that the kind of organisation may not have', async () => {
    expect(await call('POST', '/v1/organisations/kpu/keys', keys['operator'], { roles: ['operator'], holder: 'officer:kpu-1' })).toMatchObject({ status: 422, body: { code: 'key.role-not-allowed' } });
    expect(await call('POST', '/v1/organisations/nobody/officers', keys['operator'], { name: 'X' })).toMatchObject({ status: 404, body: { code: 'organisation.not-found' } });
    expect((await pool.query('SELECT * FROM officer WHERE organisation = $1', ['nobody'])).rows).toEqual([]);
  });

  it('lets each role do what the table says, and nothing else', async () => {
    const callers = { bawaslu: ['agency', ['reporter', 'reviewer', 'issuer']], bawasluReviewer: ['agency', ['reviewer', 'issuer']], partner: ['partner', ['reporter']], auditor: ['auditor', ['auditor']], operator: ['operator', ['operator']], consumer: ['operator', ['consumer']], meta: ['platform', ['platform']] } as const;
    for (const row of intakeAccess) {
      const path = row.path.replace(':id', '00000000-0000-5000-8000-000000000000').replace(':keyId', 'none');
      expect([row, (await call(row.method, path, undefined, row.method === 'GET' ? undefined : {})).status]).toEqual([row, 401]);
      for (const [name, [kind, held]] of Object.entries(callers)) {
        const allowed = (row.roles as readonly string[]).some((role) => (held as readonly string[]).includes(role)) && (row.kinds === undefined || row.kinds.includes(kind));
        const { status } = await call(row.method, path, keys[name], row.method === 'GET' || row.method === 'DELETE' ? undefined : {});
        expect([row.method, row.path, name, status === 403]).toEqual([row.method, row.path, name, !allowed]);
        expect(status).toBeLessThan(500);
      }
    }
  });
});

describe('Another master key', () => {
  it('seals reporters and officers anew, while an instance that began before it reads on', async () => {
    const named = { headers: { 'idempotency-key': 'officer-of-two-keys' }, name: 'Budi Santoso' };
    const addOfficer = (on: typeof intake, name = named.name) => on.call('POST', '/v1/organisations/kpu/officers', keys['operator'], { name }, named.headers);
    const { body } = await submit({ reporter: { name: 'Ani Lestari' } });
    const officer = await addOfficer(intake);
    const nameOn = async (on: typeof intake) => (await on.call('GET', `/v1/reports/${body.id}`, keys['bawaslu'])).body.reporter;

    const masterKey = addMasterKey(parts.masterKeyFile);
    expect(await resealAll({ pool, masterKey, columns: [sealedSubjectKeys, sealedOfficerNames], log: createLogger({ name: 'intake', level: 'silent' }) })).toBeGreaterThanOrEqual(2);
    expect(new Set((await countSealed(pool, ['intake'])).map(({ table, id }) => `${table} ${id}`))).toEqual(new Set([`officer ${masterKey.currentId}`, `subject_key ${masterKey.currentId}`]));
    expect(await nameOn(intake)).toEqual({ name: 'Ani Lestari' });

    dropOldMasterKeys(parts.masterKeyFile);
    const next = await startIntake({ store, pool, ...parts, masterKey: loadMasterKey(parts.masterKeyFile) });
    expect(await nameOn(next)).toEqual({ name: 'Ani Lestari' });
    expect((await addOfficer(next)).body).toEqual(officer.body);
    expect(await addOfficer(next, 'Somebody Else')).toMatchObject({ status: 409, body: { code: 'request.key-reused' } });
    await next.stop();
  });
});
