import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { judgeAddress, parseAllowList, urlFault } from './address.js';

describe('an outgoing address', () => {
  it.each([
    ['loopback', '127.0.0.1', '127.255.255.254', '::1'],
    ['private', '10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1'],
    ['link-local and metadata', '169.254.169.254', 'fe80::1', 'fe80::1%eth0', 'febf::1'],
    ['carrier-grade NAT', '100.64.0.1', '100.127.255.255'],
    ['unspecified', '0.0.0.0', '0.1.2.3', '::'],
    ['multicast', '224.0.0.1', '239.255.255.255', 'ff02::1'],
    ['class E and broadcast', '240.0.0.1', '255.255.255.255'],
    ['documentation', '192.0.2.1', '198.51.100.7', '203.0.113.9', '2001:db8::1', '3fff::1'],
    ['benchmarking', '198.18.0.1', '198.19.255.255', '2001:2::1'],
    ['protocol assignments', '192.0.0.1', '192.0.0.192', '2001::1', '2001:10::1'],
    ['unique local', 'fc00::1', 'fd00:ec2::254'],
    ['site-local, discard and unassigned', 'fec0::1', '100::1', '5f00::1', '4000::1'],
    ['6to4', '192.88.99.1', '2002:7f00:1::', '2002:0808:0808::1'],
    ['IPv4 in IPv6 clothing', '::ffff:127.0.0.1', '::ffff:a9fe:a9fe', '::ffff:10.0.0.1', '::127.0.0.1', '64:ff9b::7f00:1', '64:ff9b::169.254.169.254', '64:ff9b:1::808:808'],
    ['no address at all', '', 'localhost', '127.1', '2130706433', '0x7f.0.0.1', '0177.0.0.1', '1.2.3.4.5', '::ffff:1.2.3'],
  ])('that is %s is refused', (_, ...addresses) => {
    expect(addresses.filter((address) => judgeAddress(address) !== 'refused')).toEqual([]);
  });

  it('that is public is let through, at the very edges too', () => {
    const publicOnes = [
      '1.1.1.1', '9.255.255.255', '11.0.0.0', '100.63.255.255', '100.128.0.0', '126.255.255.255', '128.0.0.0', '172.15.255.255', '172.32.0.0', '192.0.1.0',
      '192.167.255.255', '198.17.255.255', '198.20.0.0', '223.255.255.255', '2606:4700::1111', '2001:200::1', '2a00::1', '::ffff:8.8.8.8', '64:ff9b::8.8.8.8',
    ];
    expect(publicOnes.filter((address) => judgeAddress(address) !== 'public')).toEqual([]);
  });

  it('that the operator allows is let through, also in IPv6 clothing, and nothing beside it', () => {
    const allow = parseAllowList('127.0.0.0/8, 10.1.2.3 , fd00::/8');
    expect(['127.0.0.1', '::ffff:127.9.9.9', '10.1.2.3', 'fd12::1'].map((address) => judgeAddress(address, allow))).toEqual(Array(4).fill('allowed'));
    expect(['10.1.2.4', 'fc00::1', '::1', '192.168.0.1'].map((address) => judgeAddress(address, allow))).toEqual(Array(4).fill('refused'));
    expect(judgeAddress('1.1.1.1', allow)).toBe('public');
  });

  it('is judged whatever the text, without an exception', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.ipV4(), fc.ipV6(), fc.ipV4Extended()), (text) => expect(['public', 'refused']).toContain(judgeAddress(text))));
  });
});

describe('the allow list', () => {
  it('is empty by default', () => {
    expect([parseAllowList(undefined), parseAllowList(''), parseAllowList(' , ')]).toEqual([[], [], []]);
  });

  it('names every entry that is not a network', () => {
    expect(() => parseAllowList('10.0.0.0/33,127.0.0.0/8,localhost,::1/129,fe80::1%lo/64,1.2.3.4/,/8')).toThrow(
      /^SEJAM_WEBHOOK_ALLOW: "10\.0\.0\.0\/33", "localhost", "::1\/129", "fe80::1%lo\/64", "1\.2\.3\.4\/", "\/8" cannot be read; write networks such as/,
    );
  });
});

describe('an endpoint URL', () => {
  it('is https, or http to an allowed address', () => {
    const allow = parseAllowList('127.0.0.0/8');
    expect(urlFault('https://takedown.example/hooks')).toBeUndefined();
    expect(urlFault('http://127.0.0.1:9000/hooks', allow)).toBeUndefined();
    expect(urlFault('http://1.1.1.1/', allow)).toMatch(/only https/);
    for (const url of ['ftp://example.com/', 'file:///etc/passwd', 'javascript:alert(1)', 'example.com', '', 'https://user:pass@example.com/']) expect(urlFault(url, allow)).toBeDefined();
  });

  it('is seen through in every spelling of an address', () => {
    const spellings = [
      'https://127.0.0.1/', 'https://127.1/', 'https://2130706433/', 'https://0x7f000001/', 'https://0177.0.0.1/', 'https://0x7f.0.0.0x1/', 'https://127.0.0.1./',
      'https://[::1]/', 'https://[::ffff:127.0.0.1]/', 'https://[0:0:0:0:0:ffff:7f00:1]/', 'https://[64:ff9b::7f00:1]/', 'https://①②⑦.⓪.⓪.①/', 'https://169.254.169.254/latest/meta-data',
    ];
    expect(spellings.filter((url) => !urlFault(url)?.includes('is not public'))).toEqual([]);
  });
});
