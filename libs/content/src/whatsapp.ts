import { content, isCode, isNumericId, wrapped, type Family, type Reading } from './reading.js';

const ORIGIN = 'https://www.whatsapp.com';

const SUBDOMAINS = /^(?:www|m|mobile|web|api|v|[a-z]{2})?$/;
const CHANNEL = /^[A-Za-z0-9]{16,40}$/;
const INVITE = /^[A-Za-z0-9_-]{16,40}$/;

/** An international number in E.164 digits. A national one (`0812…`) opens nobody's chat, so no country is guessed. */
function phoneDigits(text: string | undefined): string | undefined {
  if (text === undefined || text.length > 40 || !/^[+\d\s().-]+$/.test(text)) return undefined;
  const digits = text.replace(/\D/g, '').replace(/^00/, '');
  return /^[1-9]\d{6,14}$/.test(digits) ? digits : undefined;
}

/** Chats are private; the number that a link invites to write to is what can be acted on. */
function number(text: string | undefined): Reading {
  const digits = phoneDigits(text);
  return digits === undefined ? 'not-content' : content('whatsapp', 'number', digits, `https://wa.me/${digits}`);
}

function channel(code: string | undefined, message: string | undefined): Reading {
  if (code === undefined || !CHANNEL.test(code)) return 'not-content';
  const canonicalUrl = `https://whatsapp.com/channel/${code}`;
  if (message === undefined) return content('whatsapp', 'channel', code, canonicalUrl);
  return isNumericId(message) ? content('whatsapp', 'channel', `${code}:${message}`, `${canonicalUrl}/${message}`) : 'not-content';
}

/** Groups and communities are joined by the same kind of code. */
function group(code: string | undefined): Reading {
  return code !== undefined && INVITE.test(code) ? content('whatsapp', 'group', code, `https://chat.whatsapp.com/${code}`) : 'not-content';
}

/** A catalogue's product has a number of its own; the seller's stands beside it. */
function product(id: string | undefined, phone: string | undefined): Reading {
  const digits = phoneDigits(phone);
  return isNumericId(id) && digits !== undefined ? content('whatsapp', 'product', id, `https://wa.me/p/${id}/${digits}`) : 'not-content';
}

function short(path: 'message' | 'qr', code: string | undefined): Reading {
  return isCode(code, 4, 64) ? content('whatsapp', 'short', code, `https://wa.me/${path}/${code}`) : 'not-content';
}

const readWhatsapp: Family = (address, subdomain) => {
  const [, second, third] = address.segments;
  if (subdomain === 'chat') return group(address.word(0) === 'invite' ? second : address.segment(0));
  if (subdomain === 'l') return wrapped(address.param('u'), ORIGIN);
  if (!SUBDOMAINS.test(subdomain)) return 'not-content';
  switch (address.word(0)) {
    case 'channel':
      return channel(second, third);
    case 'send':
      return number(address.param('phone') ?? second);
    case 'catalog':
    case 'c':
      return number(second);
    case 'p':
      return product(second, third);
    case 'product':
      return product(second, address.param('phone') ?? third);
    case 'message':
      return short('message', second);
    case 'qr':
      return short('qr', second);
    case 'accept': // web.whatsapp.com/accept?code=
    case 'invite':
      return group(address.param('code') ?? second);
    default:
      return 'not-content';
  }
};

const readShortHost: Family = (address, subdomain) => {
  if (subdomain !== '' && subdomain !== 'www') return 'not-content';
  const [first, second, third] = address.segments;
  switch (address.word(0)) {
    case 'message':
      return short('message', second);
    case 'qr':
      return short('qr', second);
    case 'p':
      return product(second, third);
    case 'c':
      return number(second);
    case 'channel':
      return channel(second, third);
    case '':
    case 'send':
      return number(address.param('phone'));
    default:
      return number(first);
  }
};

/** `whatsapp://send?phone=`, `whatsapp://chat?code=`, `whatsapp://channel/CODE`. */
const readApp: Family = (address) => {
  switch (address.word(0)) {
    case 'send':
      return number(address.param('phone'));
    case 'chat':
      return group(address.param('code'));
    case 'channel':
      return channel(address.segment(1), address.segments[2]);
    default:
      return 'not-content';
  }
};

export const whatsappHosts: ReadonlyMap<string, Family> = new Map<string, Family>([
  ['whatsapp.com', readWhatsapp],
  ['wa.me', readShortHost],
  ['wl.co', (address) => wrapped(address.param('u'), ORIGIN)],
  ['whatsapp:', readApp],
]);
