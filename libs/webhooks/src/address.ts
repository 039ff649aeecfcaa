import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** Networks that may be called although they are not public. */
export type AllowList = readonly [Address, number][];

export type AddressVerdict = 'public' | 'allowed' | 'refused';

// Whatever the IANA special-purpose registries do not call globally reachable, and the two anycast relays that are retired.
const REFUSED_V4 = [
  '0.0.0.0/8', // this network; 0.0.0.0 reaches the host itself
  '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', // private (RFC 1918)
  '100.64.0.0/10', // carrier-grade NAT (RFC 6598)
  '127.0.0.0/8', // loopback
  '169.254.0.0/16', // link-local, and the clouds' metadata service
  '192.0.0.0/24', // protocol assignments (RFC 6890)
  '192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24', // documentation (RFC 5737)
  '192.88.99.0/24', // 6to4 relay (RFC 7526)
  '198.18.0.0/15', // benchmarking (RFC 2544)
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // class E and broadcast
].map(network);

// IPv6 is the other way round: only 2000::/3 is given out, and of that not these.
const PUBLIC_V6 = network('2000::/3');
const REFUSED_V6 = [
  '2001::/23', // protocol assignments: Teredo, benchmarking, ORCHID …
  '2001:db8::/32', '3fff::/20', // documentation
  '2002::/16', // 6to4: would reach any IPv4 address
].map(network);

const MAPPED_V4 = network('::ffff:0:0/96');
const NAT64 = network('64:ff9b::/96');

/**
 * Whether an outgoing connection may be made to this address. An IPv4 address in IPv6 clothing (mapped, or behind NAT64) is judged as the
 * IPv4 address it reaches. Anything that is not the text of one address is refused.
 */
export function judgeAddress(text: string, allow: AllowList = []): AddressVerdict {
  // A zone (`fe80::1%eth0`) is only ever link-local.
  if (isIP(text) === 0 || text.includes('%')) return 'refused';
  const address = unwrap(ipaddr.parse(text));
  if (within(address, allow)) return 'allowed';
  if (address.kind() === 'ipv4') return within(address, REFUSED_V4) ? 'refused' : 'public';
  return within(address, [PUBLIC_V6]) && !within(address, REFUSED_V6) ? 'public' : 'refused';
}

/**
 * Reads `SEJAM_WEBHOOK_ALLOW`: networks as CIDR or single addresses, separated by commas; empty allows nothing. Throws one Error that
 * names every entry that is not a network.
 */
export function parseAllowList(text: string | undefined): AllowList {
  const entries = (text ?? '').split(',').map((entry) => entry.trim()).filter((entry) => entry !== '');
  const faults = entries.filter((entry) => !isNetwork(entry));
  if (faults.length > 0) {
    throw new Error(`SEJAM_WEBHOOK_ALLOW: ${faults.map((fault) => `"${fault}"`).join(', ')} cannot be read; write networks such as 127.0.0.0/8, 10.1.0.0/16 or fd00::/8, separated by commas`);
  }
  return entries.map(network);
}

/**
 * Why an endpoint's URL can never be called, or undefined. Names are judged again, by their addresses, at each connection. Numbers in
 * odd spellings (`http://2130706433/`, `0x7f.1`) are addresses to the URL parser and are judged as such.
 */
export function urlFault(url: string, allow: AllowList = []): string | undefined {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (!parsed) return 'it is not an absolute URL';
  if (parsed.protocol !== 'https:' && parsed.protocol !== 'http:') return 'only https is called';
  if (parsed.username !== '' || parsed.password !== '') return 'it holds a user name or password';
  const literal = hostLiteral(parsed);
  if (literal === undefined) return undefined;
  const verdict = judgeAddress(literal, allow);
  if (verdict === 'refused') return `the address ${literal} is not public`;
  if (verdict === 'public' && parsed.protocol === 'http:') return 'only https is called on public addresses';
  return undefined;
}

/** The address that stands in the URL itself, without brackets; undefined when it is a name. */
export function hostLiteral(url: URL): string | undefined {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return isIP(host) === 0 ? undefined : host;
}

function unwrap(address: Address): Address {
  if (address.kind() === 'ipv4' || !(within(address, [MAPPED_V4]) || within(address, [NAT64]))) return address;
  return new ipaddr.IPv4(address.toByteArray().slice(-4));
}

function within(address: Address, networks: AllowList): boolean {
  return networks.some(([base, bits]) => base.kind() === address.kind() && (address as ipaddr.IPv6).match(base as ipaddr.IPv6, bits));
}

function isNetwork(entry: string): boolean {
  const [address = '', bits, ...rest] = entry.split('/');
  const family = address.includes('%') ? 0 : isIP(address);
  return family !== 0 && rest.length === 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128)));
}

function network(entry: string): [Address, number] {
  const [text = '', bits] = entry.split('/');
  const address = ipaddr.parse(text);
  return [address, bits === undefined ? address.toByteArray().length * 8 : Number(bits)];
}
