import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';

// vitest says by its exit code that tests have failed: whoever starts a server on the way must not take that back.
test('a process that had a Postgres ends with the exit code that it set', () => {
  const script = `
import { startPostgres } from ${JSON.stringify(new URL('./postgres.ts', import.meta.url).href)};
const server = await startPostgres({ tuning: 'fast' });
await server.stop();
process.exitCode = 7;`;
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  expect({ status, stderr }).toMatchObject({ status: 7 });
});
