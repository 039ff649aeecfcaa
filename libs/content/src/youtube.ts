import type { Address } from './address.js';
import { commentSuffix, content, foldCase, isCode, wrapped, type Family, type Reading } from './reading.js';

const ORIGIN = 'https://www.youtube.com';

/** Letters of any script, as handles have had them since 2024. */
const HANDLE = /^[\p{L}\p{M}\p{N}._·-]{1,100}$/u;
const CHANNEL = /^UC[A-Za-z0-9_-]{22}$/;
const POST = /^Ug[A-Za-z0-9_-]{10,100}$/;
const COMMENT = /^[A-Za-z0-9_-]{10,64}(?:\.[A-Za-z0-9_-]{4,64})?$/;

/** The first path words that hold one video each; shorts and streams share the videos' namespace. */
const VIDEO_PATHS = new Set(['shorts', 'live', 'embed', 'v', 'e', 'vi', 'watch', 'w', 'video']);
const WRAPPER_PARAMS = new Map([
  ['attribution_link', 'u'], ['redirect', 'q'], ['oembed', 'url'], ['signin', 'next'], ['supported_browsers', 'next_url'],
  ['verify_age', 'next_url'], ['verify_controversy', 'next_url'], ['das_captcha', 'next'],
]);
/** Words of YouTube's own that a bare `youtube.com/<name>` must not be taken for a channel's legacy name. */
const RESERVED = new Set(
  ('about account ads channel channels clip copyright creators culture dashboard dev embed feed feeds gaming gaming2 get_video hashtag howyoutubeworks ' +
    'howitworks iframe_api index jobs kids learning live logout login media movies music my_videos new news next paid_memberships playlist playlists podcasts post ' +
    'premium press profile redirect reporthistory results robots.txt s search select_site shopping shorts show signup source sports static ' +
    'storefront subscription_center t terms testtube themes trailers trends tv upload user verify watch watch_popup watch_videos yt youtubei').split(' '),
);
const SUBDOMAINS = /^(?:www|m|mobile|web|music|gaming|kids|studio|[a-z]{2})?$/;

/** YouTube reads eleven characters and ignores what a careless copy left behind them. */
function videoIdOf(text: string | undefined): string | undefined {
  return /^[A-Za-z0-9_-]{11}(?![A-Za-z0-9_-])/.exec(text ?? '')?.[0];
}

function video(text: string | undefined, address: Address): Reading {
  const id = videoIdOf(text);
  const lc = address.param('lc');
  const comment = commentSuffix(lc, COMMENT);
  if (id === undefined || comment === undefined) return 'not-content';
  return content('youtube', 'video', id + comment, `${ORIGIN}/watch?v=${id}${comment === '' ? '' : `&lc=${lc}`}`);
}

function playlist(list: string | undefined): Reading {
  if (!isCode(list, 2, 64)) return 'not-content';
  return content('youtube', 'playlist', list, `${ORIGIN}/playlist?list=${list}`);
}

function post(id: string | undefined): Reading {
  return id !== undefined && POST.test(id) ? content('youtube', 'post', id, `${ORIGIN}/post/${id}`) : 'not-content';
}

/** Three name spaces that may hold the same word for different channels; none of them minds case. */
function named(kind: 'handle' | 'user' | 'custom', prefix: string, name: string): Reading {
  if (!HANDLE.test(name)) return 'not-content';
  const folded = foldCase(name);
  return content('youtube', kind, folded, `${ORIGIN}/${prefix}${encodeURIComponent(folded)}`);
}

function channel(id: string | undefined): Reading {
  return id !== undefined && CHANNEL.test(id) ? content('youtube', 'channel', id, `${ORIGIN}/channel/${id}`) : 'not-content';
}

const readYoutube: Family = (address, subdomain) => {
  if (subdomain === 'consent' || subdomain === 'accounts') return wrapped(address.param('continue'), ORIGIN);
  if (subdomain === 'img') return address.word(0) === 'vi' ? video(address.segment(1), address) : 'not-content';
  if (!SUBDOMAINS.test(subdomain)) return 'not-content';
  const first = address.word(0);
  const wrapperParam = WRAPPER_PARAMS.get(first);
  if (wrapperParam !== undefined) return wrapped(address.param(wrapperParam), ORIGIN);
  // A wall of posts shows one of them when the address says so.
  const postOnWall = address.param('lb');
  if (postOnWall !== undefined && (address.word(1) === 'community' || address.word(2) === 'community')) return post(postOnWall);
  if (first === 'embed' && address.word(1) === 'videoseries') return playlist(address.param('list'));
  if (first === '' && address.hasParam('v')) return video(address.param('v'), address);
  if (first === 'watch' || first === 'watch_popup' || first === 'ytscreeningroom') {
    return address.hasParam('v') ? video(address.param('v'), address) : video(address.segment(1), address);
  }
  if (VIDEO_PATHS.has(first)) return video(address.segment(1), address);
  if (first === 'playlist') return playlist(address.param('list'));
  if (first === 'post') return post(address.segment(1));
  if (first === 'channel') return channel(address.segment(1));
  if (first === 'feeds') return channel(address.param('channel_id'));
  if (first === 'user') return named('user', 'user/', address.segment(1));
  if (first === 'c') return named('custom', 'c/', address.segment(1));
  if (first.startsWith('@')) return named('handle', '@', address.segment(0).slice(1));
  if (first === '' || RESERVED.has(first) || first.endsWith('.php')) return 'not-content';
  // The oldest names stand bare and live in the space of the custom ones.
  return named('custom', 'c/', address.segment(0));
};

const readShortHost: Family = (address) => {
  if (address.word(0) === 'watch') return video(address.param('v'), address);
  if (address.word(0) === 'shorts' || address.word(0) === 'live') return video(address.segment(1), address);
  return video(address.segment(0), address);
};

const readImageHost: Family = (address, subdomain) =>
  /^i\d?$/.test(subdomain) && /^(?:vi|vi_webp|an_vi)$/.test(address.word(0)) ? video(address.segment(1), address) : 'not-content';

/** `vnd.youtube:ID`, `vnd.youtube://watch?v=ID`, `youtube://www.youtube.com/watch?v=ID`. */
const readApp: Family = (address) => {
  if (address.param('v') !== undefined) return video(address.param('v'), address);
  const [last = ''] = address.segments.slice(-1);
  if (address.word(0) === 'channel' || address.word(0) === 'user') return readYoutube(address, '', 'youtube.com');
  return video(last, address);
};

export const youtubeHosts: ReadonlyMap<string, Family> = new Map([
  ['youtube.com', readYoutube],
  ['youtube-nocookie.com', readYoutube],
  ['youtubekids.com', readYoutube],
  ['youtube.googleapis.com', readYoutube],
  ['youtube.co.id', readYoutube],
  ['youtu.be', readShortHost],
  ['ytimg.com', readImageHost],
  ['vnd.youtube:', readApp],
  ['youtube:', readApp],
]);
