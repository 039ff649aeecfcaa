import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { selfSigned } from '../conformance/self-signed.js';
import { parseAllowList } from './address.js';
import { createShortLinkFollower, type ShortLinkOptions } from './short-link.js';

const certificate = selfSigned(['short.example', 'second.example']);
const asked: string[] = [];
let port: number;

const redirect = (response: ServerResponse, location: string) => response.writeHead(302, { location }).end();
const routes: Record<string, (response: ServerResponse, method: string) => unknown> = {
  '/once': (response) => redirect(response, 'https://www.tiktok.com/@x/video/7399295712095227142?_r=1'),
  '/relative': (response) => redirect(response, '/once'),
  '/second': (response) => redirect(response, `http://second.example:${port}/once`),
  '/loop': (response) => redirect(response, '/loop2'),
  '/loop2': (response) => redirect(response, '/loop'),
  '/here': (response) => response.end('<html>'),
  '/gone': (response) => response.writeHead(404).end(),
  '/down': (response) => response.writeHead(503).end(),
  '/no-head': (response, method) => (method === 'HEAD' ? response.writeHead(405).end() : redirect(response, 'https://t.me/berita/7')),
  '/script': (response) => redirect(response, 'javascript:alert(1)'),
  '/garbage': (response) => redirect(response, 'https://['),
  '/slow': () => {},
  '/t/full': (response) => redirect(response, '/@x/video/1'),
};
const server = createServer(certificate, (request, response) => {
  asked.push(`${request.method} ${request.headers.host?.split(':')[0]}${request.url}`);
  const chain = /^\/chain\/(\d+)$/.exec(request.url ?? '');
  if (chain) redirect(response, chain[1] === '0' ? 'https://t.me/end' : `/chain/${Number(chain[1]) - 1}`);
  else routes[request.url ?? '']?.(response, request.method ?? '');
});

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

async function follow(path: string, options: Partial<ShortLinkOptions> = {}) {
  asked.length = 0;
  const follower = createShortLinkFollower({
    allowedHosts: ['short.example', 'second.example'],
    allow: parseAllowList('127.0.0.0/8'),
    resolve: async () => [{ address: '127.0.0.1', family: 4 }],
    ca: certificate.cert,
    timeoutMs: 2_000,
    ...options,
  });
  try {
    return await follower.follow(path.startsWith('/') ? `https://short.example:${port}${path}` : path);
  } finally {
    await follower.close();
  }
}

describe('a short link', () => {
  it('leads to where its host says, which is not visited', async () => {
    expect(await follow('/once')).toMatchObject({ resolved: true, url: 'https://www.tiktok.com/@x/video/7399295712095227142?_r=1' });
    expect(asked).toEqual(['HEAD short.example/once']);
  });

  it('is followed over relative addresses and other known hosts, always by https', async () => {
    expect(await follow('/relative')).toMatchObject({ resolved: true, hops: [expect.stringContaining('/relative'), expect.stringContaining('/once')] });
    expect(await follow('/second')).toMatchObject({ resolved: true, url: expect.stringContaining('tiktok.com') });
    expect(asked).toEqual(['HEAD short.example/second', 'HEAD second.example/once']);
  });

  it('is asked with GET where HEAD is not answered', async () => {
    expect(await follow('/no-head')).toMatchObject({ resolved: true, url: 'https://t.me/berita/7' });
  });

  it('ends where the caller recognises the address, or where nothing points further', async () => {
    expect(await follow('/t/full', { isFinal: (url) => url.includes('/video/') })).toMatchObject({ resolved: true, url: `https://short.example:${port}/@x/video/1` });
    expect(await follow('/here')).toMatchObject({ resolved: true, url: `https://short.example:${port}/here` });
  });

  it('is given up after five hops, in a loop, and at an address that makes no sense', async () => {
    expect(await follow('/chain/4')).toMatchObject({ resolved: true, url: 'https://t.me/end' });
    expect(await follow('/chain/5')).toMatchObject({ resolved: false, reason: 'too-many-hops', retryable: false });
    expect(asked).toHaveLength(5);
    expect(await follow('/loop')).toMatchObject({ resolved: false, reason: 'loop' });
    expect(await follow('/script')).toMatchObject({ resolved: false, reason: 'malformed-location' });
    expect(await follow('/garbage')).toMatchObject({ resolved: false, reason: 'malformed-location' });
    expect(await follow('no url')).toMatchObject({ resolved: false, reason: 'malformed-location' });
  });

  it('that is dead stays dead, and one that cannot be asked now may be asked later', async () => {
    expect(await follow('/gone')).toMatchObject({ resolved: false, reason: 'dead', retryable: false });
    expect(await follow('/down')).toMatchObject({ resolved: false, reason: 'unreachable', retryable: true });
    expect(await follow('/slow', { timeoutMs: 100 })).toMatchObject({ resolved: false, reason: 'timeout', retryable: true });
    expect(await follow('/once', { resolve: () => new Promise(() => {}), timeoutMs: 50 })).toMatchObject({ resolved: false, reason: 'timeout', retryable: true });
    expect(await follow('/once', { resolve: async () => Promise.reject(new Error('SERVFAIL')) })).toMatchObject({ resolved: false, reason: 'unreachable', retryable: true });
  });

  it('of an unknown host, or of a known one with a private address, is not asked at all', async () => {
    expect(await follow('https://short.example.evil.example/once')).toMatchObject({ resolved: false, reason: 'host-not-allowed', retryable: false });
    expect(await follow('/once', { allow: [] })).toMatchObject({ resolved: false, reason: 'unreachable', retryable: false, detail: expect.stringContaining('not public') });
    expect(asked).toEqual([]);
  });
});
