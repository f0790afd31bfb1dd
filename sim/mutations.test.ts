import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { edited, root } from './lib/private-copy.ts';
import { simulations } from './lib/simulations.ts';

// A mutation that no longer fits the code breaks nothing, and what its table says of it would be of another day.

test('every mutation still changes what it is meant to change', async () => {
  for (const { load } of Object.values(simulations)) {
    const { mutations } = await load();
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
