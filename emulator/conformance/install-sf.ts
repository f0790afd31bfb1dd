import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/** The version that the checks were written for. */
export const sfVersion = '2.150.6';

/**
 * The CLI's entry point, installed when it is first needed. It is too large for the workspace's own dependencies; the
 * folder is outside of the clone, so that a fresh clone finds it again.
 */
export async function installSf(): Promise<string> {
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'tidemark');
  const folder = join(cache, `salesforce-cli-${sfVersion}`);
  const entry = join('node_modules', '@salesforce', 'cli', 'bin', 'run.js');
  if (existsSync(join(folder, entry))) return join(folder, entry);
  console.log(`Installing @salesforce/cli ${sfVersion} into ${folder}: about 300 MB, once.`);
  // Beside its place first: an installation that was interrupted must not be taken for a whole one.
  const partial = `${folder}.partial-${process.pid}`;
  mkdirSync(partial, { recursive: true });
  try {
    await npm(['install', '--prefix', partial, '--ignore-scripts', '--no-audit', '--no-fund', `@salesforce/cli@${sfVersion}`]);
    mkdirSync(dirname(folder), { recursive: true });
    renameSync(partial, folder);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  return join(folder, entry);
}

async function npm(args: readonly string[]): Promise<void> {
  // As npm itself says where it is; on Windows it is no program that could be spawned.
  const path = process.env.npm_execpath;
  const child =
    path === undefined
      ? spawn('npm', args, { stdio: 'inherit' })
      : spawn(process.execPath, [path, ...args], { stdio: 'inherit' });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`npm install ended with ${code}`);
}
