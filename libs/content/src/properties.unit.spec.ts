import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { identify, isIdentified, type Identified, type Refused } from './index.js';

const CODES = ['content.invalid-url', 'content.url-too-long', 'content.unknown-product', 'content.unsupported-shape', 'content.too-many-redirects'];

const knownUrls = ['content-urls.tsv', 'shapes.tsv'].flatMap((file) =>
  readFileSync(new URL(`../fixtures/${file}`, import.meta.url), 'utf8').trimEnd().split('\n').slice(1).map((line) => line.split('\t')[0] ?? ''),
);

const webContents = knownUrls.filter((url) => /^https?:/.test(url) && isIdentified(identify(url)));

/** Addresses whose fragment says which content is meant. */
const speaksInFragment = (url: string) => url.includes('#');

function identified(url: string): Identified {
  const answer = identify(url);
  if (!isIdentified(answer)) throw new Error(`${url} was refused: ${answer.refused.code}`);
  return answer;
}

const identity = (url: string) => {
  const { contentKey, canonicalUrl } = identified(url);
  return { contentKey, canonicalUrl };
};

/** Whatever the input: an answer, with the input kept verbatim, and a fixed point if it is an identity. */
function expectHonestAnswer(submittedUrl: string): Identified | Refused {
  const answer = identify(submittedUrl);
  expect(answer.submittedUrl).toBe(submittedUrl);
  if (!isIdentified(answer)) {
    expect(CODES).toContain(answer.refused.code);
    return answer;
  }
  expect(answer.contentKey.startsWith(`${answer.product}:${answer.kind}:`)).toBe(true);
  expect(answer.canonicalUrl).toMatch(/^https:\/\/[!-~]+$/);
  if (answer.kind !== 'result') expect(identity(answer.canonicalUrl)).toEqual({ contentKey: answer.contentKey, canonicalUrl: answer.canonicalUrl });
  return answer;
}

const codeUnits = fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 80 }).map((units) => String.fromCharCode(...units));

describe('any string at all', () => {
  it('gets an answer and never an exception', () => {
    fc.assert(fc.property(fc.oneof(codeUnits, fc.string({ unit: 'binary' }), fc.webUrl({ withQueryParameters: true, withFragments: true })), (text) => void expectHonestAnswer(text)), { numRuns: 1500 });
  });

  it('gets one after a known host or scheme too', () => {
    const starts = [...new Set(knownUrls.map((url) => /^[^/?#]*(?:\/\/[^/?#]*)?\/?/.exec(url)?.[0] ?? ''))];
    fc.assert(fc.property(fc.constantFrom(...starts), fc.oneof(codeUnits, fc.string({ unit: 'binary' })), (start, rest) => void expectHonestAnswer(start + rest)), { numRuns: 1500 });
  });

  it('gets one when it is a known address with pieces of others cut into it', () => {
    const piece = fc.oneof(fc.constantFrom(...knownUrls).chain((url) => fc.nat(url.length).map((from) => url.slice(from, from + 12))), codeUnits, fc.constantFrom('%', '%2F', '%00', '%40', '%C0%AF', '@', '\\', '..', '//', '?', '#', '&', ':'));
    fc.assert(
      fc.property(fc.constantFrom(...knownUrls), fc.nat(), fc.nat(20), piece, (url, position, removed, inserted) => {
        const at = position % (url.length + 1);
        expectHonestAnswer(url.slice(0, at) + inserted + url.slice(at + removed));
      }),
      { numRuns: 3000 },
    );
  });

  it('gets one when it is put together from the words of known addresses', () => {
    const words = [...new Set(knownUrls.flatMap((url) => url.split(/[/?#&=]+/)).filter((word) => word !== '' && !word.endsWith(':')))];
    const hosts = [...new Set(knownUrls.filter((url) => URL.canParse(url)).map((url) => new URL(url).host))].filter((host) => host !== '');
    const word = fc.constantFrom(...words);
    fc.assert(
      fc.property(fc.constantFrom(...hosts), fc.array(word, { maxLength: 5 }), fc.array(fc.tuple(word, word), { maxLength: 3 }), (host, path, query) => {
        expectHonestAnswer(`https://${host}/${path.join('/')}?${query.map(([name, value]) => `${name}=${value}`).join('&')}`);
      }),
      { numRuns: 5000 },
    );
  });
});

const TRACKING = ['utm_source=x', 'utm_campaign=a%20b', 'fbclid=IwAR0', 'gclid=1', 'igsh=MzRl', 'igshid=x', 'si=Ab', 'feature=share', '_t=8pd', '_r=1', 'mibextid=x', 'sfnsn=mo', 'refsrc=deprecated', 'xmt=AQ', 'slof=1', 'mode=ems_copy_c', 'kpn=KWAI', 'share_id=9', 'utm_medium=link_copy', '__tn__=-R'];

/** Everything that changes how an address looks and not what it names. */
const disguise = fc.record({
  http: fc.boolean(),
  upperCaseHost: fc.boolean(),
  trailingDot: fc.boolean(),
  defaultPort: fc.boolean(),
  doubledSlashes: fc.boolean(),
  trailingSlash: fc.boolean(),
  fragment: fc.constantFrom('', '#', '#top', '#:~:text=x'),
  tracking: fc.subarray(TRACKING),
  order: fc.array(fc.nat(), { minLength: 24, maxLength: 24 }),
  around: fc.constantFrom(['', ''], [' ', ''], ['\t', '\n']),
});

type Disguise = typeof disguise extends fc.Arbitrary<infer T> ? T : never;

function disguised(url: string, how: Disguise): string {
  const [, authority = '', path = '', query = '', fragment = ''] = /^https?:\/\/([^/?#]*)([^?#]*)\??([^#]*)(.*)$/.exec(url) ?? [];
  const [, host = '', port = ''] = /^([^:]*)(.*)$/.exec(authority) ?? [];
  // Google's `/amp/` and translated addresses end in somebody else's query, where only what is tracking everywhere may go.
  const tracking = identified(url).kind === 'result' ? how.tracking.filter((pair) => /^(?:utm_|fbclid|gclid|igsh)/.test(pair)) : how.tracking;
  const pairs = [...query.split('&').filter((pair) => pair !== ''), ...tracking].map((pair, index) => ({ pair, at: how.order[index % how.order.length] ?? 0 }));
  const shuffled = pairs.sort((a, b) => a.at - b.at).map(({ pair }) => pair).join('&');
  return (
    (how.around[0] ?? '') +
    (how.http ? 'http://' : 'https://') +
    (how.upperCaseHost ? host.toUpperCase() : host) +
    (how.trailingDot && !host.endsWith('.') ? '.' : '') +
    (how.defaultPort ? (how.http ? ':80' : ':443') : port) +
    (how.doubledSlashes ? path.replaceAll('/', '//') : path) +
    (how.trailingSlash && !path.endsWith('/') ? '/' : '') +
    (shuffled === '' ? '' : `?${shuffled}`) +
    (fragment === '' && (path !== '' && path !== '/') ? how.fragment : fragment) +
    (how.around[1] ?? '')
  );
}

describe('one content', () => {
  it('has one key and one canonical form however its address is disguised', () => {
    fc.assert(
      fc.property(fc.constantFrom(...webContents.filter((url) => !speaksInFragment(url))), disguise, (url, how) => {
        expect(identity(disguised(url, how))).toEqual(identity(url));
      }),
      { numRuns: 4000 },
    );
  });

  it.each([
    ['youtube', ['https://www.youtube.com', 'https://youtube.com', 'https://m.youtube.com', 'https://music.youtube.com', 'https://www.youtube-nocookie.com', 'https://id.youtube.com'], '/watch?v=a1B2c3D4e5F'],
    ['tiktok', ['https://www.tiktok.com', 'https://tiktok.com', 'https://m.tiktok.com', 'https://web.tiktok.com'], '/@some.user/video/7399295712095227142'],
    ['facebook', ['https://www.facebook.com', 'https://facebook.com', 'https://m.facebook.com', 'https://mbasic.facebook.com', 'https://web.facebook.com', 'https://touch.facebook.com', 'https://id-id.facebook.com', 'https://fb.com'], '/100013505203886/posts/1416333865493440'],
    ['instagram', ['https://www.instagram.com', 'https://instagram.com', 'https://m.instagram.com', 'https://instagr.am'], '/p/DceO7gsR0w-/'],
    ['threads', ['https://www.threads.com', 'https://threads.com', 'https://www.threads.net', 'https://threads.net'], '/@some.user/post/DWgbI5MDJlS'],
    ['whatsapp', ['https://www.whatsapp.com', 'https://whatsapp.com', 'https://web.whatsapp.com'], '/channel/0029VaBOlsv002TEjlntTE2D'],
    ['telegram', ['https://t.me', 'https://www.t.me', 'https://telegram.me', 'https://telegram.dog', 'https://t.me/s'], '/somechannel/1234'],
    ['snackvideo', ['https://www.snackvideo.com', 'https://snackvideo.com', 'https://m.snackvideo.com'], '/@some.user/video/5229243730248039750'],
    ['line', ['https://line.me', 'https://www.line.me', 'https://line.me/R'], '/ti/g2/RSb0ymAKXxOsPaFCxAOtHM8tT8CpyU43N9dZNg'],
    ['line_voom', ['https://linevoom.line.me', 'https://timeline.line.me'], '/post/1164666160509083989'],
    ['google_search', ['https://www.google.com', 'https://google.co.id', 'https://www.google.com.sg', 'https://images.google.de'], '/url?q=https%3A%2F%2Fexample.org%2Fhoax'],
  ])('of %s is the same on every host of the product', (_product, origins, path) => {
    const identities = origins.map((origin) => identity(origin + path));
    expect(new Set(identities.map((found) => JSON.stringify(found))).size).toBe(1);
  });

  it.each([
    ['https://www.youtube.com/@', ''], ['https://www.youtube.com/user/', ''], ['https://www.youtube.com/c/', ''],
    ['https://www.tiktok.com/@', ''], ['https://www.tiktok.com/tag/', ''], ['https://www.facebook.com/', ''], ['https://www.facebook.com/groups/', ''],
    ['https://www.instagram.com/', '/'], ['https://www.threads.com/@', ''], ['https://t.me/', ''], ['https://t.me/', '/1234'], ['https://line.me/R/ti/p/@', ''],
  ])('of %s<name>%s is the same in whatever case the name is written', (before, after) => {
    const letters = fc.array(fc.tuple(fc.constantFrom(...'abcxyz'), fc.boolean()), { minLength: 5, maxLength: 16 });
    fc.assert(
      fc.property(letters, (drawn) => {
        const mixed = drawn.map(([letter, upper]) => (upper ? letter.toUpperCase() : letter)).join('');
        expect(identity(`${before}n${mixed}${after}`)).toEqual(identity(`${before}n${mixed.toLowerCase()}${after}`));
      }),
      { numRuns: 100 },
    );
  });
});

describe('two contents', () => {
  it.each([
    ['https://www.youtube.com/watch?v=', 11], ['https://www.instagram.com/p/', 11], ['https://www.threads.com/t/', 11], ['https://vt.tiktok.com/', 9],
    ['https://fb.watch/', 10], ['https://chat.whatsapp.com/', 22], ['https://t.me/joinchat/', 16], ['https://line.me/ti/g2/', 38], ['https://lin.ee/', 7], ['https://sck.io/p/', 8],
  ] as const)('behind %s have two keys where their codes differ in case alone', (before, length) => {
    const code = fc.array(fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz'), { minLength: length, maxLength: length }).map((letters) => letters.join(''));
    fc.assert(
      fc.property(code, fc.nat(length - 1), (lower, at) => {
        const other = lower.slice(0, at) + (lower[at] ?? '').toUpperCase() + lower.slice(at + 1);
        expect(identified(before + other).contentKey).not.toBe(identified(before + lower).contentKey);
      }),
      { numRuns: 50 },
    );
  });

  it.each([
    ['a message and a comment under it', 'https://t.me/somechannel/1234', 'https://t.me/somechannel/1234?comment=77'],
    ['a post and a comment under it', 'https://www.facebook.com/somepage/posts/1416333865493440', 'https://www.facebook.com/somepage/posts/1416333865493440?comment_id=7'],
    ['a video and a comment under it', 'https://youtu.be/a1B2c3D4e5F', 'https://www.youtube.com/watch?v=a1B2c3D4e5F&lc=UgxAbCdEfGhIjKlMnOp4AaABAg'],
    ['a channel and a story of it', 'https://t.me/somechannel', 'https://t.me/somechannel/s/12'],
    ['a message and a story of one number', 'https://t.me/somechannel/12', 'https://t.me/somechannel/s/12'],
    ['a public and a private channel', 'https://t.me/c1504567890/99', 'https://t.me/c/1504567891/99'],
    ['a handle and an older name of one spelling', 'https://www.youtube.com/@somename', 'https://www.youtube.com/c/somename'],
    ['an invitation and a phone number', 'https://t.me/+6281234567890', 'https://t.me/+AbCdEfGhIjKlMnOp'],
    ['an official account and a person of one name', 'https://line.me/ti/p/@some.id', 'https://line.me/ti/p/~some.id'],
    ['pages that differ in a parameter', 'https://www.google.com/url?q=https%3A%2F%2Fexample.org%2F%3Fid%3D1', 'https://www.google.com/url?q=https%3A%2F%2Fexample.org%2F%3Fid%3D2'],
  ])('have two keys: %s', (_what, one, other) => {
    expect(identified(one).contentKey).not.toBe(identified(other).contentKey);
  });
});

describe('the page behind a search result', () => {
  const target = fc.webUrl({ withQueryParameters: true, withFragments: true }).filter((url) => url.length < 400);

  it('keeps its key when its canonical form is listed in turn', () => {
    fc.assert(
      fc.property(target, (url) => {
        const first = identify(`https://www.google.com/url?q=${encodeURIComponent(url)}`);
        fc.pre(isIdentified(first));
        expect(identity(`https://www.google.co.id/url?url=${encodeURIComponent(first.canonicalUrl)}`)).toEqual({ contentKey: first.contentKey, canonicalUrl: first.canonicalUrl });
      }),
      { numRuns: 500 },
    );
  });

  it('keeps its key under tracking parameters, http, a fragment, and query order', () => {
    const listed = (url: string) => identified(`https://www.google.com/url?q=${encodeURIComponent(url)}`).contentKey;
    expect(listed('http://EXAMPLE.org:80/a//b/?b=2&utm_source=x&a=1&fbclid=y#c')).toBe(listed('https://example.org/a/b?a=1&b=2'));
    expect(listed('https://example.org/%7Euser/%c3%a9')).toBe(listed('https://example.org/~user/é'));
    expect(listed('https://example.org/A')).not.toBe(listed('https://example.org/a'));
    expect(listed('https://web.archive.org/web/2024/https://example.org/')).toBe(listed('https://web.archive.org/web/2024/https://example.org'));
  });
});
