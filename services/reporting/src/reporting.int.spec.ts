import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { busMigrations, BusTransport, logBus, toEnvelope, type Bus } from '@sejam/bus';
import { topics } from '@sejam/contracts';
import { fakeClock, memoryEventStore } from '@sejam/event-sourcing/testing';
import { postgresMigrations, type Pool } from '@sejam/postgres';
import { createLogger, hostSettings, IdentityDirectory, identityMigrations, newApiKey, readConfig, refusalBy, startService, type RunningService } from '@sejam/service-host';
import { eventually, testDatabase, type TestDatabase } from '@sejam/testkit';
import { reportingAccess } from './access.js';
import type { Board } from './board/get-board.js';
import { History, minute, Story } from './history.example.js';
import { viewMigrations } from './rebuild/view-migrations.js';
import type { ReportOutcome } from './report/get-outcome.js';
import { keyStillGood } from './reporting-ports.js';
import { ReportingModule } from './reporting.module.js';
import type { Compliance } from './statistics/get-compliance.js';
import type { TransparencyReport } from './statistics/get-transparency.js';
import type { Volume } from './statistics/get-volume.js';

const callers = {
  kpu: ['agency', ['reporter', 'reviewer', 'issuer']], partner: ['partner', ['reporter']], auditor: ['auditor', ['auditor']], operator: ['operator', ['operator']],
  consumer: ['operator', ['consumer']], tiktok: ['platform', ['platform']], meta: ['platform', ['platform']],
} as const;
type CallerName = keyof typeof callers;
const keys = Object.fromEntries(Object.keys(callers).map((name) => [name, newApiKey(name)])) as Record<CallerName, ReturnType<typeof newApiKey>>;

const clock = fakeClock(minute(0));
const history = new History();
const closing = new AbortController();
const directory = new IdentityDirectory().alwaysFresh();
let database: TestDatabase;
let pool: Pool;
let bus: Bus;
let service: RunningService;
let transport: BusTransport;
let published = 0;

beforeAll(async () => {
  database = await testDatabase();
  pool = await database.pool('reporting', [postgresMigrations, viewMigrations, busMigrations, identityMigrations]);
  bus = logBus({ store: memoryEventStore() });
  for (const [name, [kind, roles]] of Object.entries(callers)) {
    const organisation = name === 'consumer' ? 'operator' : name;
    directory.apply({ type: 'OrganisationRegistered', data: { organisation, kind, name } });
    directory.apply({ type: 'KeyIssued', data: { organisation, keyId: name, holder: `system:${name}`, roles, secretSha256: keys[name as CallerName].sha256 } });
  }
  const log = createLogger({ name: 'reporting', level: 'silent' });
  transport = new BusTransport({ bus, pool, consumer: 'reporting' });
  service = await startService({
    name: 'reporting',
    module: ReportingModule.with({ pool, bus, clock, log, closing: closing.signal, holdsGoodKey: keyStillGood(directory), consumers: () => ({ reporting: transport.unwrap() }) }),
    config: readConfig(hostSettings({ port: 0, internalPort: 0 }), { RATE_LIMIT_PER_KEY: '100000' }),
    log,
    access: reportingAccess,
    directory,
    readiness: {},
    transports: [transport],
  });
});

afterAll(async () => {
  closing.abort();
  await service?.close();
  await bus?.close();
  await database?.drop();
});

/** What was told since the last time, published in its order, and taken in. */
async function heard(): Promise<void> {
  for (; published < history.told.length; published += 1) {
    const { topic, message } = history.told[published]!;
    await bus.publish(topic, [toEnvelope(message)]);
  }
  await eventually(async () => expect(await transport.unwrap().lag()).toEqual(Object.fromEntries(Object.keys(topics).filter((topic) => topic !== 'sejam.identity.v1').map((topic) => [topic, 0]))));
}

const ask = (path: string, caller?: CallerName, init: RequestInit = {}) =>
  fetch(`${service.url}${path}`, { ...init, headers: { ...(caller === undefined ? {} : { authorization: `Bearer ${keys[caller].key}` }), ...(init.headers as Record<string, string>) } });

async function get<Body>(path: string, caller?: CallerName): Promise<{ status: number; body: Body & { code?: string } }> {
  const response = await ask(path, caller);
  return { status: response.status, body: (await response.json()) as Body & { code?: string } };
}

/** Events of a stream as they come, until enough of them are there. */
async function* eventsOf(response: Response): AsyncGenerator<{ event?: string; id?: string; data: unknown }> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const part of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(part, { stream: true });
    const events = text.split('\n\n');
    text = events.pop() ?? '';
    for (const event of events) {
      const fields = Object.fromEntries(event.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]));
      if (fields['data'] !== undefined) yield { ...fields, data: JSON.parse(fields['data']) as unknown };
    }
  }
}

let counter = 0;
const story = (about: Partial<ConstructorParameters<typeof Story>[1]> = {}) => new Story(history, { name: `case${(counter += 1)}`, ...about });

describe('the board', () => {
  it('shows open orders, the least time left first, and forgets them when they are answered', async () => {
    const slow = story({ at: 0 }).running(0);
    const urgent = story({ at: -30 }).running(-30);
    const waiting = story({ platform: 'meta' }).submitted().approved().opened().joined().issued();
    await heard();
    const { body } = await get<Board>('/v1/board?limit=200', 'kpu');
    const shown = body.items.filter(({ orderId }) => [slow, urgent, waiting].some((one) => one.orderId === orderId));
    expect(shown.map(({ orderId, clock: what, secondsLeft }) => [orderId, what, secondsLeft])).toEqual([[waiting.orderId, 'dispatch', 60], [urgent.orderId, 'resolution', 1_800], [slow.orderId, 'resolution', 3_600]]);
    expect(body.platforms.find(({ platform }) => platform === 'meta')).toMatchObject({ undelivered: 1 });
    slow.actioned(5);
    await heard();
    expect((await get<Board>('/v1/board?limit=200', 'kpu')).body.items.map(({ orderId }) => orderId)).not.toContain(slow.orderId);
  });

  it('gives platforms and partners what is theirs, page by page', async () => {
    const own = story({ reportedBy: 'partner' }).running();
    const other = story().running();
    await heard();
    const { body } = await get<Board>('/v1/board?limit=200', 'partner');
    expect(body.items.map(({ orderId }) => orderId)).toEqual([own.orderId]);
    expect(body).not.toHaveProperty('alarms');
    const platforms = await get<Board>('/v1/board?limit=200', 'meta');
    expect(new Set(platforms.body.items.map(({ platform }) => platform))).toEqual(new Set(['meta']));
    const seen: string[] = [];
    for (let next: string | undefined, page = 0; page < 50; page += 1) {
      const { body: part } = await get<Board>(`/v1/board?limit=1${next === undefined ? '' : `&cursor=${next}`}`, 'auditor');
      seen.push(...part.items.map(({ orderId }) => orderId));
      next = part.next;
      if (next === undefined) break;
    }
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toEqual(expect.arrayContaining([own.orderId, other.orderId]));
    expect(await get('/v1/board?cursor=nonsense', 'auditor')).toMatchObject({ status: 400, body: { code: 'request.invalid-cursor' } });
  });

  it('raises an alarm for contents that were approved and reached no takedown', async () => {
    const before = (await get<Board>('/v1/board', 'operator')).body.alarms?.approvedWithoutTakedown ?? 0;
    const lost = story({ at: -2 }).submitted(-2).approved(-2);
    await heard();
    expect((await get<Board>('/v1/board', 'operator')).body.alarms?.approvedWithoutTakedown).toBe(before + 1);
    lost.opened().joined();
    await heard();
    expect((await get<Board>('/v1/board', 'operator')).body.alarms?.approvedWithoutTakedown).toBe(before);
  });

  it('streams a snapshot and then what changes, and goes on after the last event where it can', async () => {
    const first = story({ reportedBy: 'partner' }).running();
    await heard();
    const stream = eventsOf(await ask('/v1/board/stream', 'partner'));
    const snapshot = (await stream.next()).value as { event: string; id: string; data: { items: { orderId: string }[] } };
    expect(snapshot.event).toBe('snapshot');
    expect(snapshot.data.items.map(({ orderId }) => orderId)).toContain(first.orderId);
    const second = story({ reportedBy: 'partner' }).running();
    story().running();
    await heard();
    expect((await stream.next()).value).toMatchObject({ event: 'order', data: { orderId: second.orderId } });

    const resumed = eventsOf(await ask('/v1/board/stream', 'partner', { headers: { 'last-event-id': snapshot.id } }));
    expect((await resumed.next()).value).toMatchObject({ event: 'order', data: { orderId: second.orderId } });
    const strange = eventsOf(await ask('/v1/board/stream', 'partner', { headers: { 'last-event-id': 'elsewhere-7' } }));
    expect((await strange.next()).value).toMatchObject({ event: 'snapshot' });
    second.actioned(3);
    await heard();
    expect((await stream.next()).value).toMatchObject({ event: 'gone', data: { orderId: second.orderId } });
    await Promise.all([stream, resumed, strange].map((one) => one.return(undefined)));
  });

  it('is a page of its own that fetches nothing from elsewhere and holds no data', async () => {
    const response = await ask('/board');
    expect(response.status).toBe(200);
    expect(response.headers.get('content-security-policy')).toMatch(/default-src 'none'; script-src 'sha256-[^']+'; style-src 'sha256-[^']+'; connect-src 'self'/);
    const page = await response.text();
    expect(page).not.toMatch(/(src|href)=|https?:\/\/|localStorage|document\.cookie|innerHTML/);
  });
});

describe('GET /v1/reports/{id}/outcome', () => {
  it('tells of each content what came of it', async () => {
    const done = story({ reportedBy: 'partner' }).running(0).actioned(12, false);
    const refused = story({ reportedBy: 'partner' }).running(0).order('OrderRefused', 90, { reason: 'not_illegal_here', explanation: 'Satire' });
    const declined = story({ reportedBy: 'partner' }).submitted().declined(3);
    await heard();
    expect((await get<ReportOutcome>(`/v1/reports/${done.reportId}/outcome`, 'partner')).body).toMatchObject({
      status: 'approved',
      contents: [{ decision: 'approved', status: 'actioned', order: { action: { action: 'labelled', asRequested: false }, dueAt: minute(60), answeredAt: minute(12), resolution: 'met' } }],
    });
    expect((await get<ReportOutcome>(`/v1/reports/${refused.reportId}/outcome`, 'auditor')).body.contents[0]).toMatchObject({ status: 'refused', order: { refusal: { explanation: 'Satire' }, resolution: 'missed' } });
    expect((await get<ReportOutcome>(`/v1/reports/${declined.reportId}/outcome`, 'partner')).body).toMatchObject({ status: 'declined', contents: [{ decision: 'declined' }] });
  });

  it('follows a merged takedown to the one it goes on as', async () => {
    const target = story().running(0).actioned(2);
    const link = story().submitted().approved().opened().joined();
    link.ofTakedown('TakedownMerged', 1, { into: target.takedownId, contentKey: target.contentKey, reports: [link.reportId] });
    await heard();
    expect((await get<ReportOutcome>(`/v1/reports/${link.reportId}/outcome`, 'kpu')).body.contents[0]).toMatchObject({ takedownId: link.takedownId, mergedInto: target.takedownId, status: 'actioned' });
  });

  it('is not there for whoever may not see the report', async () => {
    const theirs = story({ reportedBy: 'kpu' }).submitted();
    await heard();
    expect(await get(`/v1/reports/${theirs.reportId}/outcome`, 'partner')).toMatchObject({ status: 404, body: { code: 'report.not-found' } });
    expect((await get('/v1/reports/7/outcome', 'kpu')).status).toBe(400);
  });
});

describe('statistics', () => {
  it('count each order issued in the half-open span once, by what became of it', async () => {
    const day = 60 * 24;
    const at = (about: object) => story({ at: 10 * day, region: '11', ...about });
    at({}).running(10 * day).actioned(10 * day + 10);
    at({ platform: 'meta' }).running(10 * day).actioned(10 * day + 61, false);
    at({ platform: 'meta' }).running(10 * day).order('OrderRefused', 10 * day + 30, { reason: 'not_found', explanation: 'x' });
    at({}).running(10 * day);
    at({}).submitted().approved().opened().joined().issued(10 * day).order('OrderDeemedDelivered', 10 * day + 15, { attempts: 3, causes: [] });
    at({}).submitted().approved().opened().joined().issued(10 * day);
    at({}).running(10 * day).order('ObjectionRaised', 10 * day + 20, { grounds: 'x', counted: true }).order('ObjectionUpheld', 10 * day + 40, { reason: 'x', ruledBy: 'kpu' })
      .order('OrderWithdrawn', 10 * day + 40, { cause: 'objection_upheld', reason: 'x', withdrawnBy: 'kpu' });
    at({}).running(10 * day).actioned(10 * day + 5).order('ContentReinstated', 10 * day + 90, { reason: 'x' });
    at({ test: true }).running(10 * day).actioned(10 * day + 1);
    at({ at: 11 * day - 120 }).running(11 * day - 120);
    await heard();

    // Jakarta's midnight is 17:00 UTC; the day of the orders ends there.
    const span = 'from=2024-12-07&to=2024-12-08';
    const { body } = await get<Compliance>(`/v1/statistics/compliance?${span}&groupBy=platform`, 'auditor');
    const { groups, ...total } = body;
    expect(total).toEqual({
      from: '2024-12-06T17:00:00.000Z', to: '2024-12-07T17:00:00.000Z', tz: 'Asia/Jakarta', groupBy: 'platform',
      issued: 8, undelivered: 1, deemed: 1, running: 2, actioned: { asRequested: 2, otherwise: 1 }, refused: 1, objected: 1, withdrawn: 1, missed: 1, withinTerms: 4,
      within60MinOfDelivery: 4, within60MinOfFirstReport: 4, medianSeconds: 1_200, p90Seconds: 3_660, p99Seconds: 3_660, reinstated: 1,
    });
    expect(groups?.map(({ group, issued, refused }) => [group, issued, refused])).toEqual([['meta', 2, 1], ['tiktok', 6, 0]]);
    expect((await get<Compliance>(`/v1/statistics/compliance?${span}&test=include`, 'auditor')).body.issued).toBe(9);
    expect((await get<Compliance>('/v1/statistics/compliance?from=2024-12-07T02:00:00Z&to=2024-12-07T02:00:00Z', 'auditor')).body.issued).toBe(0);
    for (const groupBy of ['product', 'category', 'region', 'agency', 'issue']) {
      const { body: by } = await get<Compliance>(`/v1/statistics/compliance?${span}&groupBy=${groupBy}`, 'kpu');
      expect(by.groups?.reduce((sum, { issued }) => sum + issued, 0)).toBe(8);
    }
  });

  it('count what was submitted, by category and its parts', async () => {
    const year = 60 * 24 * 400;
    for (const [category, issue] of [['hoax.candidate', 'I-1'], ['hoax.other', 'I-1'], ['hate_speech', 'I-2']] as const) {
      story({ at: year, category, issue }).running(year);
      story({ at: year, category }).submitted(year).declined(year);
    }
    const unroutable = story({ at: year });
    unroutable.ofReport('ReportUnroutable', year, { reference: 'x', reportedBy: 'kpu', category: 'hoax.other', region: '32', refused: [] });
    await heard();
    const all = await get<Volume>('/v1/statistics/volume?from=2025-12-01', 'auditor');
    expect(all.body).toMatchObject({ issues: 2, contents: 6, reports: 6, orders: 3, declined: 3, unroutable: 1 });
    const hoax = await get<Volume>('/v1/statistics/volume?from=2025-12-01&category=hoax', 'auditor');
    expect(hoax.body).toMatchObject({ issues: 1, contents: 4, reports: 4, orders: 2, declined: 2, unroutable: 1 });
    expect(hoax.body.byCategory.map(({ category, reports }) => [category, reports])).toEqual([['hoax.candidate', 2], ['hoax.other', 2]]);
  });

  it.each([
    ['a time that is none', 'from=2024-02-30'], ['a word', 'from=yesterday12'], ['an unknown zone', 'tz=Mars/Base'], ['an unknown group', 'groupBy=officer'],
    ['a span that ends before it begins', 'from=2024-12-02&to=2024-12-01'], ['an unknown parameter', 'since=2024-12-02'],
  ])('refuse %s', async (_, query) => {
    expect((await get(`/v1/statistics/compliance?${query}`, 'auditor')).status).toBe(400);
  });

  it('are published for a period without URL, reporter or region, to anybody', async () => {
    story({ name: '7399295712095227142', region: '73.71', reportedBy: 'partner', issue: 'SECRET-ISSUE' }).running(0).actioned(1);
    await heard();
    for (const period of ['2024-11', '2024-Q4', '2024']) {
      const { status, body } = await get<TransparencyReport>(`/v1/transparency/${period}`);
      expect(status).toBe(200);
      expect(body.orders.issued).toBeGreaterThan(0);
      expect(JSON.stringify(body)).not.toMatch(/http|7399295712095227142|73\.71|partner|SECRET|officer/);
    }
    for (const period of ['2024-13', '2024-Q5', '2031', 'x', '2023-11x']) expect((await get(`/v1/transparency/${period}`)).status).toBe(404);
  });
});

describe('exports', () => {
  it('hold every takedown once, and only the own ones of a platform, without its reporters', async () => {
    for (let n = 0; n < 5; n += 1) story({ platform: 'meta', reportedBy: 'partner' }).running();
    await heard();
    const lines = async (caller: CallerName) => (await (await ask('/v1/exports/takedowns.ndjson?test=include', caller)).text()).trim().split('\n').map((line) => JSON.parse(line) as { takedownId: string; platform: string; reportedBy: string | null });
    const all = await lines('auditor');
    const { rows } = await pool.query<{ takedowns: number }>('SELECT count(*) AS takedowns FROM takedown');
    expect(new Set(all.map(({ takedownId }) => takedownId)).size).toBe(rows[0]?.takedowns);
    expect(all).toHaveLength(rows[0]?.takedowns ?? -1);
    const own = await lines('meta');
    expect(new Set(own.map(({ platform, reportedBy }) => `${platform} ${reportedBy}`))).toEqual(new Set(['meta null']));
    expect(new Set((await lines('partner')).map(({ reportedBy }) => reportedBy))).toEqual(new Set(['partner']));
  });

  it('make no spreadsheet run what a stranger wrote', async () => {
    story({ issue: '=HYPERLINK("http://evil")', url: 'https://t.me/a,b' }).running();
    await heard();
    const response = await ask('/v1/exports/takedowns.csv', 'auditor');
    expect(response.headers.get('content-type')).toMatch(/^text\/csv/);
    const text = await response.text();
    expect(text.startsWith('takedownId,contentKey,')).toBe(true);
    expect(text).toContain(`"'=HYPERLINK(""http://evil"")"`);
    expect(text).toContain('"https://t.me/a,b"');
  });
});

describe('GET /v1/events', () => {
  it('hands on a topic as CloudEvents, from a cursor on', async () => {
    const { takedownId } = story().running();
    await heard();
    const lines = (await (await ask('/v1/events?topic=sejam.takedown.v1', 'consumer')).text()).trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    const own = lines.filter(({ subject }) => subject === `takedown-${takedownId}`);
    expect(own.map(({ type }) => type)).toEqual(['TakedownOpened', 'ReportJoined', 'OrderIssued', 'OrderDelivered'].map((type) => `sejam.takedown.v1.${type}`));
    expect(own[0]).toMatchObject({ specversion: '1.0', sequence: '0'.repeat(20), time: minute(0), datacontenttype: 'application/json', data: { takedownId } });
    const rest = (await (await ask(`/v1/events?topic=sejam.takedown.v1&after=${String(own[2]?.['cursor'])}`, 'consumer')).text()).trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(rest.map(({ id }) => id)).toEqual(lines.slice(lines.findIndex(({ id }) => id === own[3]?.['id'])).map(({ id }) => id));
    expect((await get('/v1/events?topic=sejam.identity.v1', 'consumer')).status).toBe(400);
    expect((await get('/v1/events?topic=sejam.takedown.v1&after=x', 'consumer')).status).toBe(422);
  });

  it('follows a quiet topic as an event stream', async () => {
    const stream = eventsOf(await ask('/v1/events?topic=sejam.sla.v1&follow=true', 'consumer', { headers: { accept: 'text/event-stream' } }));
    const told = story().clock('ClockStarted', 0, { startedAt: minute(0), due: minute(60) });
    await heard();
    const { value } = await stream.next();
    expect(value).toMatchObject({ id: expect.any(String), data: { subject: `clock-${told.orderId}`, data: { due: minute(60) } } });
    await stream.return(undefined);
  });
});

describe('parked messages', () => {
  it('wait with what comes behind them, and go on when they are skipped with a reason', async () => {
    const broken = story().submitted().approved().opened();
    const { message } = history.told.at(-1)!;
    history.told.at(-1)!.message.data['platform' as never] = 7 as never;
    broken.joined().issued();
    await heard();
    const { body } = await get<{ items: { id: string; cause: string; stream: string }[] }>('/v1/parked', 'operator');
    const own = body.items.filter(({ stream }) => stream === message.subject);
    expect(own.map(({ cause }) => cause)).toEqual(['not-understood', 'queued', 'queued']);
    const post = (path: string, data: object) => ask(path, 'operator', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(data) });
    expect((await post(`/v1/parked/${own[0]?.id}/replay`, {})).status).toBe(200);
    expect((await post(`/v1/parked/${own[0]?.id}/skip`, {})).status).toBe(422);
    expect((await post('/v1/parked/reporting:99999/skip', { reason: 'a test' })).status).toBe(404);
    expect((await get<{ items: { stream: string }[] }>('/v1/parked', 'operator')).body.items.filter(({ stream }) => stream === message.subject)).toHaveLength(3);
    expect((await post(`/v1/parked/${own[0]?.id}/skip`, { reason: 'a test' })).status).toBe(200);
    expect((await get<{ items: unknown[] }>('/v1/parked', 'operator')).body.items).toEqual([]);
    // Each message tells of its takedown, so that the view goes on without the first one.
    broken.delivered(1);
    await heard();
    const { body: board } = await get<{ items: { orderId: string }[] }>('/v1/board?limit=200', 'auditor');
    expect(board.items.find(({ orderId }) => orderId === broken.orderId)).toMatchObject({ status: 'delivered', platform: 'tiktok', contentKey: broken.contentKey, url: expect.stringMatching(/^https:/) });
  });

  it('of a report or a clock that begins with a skipped one are done without', async () => {
    const unheard = story().submitted();
    history.told.at(-1)!.message.data['statement' as never] = 7 as never;
    unheard.approved().clock('ClockStarted', 0, { startedAt: minute(0), due: minute(60) });
    history.told.at(-1)!.message.data['due' as never] = [] as never;
    unheard.clock('ClockStopped', 5, { cause: 'withdrawn' });
    await heard();
    const parked = async () => (await get<{ items: { id: string; cause: string }[] }>('/v1/parked', 'operator')).body.items;
    const heads = (await parked()).filter(({ cause }) => cause === 'not-understood');
    expect(heads).toHaveLength(2);
    for (const { id } of heads) expect((await ask(`/v1/parked/${id}/skip`, 'operator', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ reason: 'a test' }) })).status).toBe(200);
    expect(await parked()).toEqual([]);
    expect((await get(`/v1/reports/${unheard.reportId}/outcome`, 'auditor')).status).toBe(404);
  });
});

describe('access', () => {
  it('lets each role read what the table says, and nothing else', async () => {
    for (const row of reportingAccess) {
      const path = row.path.replace(':id', '00000000-0000-5000-8000-000000000000').replace(':period', '2024-11') + (row.path === '/v1/events' ? '?topic=sejam.sla.v1' : '');
      if (row.roles !== 'public') expect([row.path, (await ask(path, undefined, { method: row.method })).status]).toEqual([row.path, 401]);
      for (const [name, [kind, roles]] of Object.entries(callers)) {
        const response = await ask(path, name as CallerName, row.method === 'GET' ? {} : { method: row.method, headers: { 'content-type': 'application/json' }, body: '{}' });
        await response.body?.cancel();
        expect([row.path, name, response.status === 403]).toEqual([row.path, name, refusalBy(row, { kind, roles }) !== undefined]);
        expect(response.status).toBeLessThan(500);
      }
    }
  });
});
