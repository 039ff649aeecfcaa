import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { identify, isIdentified, takedownIdOf } from '@sejam/content';
import { legalBases } from '@sejam/contracts';
import { transactor } from '@sejam/event-sourcing';
import { fakeClock } from '@sejam/event-sourcing/testing';
import { postgresMigrations, runProjection, type Pool, type Projection } from '@sejam/postgres';
import { createLogger } from '@sejam/service-host';
import { eventually, testDatabase, testEventStore, type TestDatabase, type TestEventStore } from '@sejam/testkit';
import { createShortLinkFollower, type ShortLinkAnswer } from '@sejam/webhooks';
import { Takedowns } from '../takedown/act-on-takedown.js';
import { driveMerges } from '../takedown/drive-merges.js';
import { joining } from '../takedown/takedown.example.js';
import { FollowShortLinks, isFullAddress, shortLinkHosts } from './follow-short-links.js';
import { applyHolds, shortLinkMigrations } from './hold-view.js';

const clock = fakeClock();
const by = { organisation: 'sejam', holder: 'system:test' };
const log = createLogger({ name: 'routing', level: 'silent' });
let database: TestDatabase;
let record: TestEventStore;
let pool: Pool;
let takedowns: Takedowns;
let view: Projection;
let merges: Projection;
let links: FollowShortLinks | undefined;

beforeAll(async () => {
  database = await testDatabase();
  record = await testEventStore();
  pool = await database.pool('routing', [postgresMigrations, shortLinkMigrations]);
  const platforms = { endpointOf: () => ({ hasEndpoint: true, test: false }), answerSecrets: async () => [] };
  takedowns = new Takedowns({ transact: transactor(record.store, clock), platforms, policies: { all: async () => [] }, legalBases: legalBases(), desk: 'desk@sejam.example', redress: 'Object.' });
  view = runProjection({ pool, store: record.store, name: 'short-links', prefixes: ['takedown-'], apply: applyHolds, onApplied: () => links?.wake() });
  merges = driveMerges({ pool, store: record.store, takedowns });
});

afterEach(async () => {
  await links?.stop();
  links = undefined;
});

afterAll(async () => {
  await view?.stop();
  await merges?.stop();
  await record?.stop();
  await database?.drop();
});

/** The web as this test says it is; what follows redirects is tested where it lives. */
function start(answer: (url: string) => ShortLinkAnswer | Promise<ShortLinkAnswer>): void {
  links = new FollowShortLinks({ pool, clock, takedowns, log, follower: { follow: async (url) => answer(url), close: async () => undefined } }).start();
}

async function reportLink(reports = 1): Promise<string> {
  const content = identify(`https://vm.tiktok.com/ZM${randomUUID().replaceAll('-', '').slice(0, 8)}/`);
  if (!isIdentified(content)) throw new Error('Not a short link');
  const { contentKey, platform, product, provisional, canonicalUrl, submittedUrl } = content;
  const takedownId = takedownIdOf(contentKey);
  for (let report = 0; report < reports; report += 1) {
    const reportId = randomUUID();
    await takedowns.join({ takedownId, contentKey, platform, product, provisional }, joining({ reportId, canonicalUrl, submittedUrl }), { causationId: `event:${reportId}`, correlationId: reportId, by });
  }
  return takedownId;
}

async function typesOf(takedownId: string): Promise<string[]> {
  const types: string[] = [];
  for await (const { type } of record.store.read(`takedown-${takedownId}`)) types.push(type);
  return types;
}

describe('the short link of a takedown', () => {
  it('is followed, and its reports join the takedown of the content that it leads to', async () => {
    const video = String(7_000_000_000_000_000_000n + BigInt(Date.now()));
    start((url) => ({ resolved: true, url: `https://www.tiktok.com/@x/video/${video}?_r=1`, hops: [url] }));
    const takedownId = await reportLink(2);
    await eventually(async () => expect((await typesOf(takedownId)).slice(-2)).toEqual(['ContentIdentified', 'TakedownMerged']));
    await eventually(async () => expect(await typesOf(takedownIdOf(`tiktok:video:${video}`))).toEqual(['TakedownOpened', 'ReportJoined', 'OrderIssued', 'ReportJoined']));
    expect(await typesOf(takedownId)).not.toContain('OrderIssued');
  });

  it('that leads nowhere, or to what is nobody’s content, holds its order no longer', async () => {
    start((url) => (url.includes('ZMa') ? { resolved: true, url: 'https://example.org/', hops: [] } : { resolved: false, reason: 'dead', detail: '404', hops: [], retryable: false }));
    const takedownId = await reportLink();
    await eventually(async () => expect((await typesOf(takedownId)).at(-1)).toBe('OrderIssued'));
    for await (const { type, data, metadata } of record.store.read(`takedown-${takedownId}`)) {
      if (type === 'OrderIssued') expect([data, metadata.causationId]).toEqual([expect.objectContaining({ shortLink: 'unresolvable' }), `hold:${takedownId}.1`]);
    }
  });

  it('whose host is out of reach holds its order for ten seconds of domain time and no more', async () => {
    const follower = createShortLinkFollower({ allowedHosts: shortLinkHosts, isFinal: isFullAddress, resolve: async () => Promise.reject(Object.assign(new Error('no such host'), { code: 'ENOTFOUND' })) });
    links = new FollowShortLinks({ pool, clock, takedowns, log, follower }).start();
    const takedownId = await reportLink();
    await eventually(async () => expect((await pool.query('SELECT claimed_until FROM short_link_hold WHERE takedown_id = $1 AND claimed_until IS NOT NULL', [takedownId])).rows).toHaveLength(1));
    clock.advance(9_000);
    await links.stop();
    expect(await typesOf(takedownId)).not.toContain('OrderIssued');
    // Another instance takes over what the first one left.
    links = new FollowShortLinks({ pool, clock, takedowns, log, follower }).start();
    clock.advance(1_000);
    await eventually(async () => expect((await typesOf(takedownId)).at(-1)).toBe('OrderIssued'));
    await eventually(async () => expect((await pool.query('SELECT ended FROM short_link_hold WHERE takedown_id = $1', [takedownId])).rows).toEqual([{ ended: true }]));
  });

  it('that is resolved only after its order went out takes that back and merges', async () => {
    let resolve: (answer: ShortLinkAnswer) => void = () => undefined;
    start(() => new Promise((answered) => (resolve = answered)));
    const takedownId = await reportLink();
    await eventually(async () => expect((await pool.query('SELECT 1 FROM short_link_hold WHERE takedown_id = $1 AND claimed_until IS NOT NULL', [takedownId])).rows).toHaveLength(1));
    clock.advance(10_000);
    await eventually(async () => expect((await typesOf(takedownId)).at(-1)).toBe('OrderIssued'));
    resolve({ resolved: true, url: `https://www.tiktok.com/@x/video/7${String(Date.now()).padStart(18, '1')}`, hops: [] });
    await eventually(async () => expect((await typesOf(takedownId)).slice(-3)).toEqual(['ContentIdentified', 'TakedownMerged', 'OrderWithdrawn']));
  });
});
