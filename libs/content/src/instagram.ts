import { content, foldCase, isCode, isNumericId, wrapped, type Family, type Reading } from './reading.js';

const INSTAGRAM = 'https://www.instagram.com';
const THREADS = 'https://www.threads.com';

const USER = /^[a-z0-9_.]{1,30}$/;
const MEDIA_PATHS = new Set(['p', 'reel', 'reels', 'tv']);
const TABS = new Set(['', 'reels', 'tagged', 'channel', 'feed', 'guides', 'followers', 'following', 'replies', 'reposts', 'media']);
const SUBDOMAINS = /^(?:www|m|mobile|web|i|[a-z]{2}-[a-z]{2})?$/;

/** Instagram's own first path words, which nobody can have as a name. */
const RESERVED = new Set(
  ('about accounts ads ar api archive blog challenge channel create data developer developers direct directory download emails emailsignup explore graphql guide ' +
    'help hashtag invites jobs legal lite live locations nametag notifications oauth oembed p popular press privacy reel reels s session settings share signup ' +
    'static stories support tags terms topics tv v web your_activity _n _u').split(' '),
);

/** Length of the part that a private account's codes carry behind the public one, to let followers in. */
const PRIVATE_TAIL = 28;

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** A short code is the media's 64-bit number in base64url; what follows in a private account's code is a pass, not identity. */
function mediaCodeOf(code: string | undefined): string | undefined {
  if (!isCode(code, 1, 64)) return undefined;
  return code.length > PRIVATE_TAIL ? code.slice(0, -PRIVATE_TAIL) : code;
}

/** Instagram's applications name media by number, sometimes followed by `_` and the owner's. */
function codeOfMediaNumber(number: string): string | undefined {
  const [media = ''] = number.split('_');
  if (!isNumericId(media)) return undefined;
  let code = '';
  for (let rest = BigInt(media); rest > 0n; rest >>= 6n) code = (ALPHABET[Number(rest & 63n)] ?? '') + code;
  return code;
}

/** One address for all of posts, reels and films: `/p/` opens each of them. */
function media(rawCode: string | undefined, comment?: string): Reading {
  const code = mediaCodeOf(rawCode);
  if (code === undefined) return 'not-content';
  if (comment === undefined) return content('instagram', 'media', code, `${INSTAGRAM}/p/${code}/`);
  return isNumericId(comment) ? content('instagram', 'media', `${code}:c${comment}`, `${INSTAGRAM}/p/${code}/c/${comment}/`) : 'not-content';
}

function account(name: string): Reading {
  const user = foldCase(name);
  return USER.test(user) && !RESERVED.has(user) ? content('instagram', 'account', user, `${INSTAGRAM}/${user}/`) : 'not-content';
}

/** `/CODE`, then perhaps a comment `/c/ID` and a reply to it `/r/ID`. */
function readMedia(rest: readonly string[]): Reading {
  const [code, path, comment, replyPath, reply] = rest;
  if (code === 'audio' || code === 'videos') return 'not-content'; // /reels/audio/ID is a sound, not a film
  if (path?.toLowerCase() !== 'c') return media(code);
  return media(code, replyPath?.toLowerCase() === 'r' ? reply : comment);
}

/** `/stories/<user>/<id>` and `/stories/highlights/<id>`. The user's stories as a whole are nothing that stays. */
function readStory(user: string, id: string): Reading {
  const name = foldCase(user);
  return USER.test(name) && isNumericId(id) ? content('instagram', 'story', id, `${INSTAGRAM}/stories/${name}/${id}/`) : 'not-content';
}

/** `/s/<base64 of "highlight:ID">?story_media_id=<media>_<owner>` is how the application shares a highlight. */
function readSharedHighlight(token: string, storyMedia: string | undefined): Reading {
  const [single = ''] = storyMedia?.split('_') ?? [];
  if (isNumericId(single)) return readStory('highlights', single);
  if (!isCode(token, 8, 128)) return 'not-content';
  const [, id = ''] = /^highlight:(\d{1,20})$/.exec(fromBase64(token)) ?? [];
  return readStory('highlights', id);
}

function fromBase64(token: string): string {
  try {
    return atob(token.replaceAll('-', '+').replaceAll('_', '/'));
  } catch {
    return '';
  }
}

function readShare(rest: readonly string[]): Reading {
  const [type = '', code] = rest;
  if (code === undefined) return isCode(type, 4, 64) ? content('instagram', 'short', type, `${INSTAGRAM}/share/${type}`) : 'not-content';
  const path = type.toLowerCase();
  return (MEDIA_PATHS.has(path) || path === 's') && isCode(code, 4, 64) ? content('instagram', 'short', code, `${INSTAGRAM}/share/${path}/${code}`) : 'not-content';
}

const readInstagram: Family = (address, subdomain) => {
  if (subdomain === 'l') return wrapped(address.param('u'), INSTAGRAM);
  if (!SUBDOMAINS.test(subdomain)) return 'not-content';
  const [, second = '', third = ''] = address.segments;
  const first = address.word(0);
  if (MEDIA_PATHS.has(first)) return readMedia(address.segments.slice(1));
  switch (first) {
    case 'stories':
      return readStory(second, third);
    case 's':
      return readSharedHighlight(second, address.param('story_media_id'));
    case 'share':
      return readShare(address.segments.slice(1));
    case 'accounts':
    case 'challenge':
      return wrapped(address.param('next'), INSTAGRAM);
    case 'oembed':
      return wrapped(address.param('url'), INSTAGRAM);
    case '_u':
    case '_n':
      return account(second);
  }
  if (RESERVED.has(first)) return 'not-content';
  if (MEDIA_PATHS.has(second.toLowerCase()) && third !== '') return readMedia(address.segments.slice(2));
  return TABS.has(second.toLowerCase()) ? account(first) : 'not-content';
};

/** ig.me/m/<user> opens a conversation: the account is what can be acted on. */
const readMessageLink: Family = (address) => (address.word(0) === 'm' ? account(address.segment(1)) : 'not-content');

/** `instagram://media?id=NUMBER`, `instagram://user?username=x`, `instagram://reel/CODE`. */
const readApp: Family = (address) => {
  switch (address.word(0)) {
    case 'media':
      return media(codeOfMediaNumber(address.param('id') ?? ''));
    case 'user':
      return account(address.param('username') ?? '');
    case 'p':
    case 'reel':
      return media(address.segment(1));
    default:
      return 'not-content';
  }
};

/** Threads speaks of posts in Instagram's codes; threads.net and threads.com are the same site. */
const readThreads: Family = (address, subdomain) => {
  if (subdomain === 'l') return wrapped(address.param('u'), THREADS);
  if (!SUBDOMAINS.test(subdomain)) return 'not-content';
  const [first = '', second = '', third] = address.segments;
  if (first.startsWith('@')) {
    const user = foldCase(first.slice(1));
    if (!USER.test(user)) return 'not-content';
    if (second.toLowerCase() === 'post') {
      const code = mediaCodeOf(third);
      return code === undefined ? 'not-content' : content('threads', 'post', code, `${THREADS}/@${user}/post/${code}`);
    }
    return TABS.has(second.toLowerCase()) ? content('threads', 'account', user, `${THREADS}/@${user}`) : 'not-content';
  }
  switch (first.toLowerCase()) {
    case 't': {
      const code = mediaCodeOf(second);
      return code === undefined ? 'not-content' : content('threads', 'post', code, `${THREADS}/t/${code}`);
    }
    case 'login':
      return wrapped(address.param('next'), THREADS);
    default:
      return 'not-content';
  }
};

export const instagramHosts: ReadonlyMap<string, Family> = new Map([
  ['instagram.com', readInstagram],
  ['instagr.am', readInstagram],
  ['ig.me', readMessageLink],
  ['instagram:', readApp],
  ['threads.com', readThreads],
  ['threads.net', readThreads],
]);
