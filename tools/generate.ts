import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { type Generator, generators } from './generators.ts';
import { root } from './run-command.ts';

/** Writes what is out of date, or with `check` only names it. Answers the files concerned. */
export async function generate(list: readonly Generator[], folder: string, check: boolean): Promise<string[]> {
  const stale: string[] = [];
  for (const { file, make } of list) {
    const path = join(folder, file);
    const wanted = await make();
    const found = await readFile(path, 'utf8').catch(() => null);
    if (found === wanted) continue;
    stale.push(file);
    if (check) continue;
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, wanted);
  }
  return stale;
}

// `npm run` starts it through another script, of which `import.meta.main` would be true.
if (resolve(process.argv[1] ?? '') === import.meta.filename) {
  const check = process.argv.includes('--check');
  const stale = await generate(generators, root, check);
  for (const file of stale) console.log(check ? `${file} is not what the code says: run npm run generate` : `${file} written`);
  process.exitCode = check && stale.length > 0 ? 1 : 0;
}
