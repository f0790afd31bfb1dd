import { delimiter, join } from 'node:path';
import { bringOnce, needProgram, programOf, runProgram } from './bring.ts';

/** The path of a Chromium, and what its process needs to find its libraries. */
export interface Browser {
  readonly path: string;
  readonly env: NodeJS.ProcessEnv;
}

const OWN_VARIABLE = 'TIDEMARK_TEST_CHROMIUM';
const PACKAGE = 'chromium-headless-shell';

/**
 * The one that the environment names, else this machine's own, else Debian's package with what it is linked with, unpacked into the
 * cache and not installed. @throws what is missing
 */
export async function findChromium(): Promise<Browser> {
  const named = process.env[OWN_VARIABLE];
  if (named !== undefined && named !== '') return { path: named, env: {} };
  for (const name of [PACKAGE, 'chromium', 'google-chrome']) {
    const own = await programOf(name);
    if (own !== null) return { path: own, env: {} };
  }
  const purpose = `A browser for tests, where there is no chromium and no ${OWN_VARIABLE},`;
  const get = await needProgram('apt-get', purpose);
  const unpack = await needProgram('dpkg-deb', purpose);
  const folder = await bringOnce(`chromium-${process.arch}`, async (beside) => {
    const missing = await runProgram(get, ['install', '--simulate', '--no-install-recommends', PACKAGE]);
    const packages = [...missing.matchAll(/^Inst (\S+)/gm)].map(([, name]) => name!);
    await runProgram(get, ['download', ...packages], { cwd: beside });
    const files = (await runProgram('ls', [beside])).split('\n').filter((name) => name.endsWith('.deb'));
    for (const name of files) await runProgram(unpack, ['-x', join(beside, name), beside]);
    await runProgram('rm', files, { cwd: beside });
  });
  const libraries = join(folder, 'usr/lib', process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu');
  return {
    path: join(folder, 'usr/lib/chromium', PACKAGE),
    env: { LD_LIBRARY_PATH: [libraries, join(libraries, 'pulseaudio')].join(delimiter) },
  };
}

/** A browser, or why this machine has none: the tests that need it are skipped by that name. Where `CI` is set, the run fails. */
export async function chromiumOrSkip(): Promise<{ browser: Browser; missing: null } | { browser: null; missing: string }> {
  try {
    return { browser: await findChromium(), missing: null };
  } catch (error) {
    if (process.env.CI) throw error;
    return { browser: null, missing: error instanceof Error ? error.message.split('\n')[0]! : String(error) };
  }
}
