// The gateway's pages as a browser shows them, in front of one service that is played.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { describePages } from './viewer.js';

jest.setTimeout(60_000);

describePages("the gateway's first page", (viewer) => {
  let service: Server;
  let gateway: ChildProcess;
  let url: string;
  let page: Page;

  const open = async (path: string, options?: BrowserContextOptions): Promise<void> => void (page = await viewer().open(`${url}${path}`, options));

  beforeAll(async () => {
    const ready = JSON.stringify({ status: 'ready', bus: { connected: true, lag: 0 }, record: { id: '<b>rec-1</b>', speed: 60, domainTime: '2024-11-27T00:00:00.000Z' } });
    const openApi = JSON.stringify({ openapi: '3.0.0', info: { title: 'intake', version: '1' }, paths: { '/v1/reports': { post: { tags: ['intake'], summary: 'Submit a report', responses: { 201: { description: 'Recorded' } } } } }, components: { schemas: {} } });
    service = createServer((request, response) => void response.setHeader('content-type', 'application/json').end(request.url === '/internal/openapi.json' ? openApi : ready));
    service.listen(0, '127.0.0.1');
    await once(service, 'listening');
    gateway = fork(join(import.meta.dirname, '..', '..', 'services/gateway/dist/main.js'), {
      env: { PATH: process.env['PATH'], SEJAM_PORT: '0', SEJAM_INTAKE_URL: `http://127.0.0.1:${(service.address() as AddressInfo).port}`, SEJAM_CREDENTIALS_HINT: '/home/<i>x</i>/.sejam/credentials.json' },
      execArgv: ['--disable-warning=ExperimentalWarning'],
      silent: true,
    });
    const [message] = (await once(gateway, 'message')) as [{ url: string }];
    ({ url } = message);
  });
  afterAll(() => {
    gateway.kill('SIGTERM');
    service.closeAllConnections();
    service.close();
  });

  it('shows what runs, in the language of its reader, and asks nothing of anybody else', async () => {
    await open('/');
    await page.locator('[data-part="intake"]').getByText('Siap').waitFor();
    expect(await page.locator('#overall').innerText()).toContain('Semuanya siap');
    expect(await page.locator('#record-id').innerText()).toBe('<b>rec-1</b>');
    expect(await page.locator('#credentials-file').innerText()).toBe('/home/<i>x</i>/.sejam/credentials.json');
    expect(await page.locator('html').getAttribute('lang')).toBe('id');
    expect(await page.getByText('What runs').isVisible()).toBe(false);
    expect(viewer().faults).toEqual([]);
  });

  it('changes its language at a click, and remembers it', async () => {
    await open('/');
    await page.getByRole('button', { name: 'English' }).click();
    await page.getByRole('heading', { name: 'What runs' }).waitFor();
    await page.reload();
    await page.getByRole('heading', { name: 'What runs' }).waitFor();
    expect(await page.locator('html').getAttribute('lang')).toBe('en');
    expect(await page.getByRole('button', { name: 'English' }).getAttribute('aria-pressed')).toBe('true');
    expect(viewer().faults).toEqual([]);
  });

  it('is English for whoever reads English', async () => {
    await open('/', { locale: 'en-GB' });
    await page.locator('[data-part="intake"]').getByText('Ready').waitFor();
    expect(await page.getByRole('heading', { name: 'What runs' }).isVisible()).toBe(true);
  });

  it.each([320, 768, 1400])('fits a screen of %i pixels, light and dark', async (width) => {
    for (const colorScheme of ['light', 'dark'] as const) {
      await open('/', { viewport: { width, height: 800 }, colorScheme });
      await page.locator('[data-part="intake"]').waitFor();
      await viewer().expectFit();
      await viewer().picture(`first-page-${width}-${colorScheme}`);
      if (colorScheme === 'light') await viewer().leave();
    }
  });

  it('can be used by keyboard alone', async () => {
    await open('/');
    await page.locator('[data-part="intake"]').waitFor();
    const reached: string[] = [];
    for (let count = 0; count < 8; count++) {
      await page.keyboard.press('Tab');
      reached.push(await page.evaluate<string>("document.activeElement.getAttribute('href') ?? document.activeElement.dataset.language ?? document.activeElement.tagName"));
    }
    expect(reached.slice(0, 4)).toEqual(['#main', 'id', 'en', '/docs']);
    expect(reached).toContain('/asyncapi.json');
  });

  it('tells without being loaded again that a service has gone', async () => {
    await open('/');
    await page.locator('[data-part="intake"]').getByText('Siap').waitFor();
    const { port } = service.address() as AddressInfo;
    service.closeAllConnections();
    service.close();
    await page.locator('[data-part="intake"]').getByText('Tidak menjawab').waitFor();
    expect(await page.locator('#overall').innerText()).toContain('Belum semuanya siap');
    service.listen(port, '127.0.0.1');
    await page.locator('[data-part="intake"]').getByText('Siap').waitFor();
  });

  it('leads to the API page, which shows every address and asks nothing of anybody else', async () => {
    await open('/');
    await page.getByRole('link', { name: /Halaman API/ }).click();
    await page.getByRole('link', { name: /^intake/ }).waitFor();
    await page.getByRole('button', { name: /expand/i }).first().click();
    await page.getByText('Submit a report').waitFor();
    expect(viewer().faults).toEqual([]);
  });
});
