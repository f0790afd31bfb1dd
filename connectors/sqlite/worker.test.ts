import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

// The worker starts with each run. Loading the engine into it too would cost half a second and tens of megabytes each time; types
// cost nothing.                                                                                                          (P9)
test('the worker loads no module but its own and those of Node', () => {
  const seen = new Set<string>();
  const foreign: string[] = [];
  const visit = (file: string) => {
    if (seen.has(file)) return;
    seen.add(file);
    const text = readFileSync(new URL(file, import.meta.url), 'utf8');
    for (const [, clause, from] of text.matchAll(/^import ([^;]*?) from '([^']+)';/gms)) {
      const runs = !clause!.startsWith('type ') && !/^\{(\s*type \w+,?)+\s*\}$/.test(clause!);
      if (!runs || from!.startsWith('node:')) continue;
      if (from!.startsWith('./')) visit(from!);
      else foreign.push(`${file}: ${from}`);
    }
  };
  visit('./worker.ts');
  expect(seen.size).toBeGreaterThan(10);
  expect(foreign).toEqual([]);
});
