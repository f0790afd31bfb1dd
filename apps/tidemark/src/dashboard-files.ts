import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Log } from '@tidemark/core';

/** The published package carries the dashboard as it was built. */
const packed = fileURLToPath(new URL('./dashboard', import.meta.url));
/** A checkout has its sources. */
const builder = fileURLToPath(new URL('../../dashboard/build.ts', import.meta.url));

const run = promisify(execFile);

/** Where the dashboard lies. A checkout builds it when it is first asked for, in a process of its own: syncs go on meanwhile. */
export function dashboardFiles(log: Log): () => Promise<string> {
  let found: Promise<string> | null = null;
  return () => {
    found ??= find(log).catch((error) => {
      // Whoever asks again has perhaps mended it.
      found = null;
      throw error;
    });
    return found;
  };
}

async function find(log: Log): Promise<string> {
  if (existsSync(packed)) return packed;
  log.info({}, 'looking whether the dashboard has to be built from its sources: the first time takes some seconds');
  const { stdout } = await run(process.execPath, [builder]);
  log.info({}, 'the dashboard is ready');
  return stdout.trim();
}
