import { content, foldCase, isCode, isNumericId, wrapped, type Family, type Reading } from './reading.js';

const ORIGIN = 'https://www.tiktok.com';

const USER = /^[a-z0-9_.]{1,32}$/;
const TAG = /^[\p{L}\p{M}\p{N}_]{1,150}$/u;
const SUBDOMAINS = /^(?:www|m|mobile|web|lite|t|us)?$/;
const TABS = new Set(['', 'live', 'followers', 'following', 'liked', 'reposts', 'favorites']);

function account(name: string): Reading {
  const user = foldCase(name);
  return USER.test(user) ? content('tiktok', 'account', user, `${ORIGIN}/@${user}`) : 'not-content';
}

/** Photos are numbered among the videos. Without its user's name a video is opened by the old mobile address. */
function video(id: string, userName?: string, path: 'video' | 'photo' = 'video'): Reading {
  if (!isNumericId(id)) return 'not-content';
  const user = foldCase(userName ?? '');
  return content('tiktok', 'video', id, USER.test(user) ? `${ORIGIN}/@${user}/${path}/${id}` : `https://m.tiktok.com/v/${id}.html`);
}

function short(code: string, prefix: string): Reading {
  return isCode(code, 4, 32) ? content('tiktok', 'short', code, prefix + code) : 'not-content';
}

function tag(name: string): Reading {
  const folded = foldCase(name);
  return TAG.test(folded) ? content('tiktok', 'tag', folded, `${ORIGIN}/tag/${encodeURIComponent(folded)}`) : 'not-content';
}

const readTiktok: Family = (address, subdomain) => {
  if (subdomain === 'vm' || subdomain === 'vt') {
    return address.word(0) === 't' ? short(address.segment(1), `${ORIGIN}/t/`) : short(address.segment(0), `https://${subdomain}.tiktok.com/`);
  }
  if (!SUBDOMAINS.test(subdomain)) return 'not-content';
  // A language may stand first: /id-ID/@user/video/ID. In the application's share pages it is i18n/.
  const words = /^(?:[a-z]{2}(?:-[a-z]{2,4})?|i18n)$/i.test(address.segment(0)) ? address.segments.slice(1) : address.segments;
  const [first = '', second = '', third = ''] = words;
  if (first.startsWith('@')) {
    const path = second.toLowerCase();
    if (path === 'video' || path === 'photo') return video(third, first.slice(1), path);
    return TABS.has(path) ? account(first.slice(1)) : 'not-content';
  }
  switch (first.toLowerCase()) {
    case 't':
      return short(second, `${ORIGIN}/t/`);
    case 'v':
      return video(second.replace(/\.html$/i, ''));
    case 'video':
      return video(second);
    case 'embed':
    case 'player': // /embed/ID, /embed/v2/ID, /player/v1/ID, /embed/@user
      if (second.startsWith('@')) return account(second.slice(1));
      return video(/^v\d$/i.test(second) ? third : second);
    case 'share': // /share/video/ID
      return second.toLowerCase() === 'video' ? video(third) : 'not-content';
    case 'tag':
    case 'hashtag':
      return tag(second);
    case 'login':
      return wrapped(address.param('redirect_url'), ORIGIN);
    case 'link': // /link/v2?target=
      return wrapped(address.param('target'), ORIGIN);
    case 'oembed':
      return wrapped(address.param('url'), ORIGIN);
    case 'foryou':
      return video(address.param('item_id') ?? '');
    default:
      return 'not-content';
  }
};

/** `snssdk1233://aweme/detail/ID`, `tiktok://video/ID`. */
const readApp: Family = (address) => {
  const [first, second, third] = address.segments;
  if (first === 'aweme' && second === 'detail') return video(third ?? '');
  return first === 'video' ? video(second ?? '') : 'not-content';
};

export const tiktokHosts: ReadonlyMap<string, Family> = new Map([
  ['tiktok.com', readTiktok],
  ['snssdk1233:', readApp],
  ['snssdk1180:', readApp],
  ['musically:', readApp],
  ['tiktok:', readApp],
]);
