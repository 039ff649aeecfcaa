import type { Address } from './address.js';
import { content, isCode, isNumericId, wrapped, type Family, type Reading } from './reading.js';

const ORIGIN = 'https://line.me';
const VOOM = 'https://linevoom.line.me';

/** Official accounts (`@id`) and people's chosen names (`~id`) are lower case; codes behind a QR picture are not. */
const NAME = /^[@~][a-z0-9._-]{1,64}$/;
const APP = /^[A-Za-z0-9._-]{3,64}$/;

/** The page that LINE itself opens as an application to show an official account. */
const ACCOUNT_PAGE_APP = '1645278921-kWRPP32q';

function account(text: string): Reading {
  const name = text.toLowerCase();
  if (NAME.test(name)) return content('line', 'account', name, `${ORIGIN}/R/ti/p/${name.replace('@', '%40')}`);
  return isCode(text, 6, 64) ? content('line', 'account', text, `${ORIGIN}/ti/p/${text}`) : 'not-content';
}

/** Where LINE writes an official account without its sign. */
function officialAccount(text: string | undefined): Reading {
  return text === undefined || text === '' ? 'not-content' : account(text.startsWith('@') ? text : `@${text}`);
}

function invited(kind: 'openchat' | 'group', path: 'g2' | 'g', hash: string): Reading {
  return isCode(hash, 8, 128) ? content('line', kind, hash, `${ORIGIN}/ti/${path}/${hash}`) : 'not-content';
}

function app(id: string, address: Address): Reading {
  if (id === ACCOUNT_PAGE_APP && address.param('accountId') !== undefined) return officialAccount(address.param('accountId'));
  return APP.test(id) ? content('line', 'app', id, `https://liff.line.me/${id}`) : 'not-content';
}

/** The number alone opens a post; the author's code before it is shown and not needed. */
function voomPost(id: string | undefined): Reading {
  return isNumericId(id) ? content('line_voom', 'post', id, `${VOOM}/post/${id}`) : 'not-content';
}

function voomAccount(code: string | undefined): Reading {
  return isCode(code, 4, 128) ? content('line_voom', 'account', code, `${VOOM}/user/${code}`) : 'not-content';
}

/** The paths that line.me and the deprecated line:// have in common; on the web they may stand behind `/R`. */
function readPath(segments: readonly string[], address: Address): Reading {
  const [first = '', second = '', third = '', fourth = ''] = segments;
  switch (first.toLowerCase()) {
    case 'r':
      return readPath(segments.slice(1, 6), address);
    case 'ti':
      if (second === 'p') return account(third);
      if (second === 'g2') return invited('openchat', 'g2', third);
      return second === 'g' ? invited('group', 'g', third) : 'not-content';
    case 'app':
      return app(second, address);
    case 'oamessage':
      return account(second);
    case 'nv':
      return /^recommendoa$/i.test(second) ? account(third) : 'not-content';
    case 'home': {
      // An official account's VOOM; its profile beside it is the account itself.
      if (second !== 'public') return 'not-content';
      if (third === 'post') return voomPost(address.param('postId') ?? fourth);
      const id = address.param('id');
      if (third === 'profile') return officialAccount(id);
      if (third !== 'main' || id === undefined) return 'not-content';
      const name = `@${id.replace(/^@/, '').toLowerCase()}`;
      return NAME.test(name) ? content('line_voom', 'account', name, `${ORIGIN}/R/home/public/main?id=${name.slice(1)}`) : 'not-content';
    }
    default:
      return 'not-content';
  }
}

const readVoom = (address: Address): Reading => {
  const [, second, third] = address.segments;
  if (address.word(0) === 'post') return voomPost(isNumericId(second) ? second : third);
  return address.word(0) === 'user' ? voomAccount(second) : 'not-content';
};

const readLine: Family = (address, subdomain) => {
  switch (subdomain) {
    case '':
    case 'www':
    case 'm':
    case 'mobile':
    case 'web':
      return readPath(address.segments, address);
    case 'page':
      return officialAccount(address.segments[0] ?? address.param('accountId'));
    case 'liff':
    case 'miniapp':
      return app(address.segment(0), address);
    case 'linevoom':
    case 'voom':
    case 'timeline':
      return readVoom(address);
    case 'openchat': // /id/cover/CODE
      return address.word(1) === 'cover' ? openchatCover(address) : 'not-content';
    case 'access': // LINE's log-in
      return wrapped(address.param('returnUri'), ORIGIN);
    default:
      return 'not-content';
  }
};

/** A cover page has a code of its own, which no invitation contains. */
function openchatCover(address: Address): Reading {
  const code = address.segment(2);
  return isCode(code, 8, 128) ? content('line', 'openchat', code, `https://openchat.line.me/id/cover/${code}`) : 'not-content';
}

const readShortHost: Family = (address, subdomain) => {
  const code = address.segment(0);
  return (subdomain === '' || subdomain === 'www') && isCode(code, 4, 32) ? content('line', 'short', code, `https://lin.ee/${code}`) : 'not-content';
};

export const lineHosts: ReadonlyMap<string, Family> = new Map<string, Family>([
  ['line.me', readLine],
  ['lin.ee', readShortHost],
  ['line:', (address) => readPath(address.segments, address)],
]);
