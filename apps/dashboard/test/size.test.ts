import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { buildDashboard } from '../build.ts';

// Whoever opens the dashboard over a slow line waits for what its first page needs, and for nothing of the others.

const FIRST_LOAD_BYTES_MAX = 300_000;
/** As Vite writes it: what a module is built into, and what comes with it. */
interface Chunk {
  readonly file: string;
  readonly css?: readonly string[];
  readonly imports?: readonly string[];
}

let folder: string;
let manifest: Readonly<Record<string, Chunk>>;

beforeAll(async () => {
  folder = await buildDashboard();
  manifest = JSON.parse(await readFile(join(folder, '.vite/manifest.json'), 'utf8'));
});

/** Files that the browser asks for before it can draw the overview. */
function firstLoad(): readonly string[] {
  const names = new Set<string>();
  const add = (name: string) => {
    if (names.has(name)) return;
    names.add(name);
    for (const each of manifest[name]!.imports ?? []) add(each);
  };
  add('index.html');
  add('src/pages/overview/Overview.tsx');
  const chunks = [...names].map((name) => manifest[name]!);
  return [...new Set(chunks.flatMap(({ file, css = [] }) => [file, ...css]))];
}

test('the first load is under 300 KB, as it goes over the line', async () => {
  const files = firstLoad();
  const sizes = await Promise.all(files.map(async (name) => (await stat(join(folder, `${name}.gz`))).size));
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(FIRST_LOAD_BYTES_MAX);
});

test('it is built for users, whoever builds it', async () => {
  for (const file of firstLoad().filter((name) => name.endsWith('.js'))) {
    expect(await readFile(join(folder, file), 'utf8')).not.toContain('jsxDEV');
  }
});

test('charts come with the page that draws them, and not before', () => {
  const { file } = manifest['src/pages/sync/RunChart.tsx']!;
  expect(firstLoad()).not.toContain(file);
});

test('everything is there compressed, and no file names another host', async () => {
  const assets = await readdir(join(folder, 'assets'));
  for (const name of assets.filter((each) => /\.(js|css)$/.test(each))) {
    expect(assets).toEqual(expect.arrayContaining([`${name}.br`, `${name}.gz`]));
  }
  const document = await readFile(join(folder, 'index.html'), 'utf8');
  expect(document).not.toMatch(/https?:|<script(?![^>]*\bsrc=)/);
});
