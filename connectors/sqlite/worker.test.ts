import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

// The worker starts with each run. Loading the engine into it too would cost half a second and tens of megabytes each time; types
// cost nothing.                                                                                                          (P9)
test('the worker loads no module but its own and those of Node', () => {
  const seen = new Set<string>();
  const foreign: string[] = [];
  const visit = (file: URL) => {
    if (seen.has(file.href)) return;
    seen.add(file.href);
    const text = readFileSync(file, 'utf8');
    for (const [, clause, from] of text.matchAll(/^import ([^;]*?) from '([^']+)';/gms)) {
      const runs = !clause!.startsWith('type ') && !/^\{(\s*type \w+,?)+\s*\}$/.test(clause!);
      if (!runs || from!.startsWith('node:')) continue;
      if (/^\.\.?\//.test(from!)) visit(new URL(from!, file));
      else foreign.push(`${file.pathname}: ${from}`);
    }
  };
  visit(new URL('./worker.ts', import.meta.url));
  expect(seen.size).toBeGreaterThan(10);
  expect(foreign).toEqual([]);
});
