import { createHash } from 'node:crypto';
import type { Address } from './address.js';
import type { Product } from './products.js';
import { content, isCode, wrapped, type Family, type Reading } from './reading.js';

const ORIGIN = 'https://www.google.com';

/** Where Google answers searches: `co.id` stands for google.co.id. A pattern would believe in domains Google does not hold. */
const TOP_LEVEL_DOMAINS = (
  'com cat ad ae al am as at az ba be bf bg bi bj bs bt by ca cd cf cg ch ci cl cm cn cv cz de dj dk dm dz ee es fi fm fr ga ge gg gl gm gr gy hn hr ht hu ' +
  'ie im iq is it je jo ki kg kz la li lk lt lu lv md me mg mk ml mn mu mv mw ne nl no nr nu pl pn ps pt ro rs ru rw sc se sh si sk sm sn so sr st td tg tl tm tn to tt vu ws ' +
  'co.ao co.bw co.ck co.cr co.id co.il co.in co.jp co.ke co.kr co.ls co.ma co.mz co.nz co.th co.tz co.ug co.uk co.uz co.ve co.vi co.za co.zm co.zw ' +
  'com.af com.ag com.ar com.au com.bd com.bh com.bn com.bo com.br com.bz com.co com.cu com.cy com.do com.ec com.eg com.et com.fj com.gh com.gi com.gt com.hk ' +
  'com.jm com.kh com.kw com.lb com.ly com.mm com.mt com.mx com.my com.na com.ng com.ni com.np com.om com.pa com.pe com.pg com.ph com.pk com.pr com.py com.qa ' +
  'com.sa com.sb com.sg com.sl com.sv com.tj com.tr com.tw com.ua com.uy com.vc com.vn'
).split(' ');

const SUBDOMAINS = /^(?:www|m|mobile|web|images|news|ipv4|ipv6|encrypted|cse|clients1|maps|scholar|books|[a-z]{2})?$/;

/** Under which parameter each of Google's own pages carries the address it leads to, the first that is there. */
const TARGET_PARAMS = new Map<string, readonly string[]>([
  ['url', ['url', 'q', 'u']],
  ['aclk', ['adurl']],
  ['pagead', ['adurl']],
  ['imgres', ['imgrefurl', 'imgurl']],
  ['interstitial', ['url']],
  ['gwt', ['u']],
  ['translate', ['u']],
  ['translate_c', ['u']],
]);

/**
 * A result's identity is the page it lists: the same page, listed for any query, in any of Google's countries, is one
 * delisting. Hashed, because a page's URL may be as long as a URL can be and a key should not.
 */
export function searchResult(canonicalTarget: string): Extract<Reading, { product: Product }> {
  const id = createHash('sha256').update(canonicalTarget, 'utf8').digest('hex');
  return { product: 'google_search', kind: 'result', id, canonicalUrl: canonicalTarget };
}

function listing(target: Reading): Reading {
  return typeof target === 'object' && 'wraps' in target ? { ...target, listing: true } : target;
}

function firstParam(address: Address, names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = address.param(name);
    if (value !== undefined) return value;
  }
  return undefined;
}

/** Still escaped, because they become part of another address. */
function rawSegments(address: Address): string[] {
  return (address.url?.pathname ?? '').split('/').filter((segment) => segment !== '');
}

/** What follows `/amp/` is the page's host and path, after an `s` when it is served by https. */
function ampTarget(address: Address, from: number): Reading {
  const secure = address.word(from) === 's';
  const [host = '', ...path] = rawSegments(address).slice(secure ? from + 1 : from);
  if (!/^[^.]+\.[^]+$/.test(host)) return 'not-content';
  return { wraps: `https://${host}/${path.join('/')}${address.url?.search ?? ''}`, listing: true };
}

const readGoogle: Family = (address, subdomain) => {
  if (subdomain === 'accounts' || subdomain === 'consent') return wrapped(address.param('continue'), ORIGIN);
  if (subdomain === 'translate') return listing(wrapped(address.param('u'), ORIGIN));
  if (!SUBDOMAINS.test(subdomain)) return 'not-ours';
  const first = address.word(0);
  if (first === 'amp') return ampTarget(address, 1);
  const params = TARGET_PARAMS.get(first);
  return params === undefined ? 'not-content' : listing(wrapped(firstParam(address, params), ORIGIN));
};

/** `www-example-org.cdn.ampproject.org/c/s/www.example.org/page`: the letter before `s` is the kind of copy. */
const readAmpCache: Family = (address) => (/^[a-z]$/.test(address.word(0)) && address.word(0) !== 's' ? ampTarget(address, 1) : 'not-content');

/** `www-example-org.translate.goog/page`: dots became hyphens, hyphens became two. */
const readTranslated: Family = (address, subdomain) => {
  if (subdomain === '' || subdomain.includes('.') || address.url === undefined) return 'not-content';
  const host = subdomain.replace(/--|-/g, (run) => (run === '--' ? '-' : '.'));
  const target = new URL(address.url);
  target.host = host;
  for (const name of [...target.searchParams.keys()]) {
    if (name.startsWith('_x_tr_')) target.searchParams.delete(name);
  }
  return { wraps: target.href, listing: true };
};

const readCache: Family = (address, subdomain) => {
  if (subdomain !== 'webcache') return 'not-ours';
  // cache:<code>:<address> followed, after a space, by the words searched for.
  const cached = /^cache:(?:[A-Za-z0-9_-]{12}:)?(\S+)/.exec(address.param('q') ?? '')?.[1];
  return listing(wrapped(cached, ORIGIN));
};

const readAds: Family = (address) => listing(wrapped(address.param('adurl'), ORIGIN));

function shortLink(code: string, canonicalUrl: string): Reading {
  return isCode(code, 4, 64) ? content('google_search', 'short', code, canonicalUrl) : 'not-content';
}

/** One segment only: `goo.gl/maps/…` and its like share other things than a search result. */
const readShared: Family = (address, subdomain, domain) => {
  if (subdomain !== '' && subdomain !== 'www') return 'not-ours';
  return address.segments.length === 1 ? shortLink(address.segment(0), `https://${domain}/${address.segment(0)}`) : 'not-content';
};

/** `g.co/kgs/CODE` shares a panel of a result page; the rest of g.co leads anywhere. */
const readPanel: Family = (address) =>
  address.word(0) === 'kgs' ? shortLink(address.segment(1), `https://g.co/kgs/${address.segment(1)}`) : 'not-content';

export const googleSearchHosts: ReadonlyMap<string, Family> = new Map<string, Family>([
  ...TOP_LEVEL_DOMAINS.map((domain) => [`google.${domain}`, readGoogle] as const),
  ['ampproject.org', readAmpCache],
  ['translate.goog', readTranslated],
  ['googleusercontent.com', readCache],
  ['googleadservices.com', readAds],
  ['share.google', readShared],
  ['search.app', readShared],
  ['search.app.goo.gl', readShared],
  ['goo.gl', readShared],
  ['g.co', readPanel],
]);
