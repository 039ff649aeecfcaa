import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Module, Post } from '@nestjs/common';
import { eventually } from '@sejam/testkit';
import { createLogger, followCheckpoint, hostSettings, readConfig, startService, type AccessRow, type NewestCheckpoint } from './index.js';

const note = (size: number) => `sejam/test\n${size}\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n— sejam/test AAAA\n`;
const valueOf = (text: string) => Buffer.from(text).toString('base64');

let answer: { status: number; text: string };
let server: Server;
let url: string;
let checkpoint: NewestCheckpoint;

beforeEach(async () => {
  answer = { status: 200, text: note(1) };
  server = createServer((request, response) => {
    response.writeHead(request.url === '/v1/audit/checkpoint' ? answer.status : 404).end(answer.text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  checkpoint = followCheckpoint(url, { everyMs: 10 });
});

afterEach(async () => {
  await checkpoint.stop();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const given = (text: string) => eventually(() => expect(checkpoint.headers()).toEqual({ 'sejam-checkpoint': valueOf(text) }));

describe('the newest checkpoint', () => {
  it('is given along as it moves, and the last one known while audit is away or speaks nonsense', async () => {
    await given(note(1));
    answer = { status: 200, text: note(2) };
    await given(note(2));
    for (const wrong of [{ status: 503, text: note(3) }, { status: 200, text: 'no note' }, { status: 200, text: `${note(4)}${'x'.repeat(5_000)}` }]) {
      answer = wrong;
      await new Promise((resolve) => server.once('request', () => resolve(undefined)));
      await new Promise((resolve) => server.once('request', () => resolve(undefined)));
      expect(checkpoint.headers()).toEqual({ 'sejam-checkpoint': valueOf(note(2)) });
    }
    answer = { status: 200, text: note(5) };
    await given(note(5));
  });

  it('is nothing without an address of audit', async () => {
    const none = followCheckpoint(undefined);
    expect(none.headers()).toEqual({});
    await none.stop();
  });

  it('goes along with what was created, and with nothing else', async () => {
    @Controller()
    class Things {
      @Post('/v1/things')
      create() {
        return {};
      }
      @Get('/v1/things')
      list() {
        return {};
      }
    }
    @Module({ controllers: [Things] })
    class ThingsModule {}
    const access: AccessRow[] = [{ method: 'POST', path: '/v1/things', roles: 'public' }, { method: 'GET', path: '/v1/things', roles: 'public' }];
    const service = await startService({
      name: 'things', module: ThingsModule, access, readiness: {}, createdHeaders: checkpoint.headers,
      config: readConfig(hostSettings({ port: 0 }), {}), log: createLogger({ name: 'things', level: 'silent' }),
    });
    try {
      await given(note(1));
      const created = await fetch(`${service.url}/v1/things`, { method: 'POST' });
      expect([created.status, created.headers.get('sejam-checkpoint')]).toEqual([201, valueOf(note(1))]);
      expect((await fetch(`${service.url}/v1/things`)).headers.has('sejam-checkpoint')).toBe(false);
    } finally {
      await service.close();
    }
  });
});
