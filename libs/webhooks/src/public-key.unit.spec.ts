import { describe, expect, it } from '@jest/globals';
import { publicKeyFault } from './public-key.js';
import { generateSecret, generateSigningKeyPair, publicKeyOf } from './secret.js';

const whpk = (hex: string): string => `whpk_${Buffer.from(hex, 'hex').toString('base64')}`;

describe('a public key', () => {
  it('is taken when it belongs to a pair, with or without padding', () => {
    for (let count = 0; count < 20; count += 1) {
      const { publicKey, privateKey } = generateSigningKeyPair();
      expect(publicKeyFault(publicKey)).toBeUndefined();
      expect(publicKeyFault(publicKey.replace(/=+$/, ''))).toBeUndefined();
      expect([publicKeyOf(privateKey), publicKeyOf(publicKey.replace(/=+$/, ''))]).toEqual([publicKey, publicKey]);
    }
    // RFC 8032, 7.1, tests 1 to 3.
    for (const hex of ['d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c', 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025']) {
      expect(publicKeyFault(whpk(hex))).toBeUndefined();
    }
  });

  it.each([
    ['', /begins with whpk_/],
    [generateSecret(), /begins with whpk_/],
    [generateSigningKeyPair().privateKey, /private half/],
    ['whpk_AAAA', /32-byte/],
    [whpk('00'.repeat(31)), /32-byte/],
    [whpk('00'.repeat(33)), /32-byte/],
    [`whpk_${'*'.repeat(44)}`, /32-byte/],
    // y = p + 1, another way to write y = 1; and y = p − 2, which no point has.
    [whpk(`ee${'ff'.repeat(30)}7f`), /one form/],
    [whpk('ff'.repeat(32)), /one form/],
    [whpk(`02${'00'.repeat(31)}`), /no point/],
  ])('is refused when it is no such key: %j', (publicKey, why) => {
    expect(publicKeyFault(publicKey)).toMatch(why);
    expect(publicKeyFault(publicKey)).not.toContain(publicKey.slice(5) || '\0');
  });

  it('is refused where anybody could sign under it', () => {
    // All points whose eightfold is the neutral element: of order 1, 2, 4 (two of them) and 8 (four of them).
    const smallOrder = [
      `01${'00'.repeat(31)}`,
      `ec${'ff'.repeat(30)}7f`,
      '00'.repeat(32),
      `${'00'.repeat(31)}80`,
      '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
      '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
      'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
      'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
    ];
    for (const hex of smallOrder) expect([hex, publicKeyFault(whpk(hex))]).toEqual([hex, expect.stringContaining('small order')]);
  });
});
