import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { identify, identifySearchResult, isIdentified, MAX_URL_LENGTH } from './index.js';

const codeOf = (url: string) => {
  const answer = identify(url);
  return isIdentified(answer) ? answer.contentKey : answer.refused.code;
};

afterEach(() => {
  jest.restoreAllMocks();
});

describe('an address made to deceive', () => {
  it.each([
    ['an at sign before the real host', 'https://www.tiktok.com@evil.example/@a/video/1', 'content.unknown-product'],
    ['two at signs', 'http://user@www.tiktok.com@evil.example/@a/video/1', 'content.unknown-product'],
    ['a name before a known host', 'https://www.kpu.go.id@www.tiktok.com/@a/video/1', 'content.invalid-url'],
    ['a known name as a subdomain', 'https://www.facebook.com.evil.example/somepage', 'content.unknown-product'],
    ['a known name as an ending', 'https://notfacebook.com/somepage', 'content.unknown-product'],
    ['a known name with a hyphen', 'https://www-tiktok.com/@a/video/1', 'content.unknown-product'],
    ['a known top-level domain by itself', 'https://com/@a/video/1', 'content.unknown-product'],
    ['Cyrillic letters in the host', 'https://www.fаcebook.com/somepage', 'content.unknown-product'],
    ['the same in punycode', 'https://www.xn--fcebook-2fg.com/somepage', 'content.unknown-product'],
    ['a host that no name server can know', 'https://exa%00mple.org/somepage', 'content.invalid-url'],
    ['a backslash for a slash', 'https://evil.example\\@www.tiktok.com/@a/video/1', 'content.invalid-url'],
    ['a direction override', 'https://www.tiktok.com/\u202Eoediv/1', 'content.invalid-url'],
    ['a zero-width joiner in the host', 'https://tik\u200Dtok.com/@a', 'content.invalid-url'],
    ['a soft hyphen in the host', 'https://tik\u00ADtok.com/@a', 'content.invalid-url'],
    ['a NUL', 'https://www.tiktok.com/@a\u0000/video/1', 'content.invalid-url'],
    ['a line feed in the scheme', 'java\nscript:alert(1)', 'content.invalid-url'],
    ['a tab in the host', 'https://www.tik\ttok.com/@a', 'content.invalid-url'],
    ['a lone surrogate', 'https://www.youtube.com/@a\uD800', 'content.invalid-url'],
    ['a no-break space', 'https://www.youtube.com/@a\u00A0b', 'content.invalid-url'],
    ['an escaped slash inside a segment', 'https://www.tiktok.com/@a%2Fvideo%2F1', 'content.unsupported-shape'],
    ['an escaped NUL', 'https://www.youtube.com/watch?v=%00a1B2c3D4e5F', 'content.unsupported-shape'],
    ['an escaped NUL behind the id', 'https://www.tiktok.com/@a/video/1%00', 'content.unsupported-shape'],
    ['an overlong escape of a slash', 'https://www.youtube.com/@a%C0%AFb', 'content.unsupported-shape'],
    ['a broken escape', 'https://www.youtube.com/@a%zz', 'content.unsupported-shape'],
    ['an escape escaped twice', 'https://www.tiktok.com/%2540a', 'content.unsupported-shape'],
    ['an escaped direction override', 'https://www.youtube.com/@a%E2%80%AEb', 'content.unsupported-shape'],
    ['an id given twice with two values', 'https://www.facebook.com/watch/?v=1&v=2', 'content.unsupported-shape'],
    ['an owner given twice with two values', 'https://www.facebook.com/permalink.php?story_fbid=1&id=2&id=3', 'content.unsupported-shape'],
    ['a script behind a redirector', 'https://l.facebook.com/l.php?u=javascript%3Aalert(1)', 'content.invalid-url'],
    ['a name before a known host behind a redirector', 'https://l.facebook.com/l.php?u=https%3A%2F%2Fx%40www.tiktok.com%2F%40a', 'content.invalid-url'],
    ['a control character behind a redirector', 'https://l.facebook.com/l.php?u=https%3A%2F%2Ft.me%2Fab%0Ac', 'content.invalid-url'],
    ['a redirector to nothing', 'https://l.facebook.com/l.php?u=', 'content.unsupported-shape'],
    ['a redirector to itself', 'https://l.facebook.com/l.php?u=%2Fl.php%3Fu%3D', 'content.unsupported-shape'],
    ['a translated address of no host', 'https://-.translate.goog/x', 'content.unsupported-shape'],
    ['a listing of a host without a domain', 'https://www.google.com/url?q=http%3A%2F%2Flocalhost%2Fx', 'content.unsupported-shape'],
    ['an object property for a host', 'https://constructor/__proto__', 'content.unknown-product'],
    ['an object property for a scheme', '__proto__:x', 'content.invalid-url'],
    ['object properties for names of parameters', 'https://www.youtube.com/watch?__proto__=1&constructor=2', 'content.unsupported-shape'],
    ['nothing', '', 'content.invalid-url'],
    ['blanks', ' \t\n ', 'content.invalid-url'],
  ])('is refused or read for what it is: %s', (_what, url, expected) => {
    expect(codeOf(url)).toBe(expected);
  });

  it.each([
    'https://m.me/reels', 'https://m.me/login', 'https://www.facebook.com/pg/groups', 'https://ig.me/m/s', 'https://ig.me/m/explore', 'instagram://user?username=_u',
    'tg://resolve?domain=c', 'tg://resolve?domain=joinchat', 'https://share.t.me/', 'https://www.youtube.com/premium',
  ])("does not take a product's own word for somebody's name: %s", (url) => {
    expect(codeOf(url)).toBe('content.unsupported-shape');
  });

  it('goes where a browser would: dot segments are resolved and full-width letters are the plain ones', () => {
    expect(codeOf('https://www.tiktok.com/x/%2e%2e/@a/video/1')).toBe('tiktok:video:1');
    expect(codeOf('https://ｗｗｗ.tiktok.com/@a/video/1')).toBe('tiktok:video:1');
  });
});

describe('redirectors inside redirectors', () => {
  const nested = (times: number, inner: string): string => (times === 0 ? inner : `https://l.facebook.com/l.php?u=${encodeURIComponent(nested(times - 1, inner))}`);

  it('are followed five deep', () => {
    expect(codeOf(nested(5, 'https://t.me/abcde'))).toBe('telegram:channel:abcde');
  });

  it('are refused at six', () => {
    expect(codeOf(nested(6, 'https://t.me/abcde'))).toBe('content.too-many-redirects');
  });
});

describe('a very long address', () => {
  it(`is read up to ${MAX_URL_LENGTH} characters`, () => {
    const url = 'https://www.tiktok.com/@a/video/1?x=';
    expect(codeOf(url.padEnd(MAX_URL_LENGTH, 'x'))).toBe('tiktok:video:1');
    expect(codeOf(url.padEnd(MAX_URL_LENGTH + 1, 'x'))).toBe('content.url-too-long');
  });

  it.each([3_000, 1_000_000, 8_000_000])('of %d characters is refused without being parsed, matched or copied', (length) => {
    const parse = jest.spyOn(URL, 'canParse');
    const match = jest.spyOn(RegExp.prototype, 'test');
    const url = `https://www.tiktok.com/${'@'.repeat(length)}`;
    const answer = identify(url);
    const looks = [parse.mock.calls.length, match.mock.calls.length];
    jest.restoreAllMocks();
    expect(answer).toMatchObject({ submittedUrl: url, refused: { code: 'content.url-too-long' } });
    expect(looks).toEqual([0, 0]);
  });

  it('is refused when only its canonical form is too long, so that a canonical form can always be submitted', () => {
    const target = `https://example.org/${'é'.repeat(600)}`;
    expect(identifySearchResult(target)).toMatchObject({ refused: { code: 'content.url-too-long' } });
    expect(identifySearchResult(`https://example.org/${'é'.repeat(200)}`)).toMatchObject({ product: 'google_search' });
  });

  // Each of these is the worst case of some pattern; a pattern that backtracks would not come back within the test's time.
  const fill = (start: string, piece: string, end = '') => start + piece.repeat(Math.floor((MAX_URL_LENGTH - start.length - end.length) / piece.length)) + end;
  const worst = [
    fill('https://www.facebook.com/', 'a-1'), fill('https://www.facebook.com/', '-12345', '!'), fill('https://www.facebook.com/media/set/?set=a.1', '.1'), fill('https://www.facebook.com/a/posts/', '1/'),
    fill('https://www.facebook.com/?comment_id=', '=', '!'), fill('https://www.facebook.com/a/posts/1?comment_id=x', '=', '!'), fill('https://www.youtube.com/@', '.', '!'), fill('https://www.google.com/amp/', 'a.'),
    fill('https://www.google.com/url?q=https://example.org/', '/'), fill('https://www.google.com/url?q=https://example.org/', '%25'), fill('https://www.google.com/url?q=https://example.org/%3F', 'a%26'),
    fill('https://www.google.com/url?q=https://example.org/', ':///'), fill('https://', 'a.', 'com/'), fill('', 'a.'), fill('', 'a-'), fill('', 'a:'), fill('https://wa.me/', '+(', 'x'), fill('https://wa.me/', '1'),
    fill('https://web.telegram.org/k/#', '?tgaddr='), fill('https://www.tiktok.com/tag/', 'ª'), fill('https://line.me/', 'R/'), fill('https://t.me/', '+'), fill('https://a', '-', '.translate.goog/?_x_tr_a=1'),
    fill('https://a.translate.goog/?', '_x_tr_a&'), fill('https://l.facebook.com/l.php?u=', '%2Fl.php?u='), fill('https://webcache.googleusercontent.com/search?q=cache:', 'a:'), fill('https://www.youtube.com/watch?', 'v=1&'),
  ];

  it('is parsed at most once for itself and once for each address inside it, whatever it is made of', () => {
    for (const url of worst) {
      const parse = jest.spyOn(URL, 'canParse');
      expect(url.length).toBeLessThanOrEqual(MAX_URL_LENGTH);
      identify(url);
      expect(parse.mock.calls.length).toBeLessThanOrEqual(6);
      parse.mockRestore();
    }
  });
});
