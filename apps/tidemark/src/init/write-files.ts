import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Ask } from './ask.ts';
import type { FilledConnection } from './fill-connection.ts';
import { renderEnv, renderEnvExample } from './render-config.ts';

/**
 * The configuration, an `.env.example` with the names of its variables, and, when the person wants it, an `.env` with what
 * was typed. An `.env` that is there is never touched.
 */
export async function writeFiles(
  file: string,
  text: string,
  connections: readonly FilledConnection[],
  typed: ReadonlyMap<string, string>,
  force: boolean,
  ask: Ask | null,
): Promise<string[]> {
  const folder = dirname(file);
  const secrets = join(folder, '.env');
  // Before anything is written: who stops here leaves nothing behind.
  const keepSecrets =
    typed.size > 0 &&
    ask !== null &&
    !existsSync(secrets) &&
    (await ask.confirm('Keep the secrets in .env, readable by you alone?'));
  const written = [file];
  await writeFile(file, text, { flag: force ? 'w' : 'wx' });
  const names = connections.flatMap((connection) => [...connection.variables.keys()]);
  const example = join(folder, '.env.example');
  if (names.length > 0 && (force || !existsSync(example))) {
    await writeFile(example, renderEnvExample(names));
    written.push(example);
  }
  if (keepSecrets) {
    await writeFile(secrets, renderEnv(typed), { flag: 'wx', mode: 0o600 });
    written.push(secrets);
  }
  return written;
}
