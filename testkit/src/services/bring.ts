import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Where what was brought once is kept for the next time. */
export function cacheFolder(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'tidemark', 'services');
}

/** The path of a program that this machine has; null when it has none. */
export async function programOf(name: string): Promise<string | null> {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, name);
    if (
      await access(path, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return path;
  }
  return null;
}

/** @throws what is missing, and how to get it */
export async function needProgram(name: string, purpose: string): Promise<string> {
  const found = await programOf(name);
  if (found === null)
    throw new Error(`${purpose} needs ${name}, which is not in PATH. Install it, or name a server of your own.`);
  return found;
}

/**
 * The folder of something that is brought once: made beside the others and moved there when it is whole, so that one which was
 * interrupted, or two at once, leave no half of it.
 */
export async function bringOnce(name: string, make: (folder: string) => Promise<void>): Promise<string> {
  const folder = join(cacheFolder(), name);
  const isThere = () =>
    access(folder).then(
      () => true,
      () => false,
    );
  if (await isThere()) return folder;
  await mkdir(cacheFolder(), { recursive: true });
  const beside = await mkdtemp(join(cacheFolder(), `${name}-`));
  try {
    await make(beside);
    await rename(beside, folder).catch(async (error) => {
      if (!(await isThere())) throw error;
    });
  } finally {
    await rm(beside, { recursive: true, force: true });
  }
  return folder;
}

/**
 * Packages of Debian, unpacked into a folder of the cache and not installed.
 * @param packages  names; or the one with all of what it is linked with that this machine does not have
 */
export async function bringPackages(
  name: string,
  packages: readonly string[] | { readonly andWhatItNeeds: string },
  purpose: string,
): Promise<string> {
  const get = await needProgram('apt-get', purpose);
  const unpack = await needProgram('dpkg-deb', purpose);
  return bringOnce(`${name}-${process.arch}`, async (beside) => {
    const names = 'andWhatItNeeds' in packages ? await missingFor(get, packages.andWhatItNeeds) : packages;
    await runProgram(get, ['download', ...names], { cwd: beside });
    const files = (await readdir(beside)).filter((file) => file.endsWith('.deb'));
    for (const file of files) {
      await runProgram(unpack, ['-x', join(beside, file), beside]);
      await rm(join(beside, file));
    }
  });
}

async function missingFor(get: string, name: string): Promise<readonly string[]> {
  const told = await runProgram(get, ['install', '--simulate', '--no-install-recommends', name]);
  return [...told.matchAll(/^Inst (\S+)/gm)].map(([, missing]) => missing!);
}

/** Where unpacked packages have their libraries. */
export function librariesOf(folder: string): string {
  return join(folder, 'usr/lib', process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu');
}

/** Runs a program to its end. @throws what it said last */
export async function runProgram(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  try {
    const { stdout } = await run(command, args, { ...options, env: { ...process.env, ...options.env }, maxBuffer: 2 ** 26 });
    return stdout;
  } catch (error) {
    const { stderr = '', stdout = '' } = error as { stderr?: string; stdout?: string };
    throw new Error(`${command} ${args.join(' ')} failed:\n${`${stdout}\n${stderr}`.trim().slice(-2000)}`, { cause: error });
  }
}
