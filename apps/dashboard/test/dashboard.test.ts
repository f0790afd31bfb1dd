import { chromiumOrSkip } from '@tidemark/testkit';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildDashboard } from '../build.ts';
import { barriers, desk, phone, TestBrowser } from './browser.ts';
import { DashboardWorld } from './world.ts';

// What somebody sees and clicks, in a real browser against the real process: whatever the command line can do can be done here, and
// whoever uses a keyboard, a screen reader or a phone is not left out.           (000-7, 000-8, 004-2, 004-8, P2, P7, P8, P10)

const { browser: found, missing } = await chromiumOrSkip();

describe.skipIf(missing !== null)(`the dashboard${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  let world: DashboardWorld;
  let browser: TestBrowser;
  let page: Page;

  beforeAll(async () => {
    [world, browser] = await Promise.all([DashboardWorld.open(), TestBrowser.launch(found!), buildDashboard()]);
    page = await browser.open(world.link);
  });

  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await world?.[Symbol.asyncDispose]();
  });

  const go = (path: string) => page.goto(`${world.url}${path}`);
  const button = (name: string | RegExp, within: Page | ReturnType<Page['locator']> = page) =>
    within.getByRole('button', { name, exact: typeof name === 'string' });
  const told = (text: string | RegExp) => page.getByText(text).first().waitFor();

  /** Runs a sync by its button, and waits until the run is among those that are listed. */
  async function runNow(sync: string): Promise<void> {
    await go(`/syncs/${sync}/runs`);
    const runs = page.getByRole('table', { name: 'runs' });
    await runs.waitFor();
    const before = Number(await runs.getAttribute('aria-rowcount'));
    await button('Run now').click();
    await expect.poll(async () => Number(await runs.getAttribute('aria-rowcount'))).toBeGreaterThan(before);
    await button('Run now').waitFor();
  }

  test('the link that was shown opens it, and no address, history or storage beyond the tab keeps the token (P10)', async () => {
    await page.getByRole('table', { name: 'syncs' }).waitFor();
    expect(page.url()).toBe(`${world.url}/`);
    expect(await page.evaluate('[localStorage.length, document.cookie]')).toEqual([0, '']);
    const stranger = await browser.open(`${world.url}/failures`);
    await stranger.getByLabel('Token').fill('tm_wrong');
    await stranger.getByRole('button', { name: 'Sign in' }).click();
    await stranger.getByText('This token is not known').waitFor();
    await stranger.context().close();
  });

  test('the overview names every sync with its health, and finds one among them', async () => {
    await go('/');
    for (const sync of ['contacts', 'accounts', 'orders']) await page.getByRole('link', { name: sync, exact: true }).waitFor();
    await page.getByRole('searchbox').fill('customers');
    await expect.poll(() => page.getByRole('row').count()).toBe(2);
    await page.getByRole('searchbox').fill('');
    await button(/Paused/).click();
    await told('No sync is like that');
  });

  test('Run now brings what has changed and leaves its window, Full run asks first (004-2, 004-8)', async () => {
    const id = world.change('Contact', "LastName = 'Hopper'", { LastName: 'Murray' });
    await runNow('contacts');
    expect(world.database((db) => db.prepare('SELECT name FROM contacts WHERE id = ?').get(id))).toEqual({ name: 'Murray' });
    const newest = page.getByRole('table', { name: 'runs' }).getByRole('row').nth(1);
    expect(await newest.innerText()).toMatch(/delta[\s\S]*succeeded[\s\S]* to /);
    await button('Full run').click();
    await button('Read everything').click();
    await expect.poll(() => newest.innerText()).toMatch(/full[\s\S]*succeeded/);
  });

  test('a run that is under way is stopped after its batch', async () => {
    world.emulator.faults.add({ kind: 'slow', match: { path: '/services/data', times: 2 }, params: { delayMs: 8_000 } });
    await go('/syncs/contacts/runs');
    await button('Run now').click();
    await button('Stop').click();
    await expect.poll(() => page.getByRole('table', { name: 'runs' }).getByRole('row').nth(1).innerText()).toContain('stopped');
    world.emulator.faults.clear();
  });

  test('a sync that only takes what is pushed has nothing to run; it can be paused and goes on (004-8)', async () => {
    await go('/syncs/orders');
    await button('Pause').click();
    await button('Resume').waitFor();
    expect(await button('Run now').count()).toBe(0);
    expect(await button('Full run').count()).toBe(0);
    await told('Paused');
    await button('Resume').click();
    await button('Pause').waitFor();
  });

  test('the live tail tells of a run as it happens', async () => {
    await go('/syncs/contacts/live');
    await told('Nothing has happened since this was opened');
    await button('Run now').click();
    await told(/run done/);
  });

  test('a refused record: its reason, what to do, before and after; retried in vain, mended, retried (P2)', async () => {
    world.refuse('Nobody');
    const id = world.change('Contact', "LastName = 'Turing'", { LastName: 'Nobody' });
    await runNow('contacts');
    await go('/failures');
    await button(id).click();
    const detail = page.getByRole('dialog');
    await detail.getByText('nobody is called Nobody').first().waitFor();
    await detail.getByText('What to do').waitFor();
    await detail.getByRole('row', { name: /^name.* Turing Nobody$/ }).waitFor();
    expect(await barriers(page)).toEqual([]);
    await button('Retry now', detail).click();
    await detail.waitFor({ state: 'hidden' });
    await button(id).waitFor();
    world.accept('Nobody');
    await button(id).click();
    await button('Retry now', detail).click();
    await told('No record is failing');
    expect(world.database((db) => db.prepare('SELECT name FROM contacts WHERE id = ?').get(id))).toEqual({ name: 'Nobody' });
  });

  test('a record that is given up is discarded once that was confirmed', async () => {
    world.refuse('Ghost');
    const id = world.change('Contact', "LastName = 'Dijkstra'", { LastName: 'Ghost' });
    await runNow('contacts');
    await go('/syncs/contacts/failures');
    await button(id).click();
    await button('Discard').click();
    await button('Discard it').click();
    await told('No record is failing');
    expect(world.database((db) => db.prepare('SELECT name FROM contacts WHERE id = ?').get(id))).toEqual({ name: 'Dijkstra' });
  });

  test('a conflict is shown side by side, and what is chosen is what both sides hold (P7)', async () => {
    const id = world.change('Account', "Name = 'Acme'", { BillingCity: 'Hamburg' });
    world.database((db) => db.exec("UPDATE customers SET city = 'Bremen' WHERE name = 'Acme'"));
    await runNow('accounts');
    await go('/conflicts');
    const conflict = page.getByRole('article', { name: new RegExp(`conflict of ${id}`) });
    for (const value of ['Hamburg', 'Bremen', 'Berlin']) await conflict.getByText(value, { exact: true }).waitFor();
    expect(await barriers(page)).toEqual([]);
    await button('Take what db customers has', conflict).click();
    await told('Both sides agree');
    const held = world.emulator.org.query(`SELECT BillingCity FROM Account WHERE Id = '${id}'`).page(0, 1, 'v62.0');
    expect(held).toMatchObject([{ BillingCity: 'Bremen' }]);
    await page.getByText('Settled').click();
    await page
      .getByRole('article', { name: new RegExp(id) })
      .getByText('what stands')
      .waitFor();
    await page.getByRole('link', { name: new RegExp(id) }).click();
    await told('As it is now');
    await told(/both sides changed city: decided/);
    await told(/both sides agree/);
    expect(await barriers(page)).toEqual([]);
  });

  test('a conflict of one field takes a value of somebody’s own', async () => {
    world.change('Account', "Name = 'Globex'", { Phone: '22' });
    world.database((db) => db.exec("UPDATE customers SET phone = '33' WHERE name = 'Globex'"));
    await runNow('accounts');
    await go('/syncs/accounts/conflicts');
    await page.getByLabel('another value of phone').fill('44');
    await button('Take this value').click();
    await told('Both sides agree');
    expect(world.database((db) => db.prepare("SELECT phone FROM customers WHERE name = 'Globex'").get())).toEqual({
      phone: '44',
    });
  });

  test('what an event has told of a record is among what has happened to it', async () => {
    const id = world.publish({ Status__c: 'packed' });
    await expect.poll(() => world.database((db) => db.prepare('SELECT Status__c FROM orders').all())).toHaveLength(1);
    await go(`/syncs/orders/records/${id}`);
    await told(/in Order_Update__e/);
    await page.getByRole('row', { name: /Status__c.*packed/ }).waitFor();
  });

  test('the org of a customer is told with how it fares, and can be paused', async () => {
    await go('/orgs');
    const org = page.getByRole('row', { name: /initech/ });
    await button('pause initech', org).click();
    await button('resume initech', org).click();
    await button('pause initech', org).waitFor();
  });

  test('a connection is tested, and the budget of its org is told with a forecast (P8)', async () => {
    await go('/connections');
    const org = page.getByRole('article', { name: 'org' });
    await button('Test', org).click();
    await org.getByText('It lets us in').waitFor();
    await org.getByRole('progressbar', { name: 'our calls of our share' }).waitFor();
    await org.getByText(/calls? an hour:/).waitFor();
  });

  test('a configuration is tested, checked and compared before it is taken over; a wrong one changes nothing (000-7, 000-8)', async () => {
    await go('/configuration');
    const text = page.getByLabel('configuration, as YAML');
    const before = await text.inputValue();
    await text.fill(before.replace(/clientId: "[^"]*"/, 'clientId: "wrong"'));
    await button('Test connection').click();
    await told('It does not work as it is');
    await text.fill(before.replace('table: contacts', 'tabel: contacts'));
    await button('Check and compare').click();
    await told('It cannot be taken over as it is');
    expect(await button('Take over').isDisabled()).toBe(true);
    await text.fill(
      `${before}  leads:\n    from: { connection: org, object: Lead }\n    to: { connection: db, table: leads }\n    every: 1h\n`,
    );
    await button('Check and compare').click();
    await told('Syncs that are new: leads');
    await page.getByText('+   leads:').waitFor();
    expect(await barriers(page)).toEqual([]);
    await button('Take over').click();
    // The process begins anew, and the page finds it again by itself.
    await page.getByRole('link', { name: 'Overview' }).click();
    await page.getByRole('link', { name: 'leads', exact: true }).waitFor();
  });

  test('whoever may only read is shown everything, and no button that would be refused', async () => {
    const reader = await browser.open(await world.readerLink());
    await reader.goto(`${world.url}/syncs/contacts`);
    const run = reader.getByRole('button', { name: 'Run now' });
    await run.waitFor();
    expect(await run.isDisabled()).toBe(true);
    await reader.goto(`${world.url}/configuration`);
    await reader.getByText('This takes a token of an administrator').waitFor();
    await reader.context().close();
  });

  const pages = ['/', '/syncs/accounts', '/syncs/contacts/runs', '/failures', '/connections', '/orgs'];

  /** Opens a page, and waits until all of it is there. */
  async function see(path: string): Promise<void> {
    await go(path);
    await page.getByRole('heading', { level: 1 }).waitFor();
    await expect.poll(() => page.getByRole('status', { name: /loading|opening/ }).count()).toBe(0);
  }

  test('nothing is in anybody’s way: in the light, and in the dark, where only colours are others', async () => {
    for (const path of pages) {
      await see(path);
      expect([path, await barriers(page)]).toEqual([path, []]);
      await page.emulateMedia({ colorScheme: 'dark' });
      expect([path, await barriers(page, ['color-contrast', 'link-in-text-block'])]).toEqual([path, []]);
      await page.emulateMedia({ colorScheme: 'light' });
    }
  });

  test('on a phone nothing is wider than the screen', async () => {
    await page.setViewportSize(phone);
    for (const path of [...pages, '/conflicts', '/configuration']) {
      await see(path);
      const fits = await page.evaluate('document.documentElement.scrollWidth <= window.innerWidth');
      expect([path, fits]).toEqual([path, true]);
    }
    await page.setViewportSize(desk);
  });

  test('it is used by keys alone: past the navigation, into a sync, through a dialog and back', async () => {
    await see('/');
    const focused = () => page.evaluate('document.activeElement.textContent');
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('Go to the content');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.closest("main") !== null')).toBe(true);
    await page.getByRole('link', { name: 'contacts', exact: true }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: 'contacts' }).waitFor();
    await button('Full run').focus();
    await page.keyboard.press('Enter');
    await button('Read everything').waitFor();
    await page.keyboard.press('Escape');
    await button('Read everything').waitFor({ state: 'hidden' });
    await expect.poll(focused).toBe('Full run');
  });

  test('when nobody answers it says so, keeps what was told, and goes on by itself', async () => {
    await see('/connections');
    const api = `${world.url}/api/v1/**`;
    await page.route(api, (route) => route.abort());
    await page.getByRole('link', { name: 'Configuration' }).click();
    await told('Tidemark does not answer');
    await told('see whether it still runs');
    await page.unroute(api);
    await button('Try again').click();
    await page.getByLabel('configuration, as YAML').waitFor();
  });

  test('no script failed, and the policy of the page kept nothing of its own from it', () => {
    expect(browser.complaints).toEqual([]);
  });
});
