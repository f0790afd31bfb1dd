import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, expect, test } from 'vitest';
import { root } from './run-command.ts';

// Whoever develops has the tests' servers by one command, is told how to reach them, and has nothing left of them after another.

const cache = mkdtempSync(join(tmpdir(), 'tidemark-services-'));
afterAll(() => rmSync(cache, { recursive: true, force: true }));

async function services(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const run = promisify(execFile)(process.execPath, [join(root, 'tools/services.ts'), ...argv], {
    env: { ...process.env, XDG_CACHE_HOME: cache },
  });
  return run.then(
    ({ stdout, stderr }) => ({ code: 0, out: stdout, err: stderr }),
    (error: { code: number; stdout: string; stderr: string }) => ({ code: error.code, out: error.stdout, err: error.stderr }),
  );
}

test('a server comes up, is told of, comes up once only, and goes with all that it was', async () => {
  expect(await services('status')).toMatchObject({ code: 0, out: 'nothing runs\n' });
  const { out } = await services('up', 'postgres');
  const [, url] = /^export TIDEMARK_TEST_POSTGRES_URL='(.*)'$/m.exec(out)!;
  try {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.end();
    expect((await services('status')).out).toBe(out);
    expect(await services('up', 'postgres')).toMatchObject({ code: 2, err: expect.stringContaining('run already') });
  } finally {
    expect((await services('down')).code).toBe(0);
  }
  expect((await services('status')).out).toBe('nothing runs\n');
  await expect(new pg.Client({ connectionString: url }).connect()).rejects.toThrow();
});

test.each([
  [['up', 'oracle'], 'there is no server oracle'],
  [['restart'], 'there is no command restart'],
])('%j is refused with what there is', async (argv, says) => {
  const { code, err } = await services(...argv);
  expect(code).toBe(2);
  expect(err).toContain(says);
  expect(err).toContain('Usage:');
});
