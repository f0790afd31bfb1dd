import { AxeBuilder } from '@axe-core/playwright';
import type { Browser as Found } from '@tidemark/testkit';
import { type Browser, chromium, type Page } from 'playwright-core';

export const desk = { width: 1280, height: 800 };
export const phone = { width: 390, height: 844 };

const PATIENT_MS = 90_000;

/** A browser for a whole file: its pages tell what they complain of. */
export class TestBrowser implements AsyncDisposable {
  /** Errors of scripts, and what the policy of the page has kept from being loaded. */
  readonly complaints: string[] = [];
  readonly #browser: Browser;

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  static async launch({ path, env }: Found): Promise<TestBrowser> {
    // Chromium's sandbox is not for root, who runs tests in containers.
    const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
    return new TestBrowser(
      await chromium.launch({ executablePath: path, env: { ...process.env, ...env } as Record<string, string>, args }),
    );
  }

  /** Somebody else's: nothing is shared with other pages. */
  async open(url: string): Promise<Page> {
    const context = await this.#browser.newContext({ viewport: desk, colorScheme: 'light', reducedMotion: 'reduce' });
    // Every core may be busy with others.
    context.setDefaultTimeout(PATIENT_MS);
    const page = await context.newPage();
    page.on('pageerror', (error) => this.complaints.push(error.message));
    page.on('console', (message) => {
      const text = message.text();
      // What is refused on purpose is told by the page itself.
      if (message.type() === 'error' && !text.includes('Failed to load resource')) this.complaints.push(text);
    });
    await page.goto(url);
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
  }
}

/** What keeps somebody from using this page: rules of axe, and where they are broken. @param rules  only these */
export async function barriers(page: Page, rules?: readonly string[]): Promise<string[]> {
  const axe = new AxeBuilder({ page }).setLegacyMode();
  if (rules !== undefined) axe.withRules([...rules]);
  const { violations } = await axe.analyze();
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html}\n${failureSummary}`));
}
