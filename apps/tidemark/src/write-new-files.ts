import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { firstDifference } from './first-difference.ts';
import { UsageError } from './usage-error.ts';

/** Files that are named one by one in a refusal. */
const NAMED_MAX = 10;

/**
 * Writes files below a folder and answers their paths. Nothing that is there and different is overwritten: then nothing is written,
 * and what differs is told. With `force` it is; absent, whoever asked has no such choice.
 */
export async function writeNewFiles(
  folder: string,
  files: ReadonlyMap<string, string>,
  { force }: { readonly force?: boolean } = {},
): Promise<readonly string[]> {
  const toWrite: [path: string, text: string][] = [];
  const differing: string[] = [];
  for (const [name, text] of files) {
    const path = join(folder, name);
    const there = await readIfThere(path);
    // A project has its own settings, into which ours fit.
    if (there === text || (there !== null && name.endsWith('sfdx-project.json'))) continue;
    if (there !== null && !force) differing.push(`${path} is there already, and differs\n${firstDifference(there, text)}`);
    toWrite.push([path, text]);
  }
  if (differing.length > 0) {
    const more = differing.length > NAMED_MAX ? [`and ${differing.length - NAMED_MAX} more`] : [];
    throw new UsageError([...differing.slice(0, NAMED_MAX), ...more].join('\n'), {
      hint:
        force === undefined
          ? 'name another folder, or move that file away'
          : 'name another folder, or write over it with --force',
    });
  }
  for (const [path, text] of toWrite) {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text, { flag: force ? 'w' : 'wx' });
  }
  return [...files.keys()].map((name) => join(folder, name));
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR')
      throw new UsageError(`${path}: a file is in the way of its folder`, { hint: 'name another folder' });
    throw error;
  }
}
