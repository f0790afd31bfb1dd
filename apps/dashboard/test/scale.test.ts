import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import sqlite from '@tidemark/connector-sqlite';
import {
  Configuration,
  dashboard,
  Engine,
  type HttpServer,
  Operations,
  openStore,
  parseConfig,
  type Store,
  seededRandom,
  startHttpServer,
  systemClock,
} from '@tidemark/core';
import { apiV1 } from '@tidemark/core/api-v1';
import { chromiumOrSkip } from '@tidemark/testkit';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildDashboard } from '../build.ts';
import { barriers, TestBrowser } from './browser.ts';

// With a thousand syncs, a hundred thousand runs and thousands of failures and conflicts a page still asks for little and draws little:
// what is in sight, and no more; whatever there is can be scrolled to, and how much that is is told as it is.

const SYNCS = 1_000;
const RUNS = 100_000;
/** Of one sync alone. */
const BUSY_RUNS = 50_000;
/** Of two syncs; more than the API gives at once. */
const FAILURES = 1_145;
const CONFLICTS = 150;
/** As many as one page holds. */
const SETTLED = 100;
/** In sight, and a few beside. */
const ROWS_DRAWN_MAX = 60;

const { browser: found, missing } = await chromiumOrSkip();
const name = (index: number) => `sync-${String(index).padStart(4, '0')}`;

describe.skipIf(missing !== null)(`a thousand syncs${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-scale-'));
  const stop = new AbortController();
  let store: Store;
  let engine: Engine;
  let server: HttpServer;
  let browser: TestBrowser;
  let page: Page;
  /** Bytes of what the API has answered, by path. */
  const answered = new Map<string, number>();

  beforeAll(async () => {
    const file = join(folder, 'state.db');
    store = await openStore(file);
    fillRuns(file);
    fillFailures(file);
    fillConflicts(file);
    const log = { debug() {}, info() {}, warn() {}, error() {} };
    const options = { file: join(folder, 'tidemark.yaml'), env: {}, connectors: [sqlite] };
    const config = parseConfig(configuration(), options);
    engine = new Engine({ config, store, clock: systemClock, random: seededRandom(1), log, fetch });
    const operations = new Operations({ clock: systemClock, log, stop: stop.signal });
    const common = { engine, operations, now: systemClock.now, log, version: '0.0.0', stop: stop.signal };
    const endpoints = [
      apiV1({ ...common, configuration: new Configuration({ ...options, config, reload() {} }) }),
      dashboard(buildDashboard),
    ];
    server = await startHttpServer({ host: null, port: 0, log, endpoints });
    [browser] = await Promise.all([TestBrowser.launch(found!), buildDashboard()]);
    const { token } = await engine.tokens.issue('tester', 'read');
    page = await browser.open(`${server.url}/#token=${token}`);
    page.on('response', async (response) => {
      const { pathname } = new URL(response.url());
      if (!pathname.startsWith('/api/') || pathname.endsWith('/events')) return;
      const bytes = (await response.body().catch(() => Buffer.alloc(0))).length;
      answered.set(pathname, (answered.get(pathname) ?? 0) + bytes);
    });
  });

  afterAll(async () => {
    stop.abort();
    await browser?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
    await engine?.[Symbol.asyncDispose]();
    await store?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  const rows = () => page.getByRole('row').count();
  const scrollToEnd = () => page.evaluate('window.scrollTo(0, document.body.scrollHeight)');

  test('the overview draws what is in sight, and the last of all when it is scrolled to', async () => {
    const table = page.getByRole('table', { name: 'syncs' });
    await table.waitFor();
    expect(await table.getAttribute('aria-rowcount')).toBe(String(SYNCS + 1));
    expect(await rows()).toBeLessThan(ROWS_DRAWN_MAX);
    await scrollToEnd();
    await page.getByRole('link', { name: name(SYNCS - 1) }).waitFor();
    expect(await rows()).toBeLessThan(ROWS_DRAWN_MAX);
    await page.getByRole('searchbox').fill(name(500));
    await expect.poll(rows).toBe(2);
  });

  test('the runs of a sync are asked for a page at a time, as far as somebody scrolls', async () => {
    answered.clear();
    await page.goto(`${server.url}/syncs/${name(0)}/runs`);
    const table = page.getByRole('table', { name: 'runs' });
    await table.waitFor();
    const pages = async () => (Number(await table.getAttribute('aria-rowcount')) - 1) / 50;
    expect(await pages()).toBe(1);
    await scrollToEnd();
    await expect.poll(pages).toBe(2);
    expect(await rows()).toBeLessThan(ROWS_DRAWN_MAX);
    expect(answered.get('/api/v1/runs')).toBeLessThan(2 * 50 * 600);
    // Nobody has asked for the other 999.
    expect(answered.get(`/api/v1/syncs/${name(0)}`)).toBeLessThan(10_000);
  });

  test('every failure can be scrolled to, a page at a time, and how many there are is told from the first page on (P2)', async () => {
    await page.goto(`${server.url}/failures`);
    const table = page.getByRole('table', { name: 'failures' });
    await page.getByText('100 of 1,145 failures; more come as you scroll').waitFor();
    expect(await table.getAttribute('aria-rowcount')).toBe(String(FAILURES + 1));
    expect(await barriers(page)).toEqual([]);
    for (let looked = 200; looked < FAILURES; looked += 100) {
      await scrollToEnd();
      await page.getByText(`${looked.toLocaleString('en')} of 1,145 failures`).waitFor();
    }
    await scrollToEnd();
    await page.getByText(/^1,145 failures\./).waitFor();
    await scrollToEnd();
    await page.getByRole('button', { name: `record-${FAILURES - 1}`, exact: true }).waitFor();
    expect(await rows()).toBeLessThan(ROWS_DRAWN_MAX);
  });

  test('a sync tells of its own failures alone', async () => {
    await page.goto(`${server.url}/syncs/${name(1)}/failures`);
    await page.getByText(/^100 of 572 failures/).waitFor();
  });

  test('a page that could not be had is asked for again when somebody says so, and what is there stays', async () => {
    await page.goto(`${server.url}/failures`);
    await page.getByText(/^100 of 1,145 failures/).waitFor();
    const next = '**/api/v1/failures?*after=100&*';
    const json = { error: { code: 'not_now', message: 'It is refused this once' } };
    await page.route(next, (route) => route.fulfill({ status: 422, json }));
    await scrollToEnd();
    await page.getByText('It is refused this once').waitFor();
    await page.getByText(/^100 of 1,145 failures/).waitFor();
    await page.unroute(next);
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByText(/^200 of 1,145 failures/).waitFor();
  });

  test('conflicts come a page at a time, the newest first, and no pair of records is shown in part (P7)', async () => {
    await page.goto(`${server.url}/conflicts`);
    const list = page.getByRole('list', { name: 'open conflicts' });
    // Of the 100 that were asked for, the last is the first of three of its pair.
    await page.getByText('99 of 150 open conflicts; more come as you scroll').waitFor();
    expect(await list.getByRole('listitem').first().getAttribute('aria-setsize')).toBe('-1');
    expect(await barriers(page)).toEqual([]);
    await scrollToEnd();
    await page.getByText(/^150 open conflicts\./).waitFor();
    expect(await list.getByRole('listitem').first().getAttribute('aria-setsize')).toBe('50');
    await scrollToEnd();
    await page.getByRole('article', { name: 'conflict of left-0 and right-0' }).waitFor();
  });

  test('a list that ends with its page does not promise more', async () => {
    await page.goto(`${server.url}/conflicts`);
    await page.getByText('Settled', { exact: true }).click();
    await page.getByText(/^100 settled conflicts\./).waitFor();
  });
});

function configuration(): string {
  const sync = (_: unknown, index: number) => [
    name(index),
    { from: { connection: 'db', table: 'people' }, to: { connection: 'db', table: `copy_${index}` } },
  ];
  return JSON.stringify({
    connections: { db: { type: 'sqlite', path: 'app.db' } },
    syncs: Object.fromEntries(Array.from({ length: SYNCS }, sync)),
  });
}

/** Written as the store writes them, in one statement. */
function fillRuns(file: string): void {
  using db = new DatabaseSync(file);
  const counts = JSON.stringify({ read: 5, created: 1, updated: 2, unchanged: 1, deleted: 1, failed: 0, dropped: 0 });
  db.prepare(
    `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ${RUNS - 1})
     INSERT INTO runs (sync, kind, state, started_at_ms, finished_at_ms, window_from_ms, window_to_ms, counts)
     SELECT printf('sync-%04d', CASE WHEN i < ${BUSY_RUNS} THEN 0 ELSE i % ${SYNCS} END), 'delta', 'succeeded',
       1700000000000 + i * 1000, 1700000000900 + i * 1000, 1700000000000 + i * 1000, 1700000000500 + i * 1000, ? FROM n`,
  ).run(counts);
}

/** Of the first two syncs, in turn. */
function fillFailures(file: string): void {
  using db = new DatabaseSync(file);
  db.prepare(
    `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ? - 1)
     INSERT INTO failures (sync, key, op, row, stamp_ms, code, message, place, attempts, first_at_ms, last_at_ms, next_attempt_at_ms)
     SELECT printf('sync-%04d', i % 2), 'record-' || i, 'upsert', '{}', 0, 'refused', 'no such value', 'target', 1,
       1700000000000 + i, 1700000000000 + i, 4000000000000 - i FROM n`,
  ).run(FAILURES);
}

/** Three fields of each pair of records that wait for somebody, one of each that has been decided. */
function fillConflicts(file: string): void {
  using db = new DatabaseSync(file);
  const fill = (count: number, each: number, state: string) =>
    db
      .prepare(
        `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ${count} - 1)
         INSERT INTO conflicts (sync, left_key, right_key, field, base_value, left_value, right_value, state, outcome, why, at_ms)
         SELECT 'sync-0000', 'left-' || (i / ${each}), 'right-' || (i / ${each}), 'field_' || (i % ${each}), '"a"', '"b"', '"c"', ?,
           'null', 'manual', 1700000000000 + i FROM n`,
      )
      .run(state);
  fill(CONFLICTS, 3, 'open');
  fill(SETTLED, 1, 'settled');
}
