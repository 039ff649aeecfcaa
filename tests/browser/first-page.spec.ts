// The gateway's pages as a browser shows them. Needs a Chromium: CHROMIUM_PATH, or the system's own.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';

jest.setTimeout(60_000);

const executablePath = [process.env['CHROMIUM_PATH'], '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => path !== undefined && existsSync(path));

function withoutBrowser(): void {
  it('is not looked at, since there is no Chromium on this machine; in CI that is a failure', () => {
    console.log('No Chromium was found: install one, or name it in CHROMIUM_PATH. The pages are not looked at.');
    expect(process.env['CI']).toBeUndefined();
  });
}

function withBrowser(): void {
  let service: Server;
  let gateway: ChildProcess;
  let url: string;
  let browser: Browser;
  let page: Page;
  let faults: string[];

  /** Whatever a page asks of another address, or complains about, is a fault. */
  async function open(path: string, options: BrowserContextOptions = {}): Promise<void> {
    faults = [];
    page = await (await browser.newContext({ locale: 'id-ID', ...options })).newPage();
    page.on('request', (request) => void (request.url().startsWith(url) || request.url().startsWith('data:') || faults.push(`asks ${request.url()}`)));
    page.on('console', (message) => void (message.type() === 'error' && faults.push(message.text())));
    page.on('pageerror', (error) => faults.push(error.message));
    await page.goto(`${url}${path}`);
  }

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
    browser = await chromium.launch({ executablePath: executablePath ?? '' });
  });
  afterEach(() => page.context().close());
  afterAll(async () => {
    await browser.close();
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
    expect(faults).toEqual([]);
  });

  it('changes its language at a click, and remembers it', async () => {
    await open('/');
    await page.getByRole('button', { name: 'English' }).click();
    await page.getByRole('heading', { name: 'What runs' }).waitFor();
    await page.reload();
    await page.getByRole('heading', { name: 'What runs' }).waitFor();
    expect(await page.locator('html').getAttribute('lang')).toBe('en');
    expect(await page.getByRole('button', { name: 'English' }).getAttribute('aria-pressed')).toBe('true');
    expect(faults).toEqual([]);
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
      const [needed, have] = await page.evaluate<[number, number]>('[document.documentElement.scrollWidth, document.documentElement.clientWidth]');
      expect(needed).toBeLessThanOrEqual(have);
      if (colorScheme === 'light') await page.context().close();
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
    expect(faults).toEqual([]);
  });
}

describe("the gateway's first page", executablePath === undefined ? withoutBrowser : withBrowser);
