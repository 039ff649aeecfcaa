import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { contentKeyOf, isKindOf, isPlatform, isProduct, parseContentKey, platformOf, platforms, products, reportIdOf, SHORT_LINK_HOSTS, takedownIdOf, identify, type Product } from './index.js';

const everyProduct = Object.keys(products) as Product[];

/** RFC 9562 section 5.5, written out from the standard. */
function uuidV5(name: string): string {
  const namespace = Buffer.from('9f8707f0e5d440c29d80ea3597b45314', 'hex');
  const hash = createHash('sha1').update(namespace).update(name, 'utf8').digest().subarray(0, 16);
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x50;
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80;
  return hash.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

describe('an id that anybody can recompute', () => {
  it('of a takedown is the version 5 uuid of takedown/<content key>', () => {
    expect(takedownIdOf('tiktok:video:7399295712095227142')).toBe(uuidV5('takedown/tiktok:video:7399295712095227142'));
    expect(takedownIdOf('youtube:handle:пример')).toBe(uuidV5('takedown/youtube:handle:пример'));
  });

  it('of a report is the version 5 uuid of report/<organisation>/<reference>', () => {
    expect(reportIdOf('bawaslu', 'BWS-JABAR-0042')).toBe(uuidV5('report/bawaslu/BWS-JABAR-0042'));
  });
});

describe('a content key', () => {
  it('comes apart into what it was made of', () => {
    for (const product of everyProduct) {
      for (const kind of products[product].kinds) {
        expect(parseContentKey(contentKeyOf(product, kind, 'a:b:c77'))).toEqual({ product, kind, id: 'a:b:c77' });
      }
    }
  });

  it.each(['', 'tiktok', 'tiktok:video', 'tiktok:video:', 'tiktok:message:1', 'myspace:video:1', 'constructor:video:1', '::', 'tiktok::1'])('is not %j', (text) => {
    expect(parseContentKey(text)).toBeUndefined();
  });
});

describe('the tables of products and platforms', () => {
  it('give every product exactly one platform, and say so both ways', () => {
    expect(Object.values(platforms).flat().sort()).toEqual([...everyProduct].sort());
    for (const [platform, its] of Object.entries(platforms)) {
      for (const product of its) expect(platformOf(product)).toBe(platform);
    }
  });

  it('know their own words and no property of an object', () => {
    expect([isProduct('line_voom'), isPlatform('line'), isKindOf('line', 'openchat')]).toEqual([true, true, true]);
    expect([isProduct('toString'), isPlatform('__proto__'), isKindOf('line', 'length')]).toEqual([false, false, false]);
  });
});

describe('the hosts of short links', () => {
  it('are listed for exactly the products that have short links', () => {
    const withHosts = everyProduct.filter((product) => SHORT_LINK_HOSTS[product].length > 0);
    const withShort = everyProduct.filter((product) => (products[product].kinds as readonly string[]).includes('short'));
    expect(withHosts).toEqual(withShort);
  });

  it.each([
    'https://vt.tiktok.com/ZSFabc123/', 'https://vm.tiktok.com/ZSFabc123/', 'https://www.tiktok.com/t/ZTabc123/', 'https://fb.watch/abcDEF123_/', 'https://fb.me/abcDEF123', 'https://fb.gg/v/abcDEF',
    'https://m.facebook.com/share/r/19ZwChKjBV/', 'https://instagram.com/share/BAabcDEF12', 'https://wa.me/message/ABCDEFGHIJKLM1', 'https://sck.io/p/jiv-dwZX', 'https://kw.ai/p/jiv-dwZX', 'https://k.kwai.com/p/jiv-dwZX',
    'https://kwai-video.com/p/jiv-dwZX', 'https://lin.ee/AbC1dEf', 'https://share.google/AbCdEf12345', 'https://search.app/AbCdE', 'https://search.app.goo.gl/AbCdE', 'https://goo.gl/AbCdE', 'https://g.co/kgs/AbCdEf',
  ])('contain the canonical host of %s, so that a resolver may ask it', (url) => {
    const answer = identify(url);
    if (!('provisional' in answer)) throw new Error(answer.refused.code);
    expect(answer.provisional).toBe(true);
    expect(SHORT_LINK_HOSTS[answer.product]).toContain(new URL(answer.canonicalUrl).host);
  });
});
