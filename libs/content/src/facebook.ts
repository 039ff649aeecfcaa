import type { Address } from './address.js';
import { content, isCode, isNumericId, wrapped, type Family, type Reading } from './reading.js';

const ORIGIN = 'https://www.facebook.com';

/** Opaque: one post may have several, and only Facebook can tell which number is behind them. */
const PFBID = /^pfbid[A-Za-z0-9]{4,200}$/;
const VANITY = /^[a-z0-9._-]{2,80}$/;
const COMMENT = /^[A-Za-z0-9_-]{1,128}={0,2}$/;

const SUBDOMAINS = /^(?:www|m|mbasic|mobile|touch|web|free|0|d|h|p|x|iphone|business|beta|[a-z]{2,3}-[a-z]{2})?$/;

/** Pages that only lead on, and the parameter that says where. */
const WRAPPERS = new Map([
  ['l.php', 'u'], ['flx', 'u'], ['sharer', 'u'], ['sharer.php', 'u'], ['share.php', 'u'], ['dialog', 'href'], ['plugins', 'href'],
  ['login', 'next'], ['login.php', 'next'], ['checkpoint', 'next'], ['recover', 'next'], ['privacy', 'next'], ['cookie', 'next'],
]);

/** Facebook's own first path words, which nobody can have as a name. */
const RESERVED = new Set(
  ('about ads adsmanager ajax api badges bookmarks business careers connect developers events_manager feed find-friends friends gaming hashtag help ' +
    'home.php intern jobs legal lite live ads_library marketplace me messages messenger mobile notifications oauth policies pages_manager policy public ' +
    'saved search security settings share stories support terms tr translations watchlist v2.0 whitehat ' +
    'events groups media notes p pages people pg photo photos reel reels video videos watch').split(' ').concat([...WRAPPERS.keys()]),
);

/** Views of a page or profile that show the same subject again. */
const TABS = new Set(
  ('about about_details about_contact_and_basic_info likes posts photos photos_albums photos_by photos_of photos_stream videos videos_by reels reels_tab events ' +
    'community followers following friends groups live_videos live map mentions menu music notes reviews services shop sports timeline ads').split(' '),
);
const GROUP_TABS = new Set('about announcements buy_sell_discussion chats discussion events featured files media members photos reels search topics videos'.split(' '));
const GROUP_RESERVED = new Set(['', 'feed', 'discover', 'joins', 'create', 'search', 'notifications', 'category', 'browse']);

/** Letter case and full stops do not tell Facebook names apart, says its help page on user names. */
function nameKey(vanity: string): string {
  return vanity.replaceAll('.', '');
}

/** The number at the end of `Some-Page-1234567890`: pages without a name of their own are addressed so. */
function numberIn(owner: string): string | undefined {
  return /(?:^|-)([1-9]\d{4,19})$/.exec(owner)?.[1];
}

function isPostId(id: string | undefined): id is string {
  return isNumericId(id) || (id !== undefined && PFBID.test(id));
}

/** An owner as it may stand in an address: its number where it has one. */
function ownerOf(segment: string): string | undefined {
  if (isNumericId(segment)) return segment;
  const number = numberIn(segment);
  if (number !== undefined) return number;
  const vanity = segment.toLowerCase();
  return VANITY.test(vanity) ? vanity : undefined;
}

/** A comment under the content is another subject than the content; a reply is another than its comment. */
function withComment(reading: Reading, address: Address): Reading {
  if (typeof reading === 'string' || 'wraps' in reading) return reading;
  const comment = address.param('comment_id');
  const reply = address.param('reply_comment_id');
  if (comment === undefined && reply === undefined) return reading;
  if ((comment !== undefined && !COMMENT.test(comment)) || (reply !== undefined && !COMMENT.test(reply))) return 'not-content';
  const query = [
    ...(comment === undefined ? [] : [`comment_id=${unpadded(comment)}`]),
    ...(reply === undefined ? [] : [`reply_comment_id=${unpadded(reply)}`]),
  ].join('&');
  const separator = reading.canonicalUrl.includes('?') ? '&' : '?';
  return { ...reading, id: `${reading.id}:c${unpadded(reply ?? comment ?? '')}`, canonicalUrl: reading.canonicalUrl + separator + query };
}

function unpadded(base64: string): string {
  return base64.replace(/=+$/, '');
}

/** A pfbid names post and owner together, so the owner beside it adds nothing; neither does an owner that is only a name. */
function post(owner: string | undefined, id: string | undefined): Reading {
  if (!isPostId(id)) return 'not-content';
  const key = isNumericId(owner) && isNumericId(id) ? `${owner}_${id}` : id;
  return content('facebook', 'post', key, owner === undefined ? `${ORIGIN}/permalink.php?story_fbid=${id}` : `${ORIGIN}/${owner}/posts/${id}`);
}

function groupPost(group: string, id: string | undefined): Reading {
  const reading = post(group, id);
  return typeof reading === 'object' && 'canonicalUrl' in reading ? { ...reading, canonicalUrl: `${ORIGIN}/groups/${group}/posts/${id}` } : reading;
}

function video(id: string | undefined): Reading {
  return isNumericId(id) ? content('facebook', 'video', id, `${ORIGIN}/watch/?v=${id}`) : 'not-content';
}

function photo(id: string | undefined): Reading {
  return isNumericId(id) ? content('facebook', 'photo', id, `${ORIGIN}/photo/?fbid=${id}`) : 'not-content';
}

/** `a.<album>`, in old addresses followed by two more numbers. Other sets (`pcb.`, `oa.`, `gm.`) keep their letters. */
function album(set: string | undefined): Reading {
  const [, prefix = '', id = ''] = /^(?:([a-z]{1,6})\.)?([1-9]\d{0,19})(?:\.\d{1,20}){0,3}$/.exec(set ?? '') ?? [];
  if (id === '') return 'not-content';
  const own = prefix === '' || prefix === 'a';
  return content('facebook', 'album', own ? id : `${prefix}.${id}`, `${ORIGIN}/media/set/?set=${own ? 'a' : prefix}.${id}`);
}

function event(id: string | undefined): Reading {
  return isNumericId(id) ? content('facebook', 'event', id, `${ORIGIN}/events/${id}`) : 'not-content';
}

function account(segment: string | undefined): Reading {
  if (segment === undefined || segment === '') return 'not-content';
  if (PFBID.test(segment)) return content('facebook', 'account', segment, `${ORIGIN}/people/_/${segment}`);
  const owner = ownerOf(segment);
  if (owner === undefined || owner.endsWith('.php')) return 'not-content';
  if (isNumericId(owner)) return content('facebook', 'account', owner, `${ORIGIN}/profile.php?id=${owner}`);
  return !/[a-z]/.test(owner) || RESERVED.has(owner) ? 'not-content' : content('facebook', 'account', nameKey(owner), `${ORIGIN}/${owner}`);
}

function short(code: string | undefined, canonicalUrl: string): Reading {
  return isCode(code, 4, 64) ? content('facebook', 'short', code, canonicalUrl) : 'not-content';
}

function readShare(address: Address): Reading {
  const [, type = '', code] = address.segments;
  if (code === undefined) return short(type, `${ORIGIN}/share/${type}`);
  return /^[a-z]$/i.test(type) ? short(code, `${ORIGIN}/share/${type.toLowerCase()}/${code}`) : 'not-content';
}

function readGroup(address: Address): Reading {
  const [, name = '', ...rest] = address.segments;
  const group = name.toLowerCase();
  if (GROUP_RESERVED.has(group) || !VANITY.test(group)) return 'not-content';
  const queried = address.param('multi_permalinks') ?? (address.param('view') === 'permalink' ? address.param('id') : undefined);
  if (queried !== undefined) return groupPost(group, queried);
  const tab = rest[0]?.toLowerCase();
  if (tab === 'permalink' || tab === 'posts') return groupPost(group, rest.slice(1).findLast(isPostId));
  if (tab === 'user') return account(rest[1]);
  if (isNumericId(tab)) return groupPost(group, tab);
  if (tab !== undefined && !GROUP_TABS.has(tab)) return 'not-content';
  return content('facebook', 'group', group, `${ORIGIN}/groups/${group}`);
}

/** `/stories/<owner>/<token>`: a story is a post of a day, named by an opaque token. */
function readStory(address: Address): Reading {
  const owner = ownerOf(address.segment(1));
  const token = unpadded(address.segment(2));
  return owner !== undefined && isCode(token, 8, 128) ? content('facebook', 'post', token, `${ORIGIN}/stories/${owner}/${token}`) : 'not-content';
}

/** Everything under a page's or profile's own name. */
function readOwned(address: Address): Reading {
  const [first = '', second, ...rest] = address.segments;
  const owner = ownerOf(first);
  if (owner === undefined || RESERVED.has(first.toLowerCase())) return 'not-content';
  if (second === undefined) {
    const [, ofOwner, id] = /^([1-9]\d{0,19})_([1-9]\d{0,19})$/.exec(first) ?? [];
    return ofOwner === undefined ? account(first) : post(ofOwner, id);
  }
  const path = second.toLowerCase();
  const number = rest.findLast(isNumericId);
  if (rest.length > 0) {
    switch (path) {
      case 'posts':
      case 'permalink':
      case 'activity':
        return post(owner, rest.findLast(isPostId));
      case 'notes':
        return post(owner, number);
      case 'videos': // also /videos/<slug>/ID and /videos/vb.N/ID
      case 'reel':
      case 'reels':
        return video(number);
      case 'photos': // also /photos/a.N.../ID and /photos/pcb.N/ID
        return number === undefined ? album(rest[0]) : photo(number);
      case 'albums':
        return album(number);
      case 'events':
        return event(number);
    }
  }
  if (path === 'photos' && address.param('album_id') !== undefined) return album(address.param('album_id'));
  return TABS.has(path) ? account(first) : 'not-content';
}

function readPath(address: Address): Reading {
  const first = address.word(0);
  const wrapper = WRAPPERS.get(first);
  const target = wrapper === undefined ? undefined : address.param(wrapper) ?? address.param('link');
  if (target !== undefined) return wrapped(target, ORIGIN);
  const rest = address.segments.slice(1);
  switch (first) {
    case '': // the oldest script-driven addresses: /#!/page/posts/1
      return address.fragment.startsWith('!/') ? wrapped(address.fragment.slice(1), ORIGIN) : 'not-content';
    case 'share':
      return readShare(address);
    case 'permalink.php':
    case 'story.php': {
      const owner = address.param('id');
      return owner === undefined || isNumericId(owner) ? post(owner, address.param('story_fbid')) : 'not-content';
    }
    case 'profile.php':
      return isNumericId(address.param('id')) ? account(address.param('id')) : 'not-content';
    case 'photo':
    case 'photo.php':
    case 'photos':
      if (address.hasParam('v')) return video(address.param('v'));
      return photo(address.param('fbid') ?? rest.findLast(isNumericId));
    case 'watch':
    case 'video':
    case 'video.php': {
      const id = address.param('v') ?? address.param('video_id') ?? rest.findLast(isNumericId);
      return id === undefined && first === 'watch' && rest[0]?.toLowerCase() !== 'live' ? account(rest[0]) : video(id);
    }
    case 'reel':
    case 'reels':
    case 'videos':
      return video(rest.findLast(isNumericId));
    case 'media':
      return address.word(1) === 'set' ? album(address.param('set')) : 'not-content';
    case 'events': {
      const permalink = rest.indexOf('permalink');
      if (permalink < 0) return event(rest.findLast(isNumericId));
      return isNumericId(rest[0]) ? post(rest[0], rest[permalink + 1]) : 'not-content';
    }
    case 'groups':
      return readGroup(address);
    case 'stories':
      return readStory(address);
    case 'people':
      return account(rest[1]);
    case 'pages':
      return account(rest.findLast((item) => numberIn(item) !== undefined));
    case 'p':
    case 'pg':
      return account(rest[0]);
    case 'notes':
      return post(undefined, rest.findLast(isNumericId));
    default:
      return wrapper === undefined ? readOwned(address) : 'not-content';
  }
}

const readFacebook: Family = (address, subdomain) => {
  // Link shims of the sites: whatever the path, `u` is where they lead.
  if (subdomain === 'l' || subdomain === 'lm') return wrapped(address.param('u'), ORIGIN);
  return SUBDOMAINS.test(subdomain) ? withComment(readPath(address), address) : 'not-content';
};

/** fb.watch/CODE, fb.watch/v/CODE, fb.me/CODE, fb.me/e/CODE, fb.gg/v/CODE. */
const readShortHost: Family = (address, subdomain, domain) => {
  if (subdomain !== '' && subdomain !== 'www') return 'not-content';
  const [first = '', second] = address.segments;
  if (second === undefined) return short(first, `https://${domain}/${first}`);
  return /^[a-z]$/i.test(first) ? short(second, `https://${domain}/${first.toLowerCase()}/${second}`) : 'not-content';
};

/** A conversation with an account: the account is what can be acted on. */
const readMessenger: Family = (address, subdomain, domain) => {
  if (subdomain === 'l') return wrapped(address.param('u'), ORIGIN);
  return domain === 'm.me' && address.segments.length === 1 ? account(address.segment(0)) : 'not-content';
};

/** `fb://profile/ID` and its like. */
const readApp: Family = (address) => {
  const id = address.segment(1) || address.param('id');
  switch (address.word(0)) {
    case 'profile':
    case 'page':
      return isNumericId(id) ? account(id) : 'not-content';
    case 'group':
      return isNumericId(id) ? content('facebook', 'group', id, `${ORIGIN}/groups/${id}`) : 'not-content';
    case 'event':
      return event(id);
    case 'photo':
      return photo(id);
    case 'video':
    case 'reel':
      return video(id);
    case 'post':
      return post(undefined, id);
    case 'facewebmodal': // fb://facewebmodal/f?href=
      return wrapped(address.param('href'), ORIGIN);
    default:
      return 'not-content';
  }
};

export const facebookHosts: ReadonlyMap<string, Family> = new Map([
  ['facebook.com', readFacebook],
  ['fb.com', readFacebook],
  ['fb.watch', readShortHost],
  ['fb.me', readShortHost],
  ['fb.gg', readShortHost],
  ['m.me', readMessenger],
  ['messenger.com', readMessenger],
  ['fb:', readApp],
]);
