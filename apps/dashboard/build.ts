import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { glob, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompress, gzip } from 'node:zlib';

const folder = fileURLToPath(new URL('.', import.meta.url));
const dist = join(folder, 'dist');
/** What a build comes from. */
const SOURCES = ['index.html', 'package.json', '*.ts', 'licenses/*.txt', 'src/**/*.*'];
/** Names the sources of a build, within it. */
const STAMP = 'sources.sha256';

/**
 * Builds the dashboard when there is no build of the sources as they are. Two processes may do it at once.
 * @returns the folder with `index.html` and its assets, each beside its compressed forms
 */
export async function buildDashboard(): Promise<string> {
  const stamp = await digestOfSources();
  if (await isBuilt(stamp)) return dist;
  const made = join(folder, `.build-${randomUUID()}`);
  try {
    await runVite(made);
    await compressAll(join(made, 'assets'));
    await writeFile(join(made, STAMP), stamp);
    await takeItsPlace(made, stamp);
  } finally {
    await rm(made, { recursive: true, force: true });
  }
  return dist;
}

/** In a process of its own: React is built for users by what the environment says, and whoever calls this may be a test. */
async function runVite(outDir: string): Promise<void> {
  const vite = join(dirname(fileURLToPath(import.meta.resolve('vite/package.json'))), 'bin/vite.js');
  const env = { ...process.env, NODE_ENV: 'production' };
  await promisify(execFile)(process.execPath, [vite, 'build', '--outDir', outDir, '--logLevel', 'error'], { cwd: folder, env });
}

async function isBuilt(stamp: string): Promise<boolean> {
  return existsSync(join(dist, STAMP)) && (await readFile(join(dist, STAMP), 'utf8')) === stamp;
}

async function digestOfSources(): Promise<string> {
  const hash = createHash('sha256');
  const files: string[] = [];
  for await (const name of glob(SOURCES, { cwd: folder })) files.push(name);
  for (const name of files.sort()) hash.update(name).update(await readFile(join(folder, name)));
  return hash.digest('hex');
}

/** Nobody compresses them again for each answer. */
async function compressAll(assets: string): Promise<void> {
  for (const name of await readdir(assets)) {
    const bytes = await readFile(join(assets, name));
    await writeFile(join(assets, `${name}.br`), await promisify(brotliCompress)(bytes));
    await writeFile(join(assets, `${name}.gz`), await promisify(gzip)(bytes, { level: 9 }));
  }
}

/** Whole or not at all. Somebody else's build of the same sources is as good. */
async function takeItsPlace(made: string, stamp: string): Promise<void> {
  const before = `${made}-before`;
  await rename(dist, before).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
  try {
    await rename(made, dist);
  } catch (error) {
    if (!(await isBuilt(stamp))) throw error;
  } finally {
    await rm(before, { recursive: true, force: true });
  }
}

if (import.meta.main) console.log(await buildDashboard());
