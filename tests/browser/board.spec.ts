// The board and the API page of a whole installation, as a browser shows them.
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { eventually } from '@sejam/testkit';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { answers, approvedCase, deliveredCase, statusIs, type ReportedCase } from '../stack/cases.js';
import { Stack } from '../stack/stack.js';
import { describePages } from './viewer.js';

jest.setTimeout(60_000);

describePages('the board', (viewer) => {
  let stack: Stack;
  let page: Page;
  const open: ReportedCase[] = [];

  beforeAll(async () => {
    // An hour in two minutes: time left is seen to fall, and a deadline of ten minutes to pass.
    stack = await Stack.start({ speed: 30, services: ['intake', 'routing', 'sla', 'reporting'] });
  }, 180_000);
  afterAll(() => stack.stop(), 60_000);

  const board = async (options: BrowserContextOptions = {}, key = 'kominfo'): Promise<void> => {
    page = await viewer().open(`${stack.url}/board`, options);
    await page.locator('#key').fill(stack.credentials.keys[key] ?? key);
    await page.keyboard.press('Enter');
  };
  const row = ({ contentKey }: ReportedCase) => page.locator('#rows tr', { hasText: contentKey });

  it('asks for a key, says when it is not good, and keeps it nowhere else', async () => {
    viewer().expected = /401/;
    await board({}, 'sjm_nobody');
    await page.getByText('Kunci ini tidak dikenal atau tidak berlaku.').waitFor();
    expect(await page.locator('#board').isVisible()).toBe(false);
    expect(await page.evaluate<string>('JSON.stringify({ ...localStorage, ...sessionStorage }) + document.cookie')).not.toContain('sjm_');
    await viewer().expectFit();
    await viewer().picture('board-key');
    expect(viewer().faults).toEqual([]);
    viewer().expected = undefined;
  });

  it('says in the reader\'s language that nothing is open', async () => {
    await board();
    await page.getByText('Langsung').waitFor();
    await page.getByText('Tidak ada perintah terbuka.').waitFor();
    await viewer().picture('board-empty');
    await page.getByRole('button', { name: 'English' }).click();
    await page.getByText('No order is open.').waitFor();
    expect(await page.title()).toBe('Sejam board: open orders');
    expect(await page.locator('html').getAttribute('lang')).toBe('en');
    expect(viewer().faults).toEqual([]);
  });

  it('shows an order when it is issued, its status as it changes, its time as it passes, and takes it off when it is answered', async () => {
    await board({ locale: 'en-GB' });
    await page.getByText('Live').waitFor();
    const [answered, asked] = [await deliveredCase(stack, { platform: 'tiktok' }), await deliveredCase(stack, { platform: 'telegram' })];
    open.push(asked);
    await row(answered).getByText('delivered', { exact: true }).waitFor();
    const timeLeft = () => row(answered).locator('.left span').innerText();
    const left = await timeLeft();
    expect(left).toMatch(/^00:[0-5]\d:[0-5]\d$/);
    await eventually(async () => expect((await timeLeft()) < left).toBe(true));
    const [due, shown] = [await row(answered).locator('time').getAttribute('datetime'), await row(answered).locator('time').innerText()];
    expect(shown).toBe(`${new Date(Date.parse(due ?? '') + 7 * 3_600_000).toLocaleString('en-GB', { timeZone: 'UTC', dateStyle: 'medium', timeStyle: 'short' })} WIB`);

    await stack.answer('telegram', ...answers.clarification(asked.orderId));
    await row(asked).getByText('clarification requested').waitFor();
    await stack.answer('tiktok', ...answers.actioned(answered.orderId));
    await statusIs(stack, answered, 'actioned');
    await row(answered).waitFor({ state: 'detached' });
    expect(await page.locator('#count').innerText()).toBe('1 open order');
    expect(viewer().faults).toEqual([]);
  });

  it('goes on by itself when the service behind it was away', async () => {
    viewer().expected = /ERR_|Failed to load|50[23]/;
    await board();
    await page.getByText('Langsung').waitFor();
    await stack.kill('reporting');
    await page.getByText('Terputus').waitFor();
    await stack.process('reporting').startAgain();
    await page.getByText('Langsung').waitFor();
    const found = await deliveredCase(stack, { platform: 'google' });
    open.push(found);
    await row(found).waitFor();
    expect(viewer().faults).toEqual([]);
    viewer().expected = undefined;
  });

  it('lets its viewer keep to one platform', async () => {
    stack.desk.take = ({ platform }) => (platform === 'snackvideo' ? 500 : 204);
    open.push(await approvedCase(stack, { platform: 'snackvideo' }), await deliveredCase(stack, { platform: 'meta', url: `https://www.facebook.com/100044${'1'.repeat(9)}/posts/pfbid0${'AbCdEfGh'.repeat(7)}` }));
    await board();
    for (const one of open) await row(one).waitFor();
    await page.locator('#filter').selectOption('snackvideo');
    expect(await page.locator('#rows tr').count()).toBe(1);
    expect(await page.locator('#count').innerText()).toBe('1 perintah terbuka');
    await page.locator('#filter').selectOption('');
    expect(await page.locator('#rows tr').count()).toBe(open.length);
  });

  it('shows a platform its own orders alone', async () => {
    await board({}, 'telegram');
    await page.locator('#rows tr').first().waitFor();
    expect(await page.locator('#rows tr').count()).toBe(1);
    expect(await page.locator('#platforms li').count()).toBe(1);
  });

  it.each([320, 390, 768, 1400])('fits a screen of %i pixels, light and dark', async (width) => {
    for (const colorScheme of ['light', 'dark'] as const) {
      await board({ viewport: { width, height: 800 }, colorScheme, locale: width === 390 ? 'id-ID' : 'en-GB' });
      for (const one of open) await row(one).waitFor();
      await viewer().picture(`board-${width}-${colorScheme}`);
      await viewer().expectFit();
      if (colorScheme === 'light') await viewer().leave();
    }
  });

  it('is joined by an API page that shows every service\'s addresses, on every screen', async () => {
    for (const [width, locale] of [[390, 'id-ID'], [1400, 'en-GB']] as const) {
      page = await viewer().open(`${stack.url}/docs`, { viewport: { width, height: 900 }, locale });
      for (const service of ['intake', 'routing', 'sla', 'reporting']) await page.getByRole('link', { name: service, exact: true }).waitFor();
      await page.locator('#operations-tag-intake').click();
      const submit = page.locator('.opblock-post', { has: page.locator('[data-path="/v1/reports"]') });
      await submit.locator('.opblock-summary').click();
      await submit.getByText('Idempotency-Key').first().waitFor();
      await viewer().picture(`docs-${width}`);
      await viewer().expectFit();
      expect(viewer().faults).toEqual([]);
      if (width === 390) await viewer().leave();
    }
  });
});
