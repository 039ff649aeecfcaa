// Needs a Chromium: CHROMIUM_PATH, or the system's own. With SEJAM_SCREENSHOTS=<folder> what was looked at stays there as pictures.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';

const executablePath = [process.env['CHROMIUM_PATH'], '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => path !== undefined && existsSync(path));

/** Somebody before a screen, who notices whatever a page complains about or asks of another address. */
export class Viewer {
  page!: Page;
  faults: string[] = [];
  /** Complaints that belong to what is tried. */
  expected: RegExp | undefined;

  constructor(private readonly browser: Browser) {}

  async open(address: string, options: BrowserContextOptions = {}): Promise<Page> {
    const { origin } = new URL(address);
    this.faults = [];
    const fault = (what: string): void => void (this.expected?.test(what) === true || this.faults.push(what));
    this.page = await (await this.browser.newContext({ locale: 'id-ID', ...options })).newPage();
    this.page.on('request', (request) => void (request.url().startsWith(origin) || request.url().startsWith('data:') || fault(`asks ${request.url()}`)));
    this.page.on('console', (message) => void (message.type() === 'error' && fault(message.text())));
    this.page.on('pageerror', (error) => fault(error.message));
    await this.page.goto(address);
    return this.page;
  }

  /** Nothing sticks out at the side. */
  async expectFit(): Promise<void> {
    const [needed, have] = await this.page.evaluate<[number, number]>('[document.documentElement.scrollWidth, document.documentElement.clientWidth]');
    expect(needed).toBeLessThanOrEqual(have);
  }

  async picture(name: string): Promise<void> {
    const folder = process.env['SEJAM_SCREENSHOTS'];
    if (folder !== undefined) await this.page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
  }

  async leave(): Promise<void> {
    await this.page.context().close();
  }
}

/** A suite that looks at pages; where there is no browser it says so, which is a failure in CI. */
export function describePages(title: string, suite: (viewer: () => Viewer) => void): void {
  describe(title, () => {
    if (executablePath === undefined) {
      it('is not looked at, since there is no Chromium on this machine; in CI that is a failure', () => {
        console.log('No Chromium was found: install one, or name it in CHROMIUM_PATH. The pages are not looked at.');
        expect(process.env['CI']).toBeUndefined();
      });
      return;
    }
    let browser: Browser;
    let viewer: Viewer;
    beforeAll(async () => {
      browser = await chromium.launch({ executablePath });
      viewer = new Viewer(browser);
    });
    afterEach(() => viewer.leave());
    afterAll(() => browser.close());
    suite(() => viewer);
  });
}
