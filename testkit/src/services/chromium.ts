import { delimiter, join } from 'node:path';
import { bringPackages, librariesOf, programOf } from './bring.ts';

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
  const folder = await bringPackages('chromium', { andWhatItNeeds: PACKAGE }, purpose);
  const libraries = librariesOf(folder);
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
