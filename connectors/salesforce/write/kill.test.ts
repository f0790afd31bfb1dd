import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openStore, seededRandom } from '@tidemark/core';
import { expect, test } from 'vitest';
import { inAJob } from './kill-fixture.ts';
import { type WriteOrg, writeOrg } from './write-fixture.ts';

// Killed whenever it may be, in a call or while a job is made, uploaded, worked off or read: what the checkpoint covers is in the
// org, every record is there once, and no older value ever comes after a newer one.                                   (P1, P3)

const child = fileURLToPath(new URL('./kill-fixture.ts', import.meta.url));
const random = seededRandom(Number(process.env.TIDEMARK_SEED ?? 7));
const kills = Number(process.env.TIDEMARK_KILLS ?? 9);
const forever = String(Number.MAX_SAFE_INTEGER);

/** Above so many records a job; how long a job waits for its turn; when the process dies. */
const lives = [
  { bulkAbove: 20, delayMs: 20, killMs: () => random() * 250 },
  // The job outlives the process, and would come after what the next one writes.
  { bulkAbove: 20, delayMs: 1500, killMs: () => random() * 250 },
  { bulkAbove: 1000, delayMs: 1500, killMs: () => 900 + random() * 900 },
] as const;

/** Works on jobs as an org does, whether or not anybody asks for them: each begins so long after it was first seen complete. */
function workOffJobs({ emulator: { ingest } }: Pick<WriteOrg, 'emulator'>, turnMs: () => number): Disposable {
  const dueAtMs = new Map<string, number>();
  const timer = setInterval(() => {
    for (const { id, state } of ingest.list()) {
      if (state === 'UploadComplete' && !dueAtMs.has(id)) dueAtMs.set(id, Date.now() + turnMs());
      if ((state === 'UploadComplete' || state === 'InProgress') && Date.now() >= dueAtMs.get(id)!) ingest.step(id, 20);
    }
  }, 5);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** Runs the child, killed after `ms` of work; null lets it come to its end. */
async function run(store: string, settings: object, last: string, bulkAbove: number, ms: number | null): Promise<number | null> {
  const running = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', child, store, JSON.stringify(settings), last, String(bulkAbove)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const exit = once(running, 'exit');
  await Promise.race([once(running.stdout, 'data'), exit]);
  // When it dies is what the test is about; the outcome holds at any moment.
  if (ms !== null) {
    await Promise.race([wait(ms), exit]);
    running.kill('SIGKILL');
  }
  const [code] = await exit;
  return code;
}

test(`killed ${kills} times while it writes, the org has every record once and the newest of it`, {
  timeout: 60_000 + kills * 5_000,
}, async () => {
  await using org = await writeOrg({ ingest: { pace: 'manual' } });
  let turnMs = 0;
  using _jobs = workOffJobs(org, () => turnMs);
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-kill-'));
  const store = join(folder, 'state.db');
  const settings = { loginUrl: org.emulator.credentials.loginUrl, auth: org.auth };
  const newest = new Map<string, number>();
  const steppedBack: string[] = [];
  org.emulator.org.onCommit(({ changes }) => {
    for (const { after } of changes) {
      const [key, version] = [String(after.Key__c), Number(after.Text__c)];
      if (version < (newest.get(key) ?? 0)) steppedBack.push(`${key}: ${newest.get(key)} to ${version}`);
      newest.set(key, version);
    }
  });
  const kept = async () => {
    await using opened = await openStore(store);
    return Number((await opened.checkpoints.read('versions')) ?? 0);
  };
  for (let kill = 0; kill < kills; kill++) {
    const { bulkAbove, delayMs, killMs } = lives[kill % lives.length]!;
    turnMs = delayMs;
    await run(store, settings, forever, bulkAbove, killMs());
    const version = await kept();
    const texts = org.records(['Key__c', 'Text__c']).map(({ Text__c }) => Number(Text__c));
    // Everything up to the checkpoint is there; of the version after it any part may be.
    expect(texts.every((text) => text <= version + 1)).toBe(true);
  }
  const last = (await kept()) + 2;
  expect(last).toBeGreaterThan(kills / 2);
  expect(await run(store, settings, String(last), 20, null)).toBe(0);
  const records = org.records(['Key__c', 'Text__c']);
  expect(records).toHaveLength(inAJob + 1);
  expect(new Set(records.map(({ Key__c }) => Key__c)).size).toBe(inAJob + 1);
  const versions = new Map(records.map(({ Key__c, Text__c }) => [String(Key__c), Number(Text__c)]));
  for (const [key, version] of versions) expect(version, key).toBe(newest.get(key));
  expect(versions.get('k0')).toBe(last);
  expect(versions.get(`k${inAJob - 1}`)).toBe(last % 2 === 0 ? last : last - 1);
  expect(versions.get(`of ${last}`)).toBe(last);
  expect(steppedBack).toEqual([]);
  await rm(folder, { recursive: true });
});
