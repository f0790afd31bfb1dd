import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { seededRandom } from '@tidemark/core';
import { expectSoundHistory, readCurrent, readVersions } from '@tidemark/testkit';
import { expect, test } from 'vitest';
import { createFile } from './fixture.ts';
import { pageOf, pages, rowsInABatch } from './kill-fixture.ts';

// What a checkpoint covers is in the file, and nothing beyond it, whenever the process is killed: the two are one
// transaction. A load goes on at the page after the last one that was kept, and ends as if nothing had happened.      (P1)

const child = fileURLToPath(new URL('./kill-fixture.ts', import.meta.url));
const random = seededRandom(Number(process.env.TIDEMARK_SEED ?? 7));

/** Runs the child, killed after `ms` of work; answers whether it got to its end first. */
async function runAndKill(path: string, work: 'load' | 'write' | 'stream', ms: number): Promise<boolean> {
  const running = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', child, path, work], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exit = once(running, 'exit');
  await Promise.race([once(running.stdout, 'data'), exit]);
  // When it dies is what the test is about; the outcome holds at any moment.
  await Promise.race([wait(ms), exit]);
  running.kill('SIGKILL');
  const [code] = await exit;
  return code === 0;
}

/** Versions are what the rows were, wherever it was killed. Answers how many there are. */
async function soundHistory(file: Awaited<ReturnType<typeof createFile>>): Promise<number> {
  const ask = (sql: string) => file.sql<Record<string, string | null>>(sql).map((row) => Object.values(row));
  const place = { table: 'contacts', columns: ['Id', 'Name'] };
  const versions = await readVersions(ask, place);
  expectSoundHistory(versions, await readCurrent(ask, place));
  return versions.length;
}

test('killed while it writes batches, the file holds exactly what the checkpoint says', async () => {
  await using file = await createFile();
  let last = 0;
  for (let kill = 0; kill < 6; kill++) {
    await runAndKill(file.path, 'write', 20 + random() * 150);
    const [state] = file.sql<{ checkpoint: string | null }>("SELECT checkpoint FROM _tidemark_checkpoints WHERE unit = 'sync'");
    const batches = file.sql<{ name: string; n: number }>('SELECT Name AS name, count(*) AS n FROM contacts GROUP BY Name');
    const kept = Number(state?.checkpoint ?? 0);
    expect(kept).toBeGreaterThanOrEqual(last);
    expect(batches).toHaveLength(kept);
    expect(batches.every(({ n }) => n === rowsInABatch)).toBe(true);
    expect(await soundHistory(file)).toBe(kept * rowsInABatch);
    last = kept;
  }
  expect(last).toBeGreaterThan(0);
  expect(file.sql('PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }]);
});

test('killed while it follows a stream, the file holds the updates that the checkpoint says, and no part of the next', async () => {
  await using file = await createFile();
  let last = 0;
  for (let kill = 0; kill < 6; kill++) {
    await runAndKill(file.path, 'stream', 20 + random() * 150);
    const [state] = file.sql<{ checkpoint: string | null }>("SELECT checkpoint FROM _tidemark_checkpoints WHERE unit = 'sync'");
    const names = file.sql<{ name: string; n: number }>('SELECT Name AS name, count(*) AS n FROM contacts GROUP BY Name');
    // Killed before the first commit, there is nothing.
    const kept = Number(state?.checkpoint ?? 0);
    expect(kept).toBeGreaterThanOrEqual(last);
    if (state?.checkpoint != null) expect(names).toEqual([{ name: `batch ${kept}`, n: rowsInABatch }]);
    else expect(names).toEqual([]);
    if (state?.checkpoint != null) expect(await soundHistory(file)).toBeGreaterThanOrEqual(rowsInABatch);
    last = kept;
  }
  expect(last).toBeGreaterThan(0);
  expect(file.sql('PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }]);
});

test('killed while it loads, the load goes on at its page and ends with every row', async () => {
  await using file = await createFile();
  let position = -1;
  let finished = false;
  for (let kill = 0; !finished; kill++) {
    finished = await runAndKill(file.path, 'load', kill < 8 ? 20 + random() * 150 : 60_000);
    const seen = file.sql<{ n: number }>('SELECT count(*) AS n FROM contacts')[0]!.n;
    if (!finished) {
      const [load] = file.sql<{ position: string | null }>('SELECT position FROM _tidemark_loads');
      // Killed after the end and before the exit, there is no load any more.
      if (load === undefined) break;
      expect(Number(load.position ?? -1)).toBeGreaterThanOrEqual(position);
      position = Number(load.position ?? -1);
      expect(seen).toBe(0);
    }
  }
  const expected = new Map<string, string>();
  for (let page = 0; page < pages; page++) for (const row of pageOf(page)) expected.set(String(row.Id), String(row.Name));
  const rows = file.sql<{ Id: string; Name: string }>('SELECT Id, Name FROM contacts');
  expect(new Map(rows.map(({ Id, Name }) => [Id, Name]))).toEqual(expected);
  expect(await soundHistory(file)).toBe(expected.size);
  expect(file.sql("SELECT checkpoint FROM _tidemark_checkpoints WHERE unit = 'sync'")).toEqual([{ checkpoint: 'loaded' }]);
});
