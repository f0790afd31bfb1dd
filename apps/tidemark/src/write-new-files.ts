import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { UsageError } from './usage-error.ts';

/** Writes files below a folder and answers their paths. Nothing that is there and different is overwritten: then nothing is written. */
export async function writeNewFiles(folder: string, files: ReadonlyMap<string, string>): Promise<readonly string[]> {
  const missing: [path: string, text: string][] = [];
  for (const [name, text] of files) {
    const path = join(folder, name);
    const there = await readIfThere(path);
    // A project has its own settings, into which ours fit.
    if (there === text || (there !== null && name.endsWith('sfdx-project.json'))) continue;
    if (there !== null) {
      throw new UsageError(`${path} is there already, and differs`, { hint: 'name another folder, or move that file away' });
    }
    missing.push([path, text]);
  }
  for (const [path, text] of missing) {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text, { flag: 'wx' });
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
