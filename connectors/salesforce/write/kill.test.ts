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
import { writeOrg } from './write-fixture.ts';

// Killed whenever it may be, in a call or while a job is made, uploaded, worked off or read: what the checkpoint covers is in the
// org, every record is there once, and no older value ever comes after a newer one.                                   (P1, P3)

const child = fileURLToPath(new URL('./kill-fixture.ts', import.meta.url));
const random = seededRandom(Number(process.env.TIDEMARK_SEED ?? 7));
const kills = Number(process.env.TIDEMARK_KILLS ?? 10);
const forever = String(Number.MAX_SAFE_INTEGER);

/** Runs the child, killed after `ms` of work; null lets it come to its end. */
async function run(store: string, settings: object, last: string, ms: number | null): Promise<number | null> {
  const running = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', child, store, JSON.stringify(settings), last],
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
  await using org = await writeOrg({ ingest: { pace: 'background', delayMs: 20 } });
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
    await run(store, settings, forever, random() * 250);
    const version = await kept();
    const texts = org.records(['Key__c', 'Text__c']).map(({ Text__c }) => Number(Text__c));
    // Everything up to the checkpoint is there; of the version after it any part may be.
    expect(texts.every((text) => text <= version + 1)).toBe(true);
  }
  const last = (await kept()) + 2;
  expect(last).toBeGreaterThan(kills / 2);
  expect(await run(store, settings, String(last), null)).toBe(0);
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
