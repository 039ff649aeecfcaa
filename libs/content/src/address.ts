/**
 * Reading an untrusted string as the address of something: everything here takes linear time on at most
 * {@link MAX_URL_LENGTH} characters, throws nothing, and follows the WHATWG URL standard, because that is where a
 * browser would go. The families of products look at an {@link Address}, never at the string.
 */
export const MAX_URL_LENGTH = 2048;

export type RefusalCode =
  | 'content.invalid-url'
  | 'content.url-too-long'
  | 'content.unknown-product'
  | 'content.unsupported-shape'
  | 'content.too-many-redirects';

export type Refusal = { code: RefusalCode; detail: string };

export function refusal(code: RefusalCode, detail: string): Refusal {
  return { code, detail };
}

/** What {@link Address.param} answers when a parameter is given twice with different values: no pattern accepts it. */
const AMBIGUOUS = '\u0000';

/** Characters that show an address as something else than it is, or that two programs read differently. */
const DECEPTIVE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Z}\\]/u;

const BARE_HOST = /^[\p{L}\p{N}_-]+(?:\.[\p{L}\p{N}_-]+)+\.?(?::\d+)?(?:[/?#]|$)/u;
const SCHEME = /^[a-z][a-z0-9+.-]*(?=:)/i;

/** The applications' own schemes whose addresses name content. */
const APP_SCHEMES = new Set(['tg', 'whatsapp', 'line', 'fb', 'instagram', 'vnd.youtube', 'youtube', 'snssdk1233', 'snssdk1180', 'tiktok', 'musically', 'kwai']);

export class Address {
  readonly segments: readonly string[];
  private readonly params: URLSearchParams;

  constructor(
    /** `https` for the web (http is the same place), else the application's own scheme. */
    readonly scheme: string,
    /** Lower case, ASCII (punycode), without a trailing dot; empty for an application's scheme. */
    readonly host: string,
    path: string,
    query: string,
    /** Percent-decoded, without `#`. */
    readonly fragment: string,
    /** Present on the web. */
    readonly url?: URL,
  ) {
    this.segments = path.split('/').filter((segment) => segment !== '').map(decoded);
    this.params = new URLSearchParams(query);
  }

  /** The path's n-th segment, percent-decoded. `%2F` stays inside its segment, so it never opens a new one. */
  segment(index: number): string {
    return this.segments[index] ?? '';
  }

  /** Where the product ignores case: the words of its own paths, such as `/Watch` or `/REEL`. */
  word(index: number): string {
    return this.segment(index).toLowerCase();
  }

  /**
   * A query parameter's value, also under the name that HTML escaping leaves behind (`&amp;v=`). Given twice with
   * different values it is nobody's: programs disagree on which one counts, and an order must not depend on that.
   */
  param(name: string): string | undefined {
    const values = [...this.params.getAll(name), ...this.params.getAll(`amp;${name}`)].filter((value) => value !== '');
    if (values.length === 0) return undefined;
    return values.every((value) => value === values[0]) ? values[0] : AMBIGUOUS;
  }

  hasParam(name: string): boolean {
    return this.params.has(name) || this.params.has(`amp;${name}`);
  }
}

/** Percent-decoded, or left as it is where the escapes are broken or overlong: `%` is in no id, so nothing matches it. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * Reads what an officer pasted. `example.org/x` without a scheme is taken as https, as a browser's address bar does.
 * User information (`https://www.tiktok.com@evil.example/`) is kept on `url` for the caller to judge once the host is known.
 */
export function readAddress(text: string): Address | Refusal {
  if (text.length > MAX_URL_LENGTH) return refusal('content.url-too-long', `A URL may have at most ${MAX_URL_LENGTH} characters`);
  let trimmed = text.trim();
  if (trimmed === '') return refusal('content.invalid-url', 'The URL is empty');
  if (DECEPTIVE.test(trimmed)) {
    return refusal('content.invalid-url', 'The URL contains a space, a backslash, or a control, direction or invisible character');
  }
  if (trimmed.startsWith('//')) trimmed = `https:${trimmed}`;
  else if (BARE_HOST.test(trimmed)) trimmed = `https://${trimmed}`;
  const scheme = SCHEME.exec(trimmed)?.[0].toLowerCase();
  if (scheme === undefined) return refusal('content.invalid-url', 'This is not a URL');
  if (scheme === 'http' || scheme === 'https') return readWebAddress(trimmed);
  if (APP_SCHEMES.has(scheme)) return readAppAddress(scheme, trimmed.slice(scheme.length + 1));
  return refusal('content.invalid-url', 'The URL must begin with http:// or https://');
}

function readWebAddress(text: string): Address | Refusal {
  if (!URL.canParse(text)) return refusal('content.invalid-url', 'The URL cannot be parsed');
  const url = new URL(text);
  return new Address('https', hostOf(url), url.pathname, url.search, decoded(url.hash.slice(1)), url);
}

/** A trailing dot only marks the host's name as complete. */
function hostOf(url: URL): string {
  return url.hostname.endsWith('.') ? url.hostname.slice(0, -1) : url.hostname;
}

/** `tg://resolve?domain=x` and `tg:resolve?domain=x` are the same to the applications. */
function readAppAddress(scheme: string, rest: string): Address {
  const [beforeFragment = '', fragment = ''] = splitOnce(rest, '#');
  const [path = '', query = ''] = splitOnce(beforeFragment, '?');
  return new Address(scheme, '', path, query, decoded(fragment));
}

function splitOnce(text: string, separator: string): string[] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

/** Anything the host's owner did not ask for by its name: only http's and https's own ports are the public content. */
export function hasForeignPort(url: URL): boolean {
  return url.port !== '' && url.port !== '80' && url.port !== '443';
}

/** Parameters that say how somebody came to a page and never which page it is, on any site. */
const TRACKING = new Set(
  ('fbclid gclid gclsrc gbraid wbraid dclid msclkid twclid ttclid yclid ysclid srsltid igsh igshid li_fat_id epik rb_clickid wickedid ' +
    '_ga _gl __s __hssc __hstc __hsfp _hsenc _hsmi hsctatracking mkt_tok vero_id vero_conv oly_anon_id oly_enc_id _openstat ' +
    'fb_action_ids fb_action_types fb_ref fb_source action_object_map action_type_map action_ref_map sfnsn mibextid ' +
    'ga_source ga_medium ga_term ga_content ga_campaign ga_place guce_referrer guce_referrer_sig s_cid ncid cmpid dm_i ' +
    '__twitter_impression ref_src ref_url echobox xtor usqp amp_js_v amp_gsa aoh ml_subscriber ml_subscriber_hash').split(' '),
);
const TRACKING_FAMILIES = ['utm_', 'mc_', 'mtm_', 'pk_', 'itm_', 'otm_', 'hmb_', 'trk_', 'at_custom'];

function isTracking(name: string): boolean {
  const lower = name.toLowerCase();
  return TRACKING.has(lower) || TRACKING_FAMILIES.some((family) => lower.startsWith(family));
}

/**
 * The general canonical form, for a page of a site that Sejam knows nothing about: https, lower-case punycode host, no
 * default port, no fragment, no tracking parameters, the others sorted by name (values of one name keep their order),
 * one slash where there were several, none at the end, escapes normalised as in RFC 3986 section 6.2.2. What only the
 * site can know (whether `www.` or a path's case matters) stays. A fixed point: applied again it changes nothing.
 */
export function generalCanonicalUrl(url: URL): string {
  const port = hasForeignPort(url) ? `:${url.port}` : '';
  // A slash pair after a colon belongs to a URL inside the path (web archives).
  const path = normaliseEscapes(url.pathname).replace(/(^|[^:])\/{2,}/g, '$1/').replace(/(?<!\/)\/$/, '');
  const query = normaliseEscapes(url.search.slice(1))
    .split('&')
    .map((pair) => ({ pair, name: splitOnce(pair, '=')[0] ?? '' }))
    .filter(({ pair, name }) => pair !== '' && !isTracking(name))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
    .map(({ pair }) => pair)
    .join('&');
  return `https://${hostOf(url)}${port}${path === '' ? '/' : path}${query === '' ? '' : `?${query}`}`;
}

function normaliseEscapes(text: string): string {
  return text.replace(/%(?:[0-9a-f]{2})?/gi, (escape) => {
    if (escape === '%') return '%25';
    const character = String.fromCharCode(Number.parseInt(escape.slice(1), 16));
    return /[A-Za-z0-9._~-]/.test(character) ? character : escape.toUpperCase();
  });
}
