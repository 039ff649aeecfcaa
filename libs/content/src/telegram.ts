import type { Address } from './address.js';
import { commentSuffix, content, isCode, isNumericId, wrapped, type Family, type Reading } from './reading.js';

const ORIGIN = 'https://t.me';

const USER = /^[a-z][a-z0-9_]{0,31}$/;
const NUMBER = /^[1-9]\d{0,19}$/;
/** Digits alone would be a phone number. */
const INVITE = /^(?!\d+$)[A-Za-z0-9_-]{8,64}$/;
const PHONE = /^[1-9]\d{6,14}$/;

/** Telegram's own first path words, which are no one's name. */
const RESERVED = new Set(
  ('a addemoji addlist addstickers addtheme auction bg boost c call confirmphone contact giftcode invoice iv joinchat k login m nft passport proxy s setlanguage ' +
    'share socks stargift z').split(' '),
);

/** Where a message stands: a public name, or the number of a private channel behind a `c`. */
function chat(name: string): { id: string; path: string } | undefined {
  const user = name.toLowerCase();
  return USER.test(user) && !RESERVED.has(user) ? { id: user, path: user } : undefined;
}

function privateChat(number: string): { id: string; path: string } | undefined {
  // The Bot API writes channel numbers as -100<number>.
  const channel = number.replace(/^-100/, '');
  return isNumericId(channel) ? { id: `c${channel}`, path: `c/${channel}` } : undefined;
}

/** Of `<thread>/<id>` the id names the message; the thread says only where it is shown. A comment is another message. */
function message(where: ReturnType<typeof chat>, id: string | undefined, comment: string | undefined): Reading {
  const suffix = commentSuffix(comment, NUMBER);
  if (where === undefined || !isNumericId(id) || suffix === undefined) return 'not-content';
  return content('telegram', 'message', `${where.id}:${id}${suffix}`, `${ORIGIN}/${where.path}/${id}${suffix === '' ? '' : `?comment=${comment}`}`);
}

function story(where: ReturnType<typeof chat>, id: string | undefined): Reading {
  return where !== undefined && isNumericId(id) ? content('telegram', 'story', `${where.id}:${id}`, `${ORIGIN}/${where.path}/s/${id}`) : 'not-content';
}

/** Channels, groups, bots and people share one space of names, and the address does not tell them apart. */
function channel(where: ReturnType<typeof chat>): Reading {
  return where === undefined ? 'not-content' : content('telegram', 'channel', where.id, `${ORIGIN}/${where.path}`);
}

function phone(digits: string): Reading {
  return PHONE.test(digits) ? content('telegram', 'phone', digits, `${ORIGIN}/+${digits}`) : 'not-content';
}

/** Behind `t.me/+` stands a phone number when it is digits only, else an invitation. */
function inviteOrPhone(text: string): Reading {
  return /^\d+$/.test(text) ? phone(text) : invite(text);
}

function invite(hash: string): Reading {
  return INVITE.test(hash) ? content('telegram', 'invite', hash, `${ORIGIN}/+${hash}`) : 'not-content';
}

function slug(kind: 'contact' | 'folder' | 'stickers', path: string, text: string | undefined): Reading {
  return isCode(text, 1, 128) ? content('telegram', kind, text, `${ORIGIN}/${path}/${text}`) : 'not-content';
}

/** What follows a public name or a private channel's number: nothing, an id, a thread and an id, or a story. */
function readChat(where: ReturnType<typeof chat>, rest: readonly string[], address: Address): Reading {
  const [first, second] = rest;
  if (first === undefined) {
    const queriedStory = address.param('story');
    return queriedStory === undefined ? channel(where) : story(where, queriedStory);
  }
  if (first.toLowerCase() === 's') return story(where, second);
  if (isNumericId(first)) return message(where, isNumericId(second) ? second : first, address.param('comment'));
  // t.me/<bot>/<application>: the bot is what can be acted on.
  return second === undefined && isCode(first, 3, 64) && !/^\d/.test(first) ? channel(where) : 'not-content';
}

function readPath(segments: readonly string[], address: Address): Reading {
  const [first = '', second = ''] = segments;
  if (/^[+ ]/.test(first)) return inviteOrPhone(first.slice(1));
  const word = first.toLowerCase();
  switch (word) {
    case 'c':
      return readChat(privateChat(second), segments.slice(2), address);
    case 's': // the preview that a browser shows
      return readChat(chat(second), segments.slice(2), address);
    case 'joinchat':
      return invite(second);
    case 'contact':
      return slug('contact', 'contact', second);
    case 'addlist':
      return slug('folder', 'addlist', second);
    case 'addstickers':
    case 'addemoji':
      return slug('stickers', word, second);
    case 'boost': {
      const number = address.param('c');
      return channel(number === undefined ? chat(second) : privateChat(number));
    }
    case 'share':
    case 'iv':
      return wrapped(address.param('url'), ORIGIN);
  }
  return readChat(chat(first), segments.slice(1), address);
}

/** `<user>.t.me/<id>` is `t.me/<user>/<id>`. */
const readTelegram: Family = (address, subdomain) => {
  if (subdomain === '' || subdomain === 'www') return readPath(address.segments, address);
  return subdomain.includes('.') ? 'not-content' : readPath([subdomain, ...address.segments], address);
};

/**
 * web.telegram.org/k/#@user, /a/#-100<channel>_<id>, and #?tgaddr=tg%3A%2F%2F… The fragment comes percent-decoded. A
 * negative number without 100 in front may be a channel or an old small group: two subjects, so neither.
 */
const readWebClient: Family = (address, subdomain) => {
  if (!/^(?:web|webk|webz|weba)$/.test(subdomain)) return 'not-content';
  const query = address.fragment.indexOf('?');
  const params = new URLSearchParams(query < 0 ? '' : address.fragment.slice(query + 1));
  const inner = /^\??tgaddr=(.+)$/.exec(address.fragment)?.[1];
  if (inner !== undefined) return wrapped(inner, ORIGIN);
  const peer = params.get('p') ?? (query < 0 ? address.fragment : address.fragment.slice(0, query));
  const [, user, number, id] = /^(?:@([A-Za-z0-9_]{1,32})|-100(\d{1,20}))(?:[_/](\d{1,20}))?$/.exec(peer) ?? [];
  const where = user === undefined ? privateChat(number ?? '') : chat(user);
  return id === undefined ? channel(where) : message(where, id, undefined);
};

/** core.telegram.org/api/links: `tg://resolve?domain=`, `tg://privatepost?channel=` and so on. */
const readApp: Family = (address) => {
  switch (address.word(0)) {
    case 'resolve': {
      const number = address.param('phone');
      if (number !== undefined) return phone(number.trim());
      const post = address.param('post');
      return readChat(chat(address.param('domain') ?? ''), post === undefined ? [] : [post], address);
    }
    case 'privatepost': {
      const post = address.param('post');
      return readChat(privateChat(address.param('channel') ?? ''), post === undefined ? [] : [post], address);
    }
    case 'join':
      return invite(address.param('invite') ?? '');
    case 'contact':
      return slug('contact', 'contact', address.param('token'));
    case 'addlist':
      return slug('folder', 'addlist', address.param('slug'));
    case 'addstickers':
    case 'addemoji':
      return slug('stickers', address.word(0), address.param('set'));
    case 'boost':
      return channel(address.param('channel') === undefined ? chat(address.param('domain') ?? '') : privateChat(address.param('channel') ?? ''));
    case 'msg_url':
      return wrapped(address.param('url'), ORIGIN);
    default:
      return 'not-content';
  }
};

export const telegramHosts: ReadonlyMap<string, Family> = new Map([
  ['t.me', readTelegram],
  ['telegram.me', readTelegram],
  ['telegram.dog', readTelegram],
  ['telegram.org', readWebClient],
  ['tg:', readApp],
]);
