import { mkdir, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/**
 * Puts a new content in a file's place, whole or not at all, and on the disk before it resolves. `differs` is asked once all of it is
 * written: when it says no, the file stays as it is.
 */
export async function replaceFile(path: string, chunks: AsyncIterable<string>, differs: () => boolean): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true });
  const draft = join(folder, `.${basename(path)}.${process.pid}.part`);
  try {
    const handle = await open(draft, 'w');
    try {
      for await (const chunk of chunks) await handle.appendFile(chunk, 'utf8');
      if (differs()) await handle.sync();
    } finally {
      await handle.close();
    }
    if (!differs()) return await rm(draft);
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  await syncFolder(folder);
}

/** A name is durable once its folder is. */
export async function syncFolder(folder: string): Promise<void> {
  // Windows cannot open a folder, and keeps its names without being told.
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
