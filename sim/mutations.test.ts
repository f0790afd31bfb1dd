import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { edited, root } from './lib/private-copy.ts';
import { simulations } from './lib/simulations.ts';

// A mutation that no longer fits the code breaks nothing, and what its table says of it would be of another day.

const all = Promise.all(Object.values(simulations).map(async ({ load }) => (await load()).mutations));

test('every mutation still changes what it is meant to change', async () => {
  for (const mutations of await all) {
    expect(new Set(mutations.map(({ name }) => name)).size).toBe(mutations.length);
    for (const { edits } of mutations) {
      expect(edits).not.toEqual([]);
      const texts = new Map<string, string>();
      for (const edit of edits) {
        const before = texts.get(edit.file) ?? readFileSync(join(root, edit.file), 'utf8');
        const after = edited(before, edit);
        expect(after).not.toBe(before);
        texts.set(edit.file, after);
      }
    }
  }
});

test('a test that stands in for worlds is there', async () => {
  for (const { test: named } of (await all).flat()) {
    if (named !== undefined) expect(existsSync(join(root, named.file))).toBe(true);
  }
});

test('the tables tell of every mutation, and of no other', async () => {
  const rows = readFileSync(join(root, 'sim/README.md'), 'utf8').matchAll(/^\| (.+?) \| (P\d+) \| (.+?) \|$/gm);
  const told = [...rows].map(([, name, promise]) => `${promise} ${name}`);
  expect(told.sort()).toEqual(
    (await all)
      .flat()
      .map(({ name, promise }) => `${promise} ${name}`)
      .sort(),
  );
});
