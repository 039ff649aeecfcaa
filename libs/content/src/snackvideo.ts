import { content, foldCase, isCode, isNumericId, type Family, type Reading } from './reading.js';

/** Where an address goes that does not say which of the two sites it came from. */
const ORIGIN = 'https://www.snackvideo.com';

const USER = /^[a-z0-9_.-]{1,64}$/;
const SUBDOMAINS = /^(?:www|m|mobile|web|s|k)?$/;

/** Names are folded as on every product of this kind, though this one documents nothing. Videos do not depend on it. */
function account(name: string, origin: string): Reading {
  const user = foldCase(name);
  return USER.test(user) ? content('snackvideo', 'account', user, `${origin}/@${user}`) : 'not-content';
}

/** The number alone opens a video; the user's name before it is shown and not needed. */
function video(id: string | undefined, origin: string, name = ''): Reading {
  if (!isNumericId(id)) return 'not-content';
  const user = foldCase(name);
  return content('snackvideo', 'video', id, USER.test(user) ? `${origin}/@${user}/video/${id}` : `${origin}/video/${id}`);
}

function short(code: string, canonicalUrl: string): Reading {
  return isCode(code, 4, 32) ? content('snackvideo', 'short', code, canonicalUrl) : 'not-content';
}

/**
 * snackvideo.com, and Kwai, which is the same service of the same company under its name abroad: one space of numbers,
 * one desk that answers for it.
 */
const readSnackvideo: Family = (address, subdomain, domain) => {
  if (!SUBDOMAINS.test(subdomain)) return 'not-content';
  const origin = `https://www.${domain}`;
  const [first = '', second = '', third] = address.segments;
  if (first.startsWith('@')) {
    const path = second.toLowerCase();
    if (path === '') return account(first.slice(1), origin);
    return path === 'video' || path === 'photo' ? video(third, origin, first.slice(1)) : 'not-content';
  }
  switch (first.toLowerCase()) {
    case 'video':
    case 'short-video':
      return video(second, origin);
    case 'photo': // /photo/<user number>/<video number>
      return video(third ?? second, origin);
    case 'p':
      return short(second, `https://${subdomain === '' ? '' : `${subdomain}.`}${domain}/p/${second}`);
    default:
      return 'not-content';
  }
};

/** sck.io/p/CODE, kw.ai/p/CODE, kwai-video.com/p/CODE; /u/ shares a profile. */
const readShortHost: Family = (address, _subdomain, domain) => {
  const path = address.word(0);
  if (path !== 'p' && path !== 'u') return 'not-content';
  if (address.segment(1).startsWith('@')) return account(address.segment(1).slice(1), ORIGIN);
  return short(address.segment(1), `https://${domain}/${path}/${address.segment(1)}`);
};

const readApp: Family = (address) => (/^(?:work|photo|video)$/.test(address.word(0)) ? video(address.segment(1), ORIGIN) : 'not-content');

export const snackvideoHosts: ReadonlyMap<string, Family> = new Map([
  ['snackvideo.com', readSnackvideo],
  ['kwai.com', readSnackvideo],
  ['sck.io', readShortHost],
  ['kw.ai', readShortHost],
  ['kwai-video.com', readShortHost],
  ['kwai:', readApp],
]);
