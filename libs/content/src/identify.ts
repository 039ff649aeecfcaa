import { generalCanonicalUrl, hasForeignPort, MAX_URL_LENGTH, readAddress, refusal, type Address, type Refusal, type RefusalCode } from './address.js';
import { contentKeyOf, type ContentKey } from './content-key.js';
import { facebookHosts } from './facebook.js';
import { googleSearchHosts, searchResult } from './google-search.js';
import { instagramHosts } from './instagram.js';
import { lineHosts } from './line.js';
import { platformOf, type Kind, type Platform, type Product } from './products.js';
import type { Family, Reading } from './reading.js';
import { snackvideoHosts } from './snackvideo.js';
import { telegramHosts } from './telegram.js';
import { tiktokHosts } from './tiktok.js';
import { whatsappHosts } from './whatsapp.js';
import { youtubeHosts } from './youtube.js';

export type Identified = {
  /** Verbatim: evidence of what was reported. */
  submittedUrl: string;
  /** One address of the content that a person can open. Two addresses of one content may differ in it; the key decides. */
  canonicalUrl: string;
  contentKey: ContentKey;
  platform: Platform;
  product: Product;
  kind: Kind;
  /** A short link: the key stands for the link until a resolver has found what it leads to. */
  provisional: boolean;
};

export type Refused = { submittedUrl: string; refused: { code: RefusalCode; detail: string } };

export function isIdentified(answer: Identified | Refused): answer is Identified {
  return 'contentKey' in answer;
}

/** How many addresses may lead to one another (`l.facebook.com` → `google.com/url` → …) before somebody is playing. */
const MAX_WRAPPERS = 5;

/** Labels of the longest domain below (`search.app.goo.gl`): a host of a thousand labels is not walked through. */
const LONGEST_DOMAIN = 4;

/** By registrable domain, or by the application's scheme followed by a colon. */
const FAMILIES: ReadonlyMap<string, Family> = new Map([
  ...youtubeHosts, ...googleSearchHosts, ...tiktokHosts, ...facebookHosts, ...instagramHosts,
  ...whatsappHosts, ...telegramHosts, ...snackvideoHosts, ...lineHosts,
]);

/**
 * Says which content of which product a URL names. Pure, never throws, linear in the length of its input. A refusal
 * concerns this URL alone and says in its code why:
 * `content.invalid-url`, `content.url-too-long`, `content.unknown-product`, `content.unsupported-shape` (a known
 * product, but no content of it), `content.too-many-redirects`.
 */
export function identify(submittedUrl: string): Identified | Refused {
  return answer(submittedUrl, follow(submittedUrl));
}

/**
 * The search result that lists this page, for a page of any site: what a shared Google link turns out to lead to. A
 * page of one of the eleven products is that product's content instead, as in {@link identify}.
 */
export function identifySearchResult(targetUrl: string): Identified | Refused {
  return answer(targetUrl, follow(targetUrl, true));
}

type Content = Extract<Reading, { product: Product }>;

function answer(submittedUrl: string, outcome: Content | Refusal): Identified | Refused {
  if ('code' in outcome) return { submittedUrl, refused: outcome };
  const { product, kind, id, canonicalUrl } = outcome;
  if (canonicalUrl.length > MAX_URL_LENGTH) {
    return { submittedUrl, refused: refusal('content.url-too-long', `The canonical form of a URL may have at most ${MAX_URL_LENGTH} characters`) };
  }
  return { submittedUrl, canonicalUrl, contentKey: contentKeyOf(product, kind, id), platform: platformOf(product), product, kind, provisional: kind === 'short' };
}

function follow(text: string, listedFromTheStart = false): Content | Refusal {
  let next = text;
  let listed = listedFromTheStart;
  for (let wrappers = 0; wrappers <= MAX_WRAPPERS; wrappers++) {
    const address = readAddress(next);
    if ('code' in address) return address;
    const { family, subdomain, domain } = familyOf(address);
    const reading = family?.(address, subdomain, domain) ?? 'not-ours';
    if (reading === 'not-ours' && !listed) return refusal('content.unknown-product', 'The URL belongs to none of the products that Sejam knows');
    const dishonest = refusalOfAuthority(address, reading);
    if (dishonest !== undefined) return dishonest;
    if (reading === 'not-ours' || reading === 'not-content') {
      // Google carries a listing of that page, and only Google can take the listing away.
      const listable = listed && (reading === 'not-ours' || !googleSearchHosts.has(domain));
      if (listable && address.url !== undefined && /[^.]\.[^.]/.test(address.host)) return searchResult(generalCanonicalUrl(address.url));
      return refusal('content.unsupported-shape', 'The product is known, but this URL names no content on it');
    }
    if (!('wraps' in reading)) return reading;
    next = reading.wraps;
    listed ||= reading.listing === true;
  }
  return refusal('content.too-many-redirects', `More than ${MAX_WRAPPERS} addresses lead to one another`);
}

/** A known host is only believed when nothing before or after it in the authority plays on the reader's eye. */
function refusalOfAuthority({ url }: Address, reading: Reading): Refusal | undefined {
  if (url === undefined) return undefined;
  if (url.username !== '' || url.password !== '') return refusal('content.invalid-url', 'The URL carries a user name before its host');
  if (reading !== 'not-ours' && hasForeignPort(url)) return refusal('content.invalid-url', 'The URL carries a port that no product uses');
  return undefined;
}

/** Exact registrable domains only: `threads.com.evil.example` ends in nobody's. */
function familyOf(address: Address): { family?: Family; subdomain: string; domain: string } {
  if (address.host === '') {
    const domain = `${address.scheme}:`;
    const family = FAMILIES.get(domain);
    return { ...(family && { family }), subdomain: '', domain };
  }
  const labels = address.host.split('.');
  for (let from = Math.max(0, labels.length - LONGEST_DOMAIN); from < labels.length - 1; from++) {
    const domain = labels.slice(from).join('.');
    const family = FAMILIES.get(domain);
    if (family !== undefined) return { family, subdomain: labels.slice(0, from).join('.'), domain };
  }
  return { subdomain: '', domain: address.host };
}
