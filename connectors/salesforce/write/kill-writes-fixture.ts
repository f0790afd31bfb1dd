import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openStore, seededRandom } from '@tidemark/core';
import { inAJob, type KillFixtureInput } from './kill-fixture.ts';
import { type WriteOrg, writeOrg } from './write-fixture.ts';

export interface KilledWrites {
  readonly kills: number;
  /** Of processes that left a job of theirs open, waiting or under way. */
  readonly killsInJobs: number;
  readonly jobs: number;
  /** Of the records, one after the other; the newest is in the org. */
  readonly versions: number;
  /** What the org has that it should not have, or lacks. */
  readonly wrong: readonly string[];
}

const child = fileURLToPath(new URL('./kill-fixture.ts', import.meta.url));

/** Above so many records a job; how long a job waits for its turn; when the process dies, after the earliest moment at which it may. */
const lives = [
  { bulkAbove: 20, turnMs: 20, soonestMs: 0, rangeMs: 250 },
  // The job outlives the process, and would come after what the next one writes.
  { bulkAbove: 20, turnMs: 1500, soonestMs: 0, rangeMs: 250 },
  { bulkAbove: 1000, turnMs: 1500, soonestMs: 900, rangeMs: 900 },
] as const;

/**
 * Kills a process that writes to an org, in a call or while a job is made, uploaded, worked off or read. The last one comes to its end:
 * what the checkpoint covers is in the org, every record is there once, and no older value ever came after a newer one (P1, P3).
 */
export async function killWrites({ kills, seed }: { readonly kills: number; readonly seed: number }): Promise<KilledWrites> {
  const random = seededRandom(seed);
  await using org = await writeOrg({ ingest: { pace: 'manual' } });
  let turnMs = 0;
  using _jobs = workOffJobs(org, () => turnMs);
  const folder = await mkdtemp(join(tmpdir(), 'tidemark-kill-'));
  const store = join(folder, 'state.db');
  const settings = { loginUrl: org.emulator.credentials.loginUrl, auth: org.auth };
  const wrong: string[] = [];
  const newest = watchVersions(org, wrong);
  const jobs = () => org.emulator.ingest.list();
  const kept = async () => {
    await using opened = await openStore(store);
    return Number((await opened.checkpoints.read('versions')) ?? 0);
  };
  let killsInJobs = 0;
  for (let kill = 0; kill < kills; kill++) {
    const { bulkAbove, soonestMs, rangeMs, ...life } = lives[kill % lives.length]!;
    turnMs = life.turnMs;
    const running = start({ store, settings, last: Number.MAX_SAFE_INTEGER, bulkAbove });
    const exit = once(running, 'exit');
    await Promise.race([once(running.stdout!, 'data'), exit]);
    // When it dies is what this is about; the outcome holds at any moment.
    await Promise.race([wait(soonestMs + random() * rangeMs), exit]);
    running.kill('SIGKILL');
    await exit;
    if (jobs().some(({ state }) => state === 'Open' || state === 'UploadComplete' || state === 'InProgress')) killsInJobs++;
    const version = await kept();
    // Of the version after the checkpoint any part may be there.
    const early = org.records(['Key__c', 'Text__c']).filter(({ Text__c }) => Number(Text__c) > version + 1);
    if (early.length > 0) wrong.push(`kill ${kill}: ${early.length} records are ahead of version ${version}`);
  }
  const last = (await kept()) + 2;
  const [code] = await once(start({ store, settings, last, bulkAbove: 20 }), 'exit');
  if (code !== 0) wrong.push(`the last process ended with ${code}`);
  await rm(folder, { recursive: true });
  wrong.push(...differences(org, newest, last));
  return { kills, killsInJobs, jobs: jobs().length, versions: last, wrong };
}

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

/** The newest version that each record ever had, by its key; one that goes back is wrong. */
function watchVersions({ emulator }: WriteOrg, wrong: string[]): ReadonlyMap<string, number> {
  const newest = new Map<string, number>();
  emulator.org.onCommit(({ changes }) => {
    for (const { after } of changes) {
      const [key, version] = [String(after.Key__c), Number(after.Text__c)];
      if (version < (newest.get(key) ?? 0)) wrong.push(`${key} went back from ${newest.get(key)} to ${version}`);
      newest.set(key, version);
    }
  });
  return newest;
}

function start(given: KillFixtureInput): ChildProcess {
  return spawn(process.execPath, ['--disable-warning=ExperimentalWarning', child, JSON.stringify(given)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

/** Between what the org has and what it should have when the last version is written. */
function differences(org: WriteOrg, newest: ReadonlyMap<string, number>, last: number): string[] {
  const found: string[] = [];
  const records = org.records(['Key__c', 'Text__c']);
  const versions = new Map(records.map(({ Key__c, Text__c }) => [String(Key__c), Number(Text__c)]));
  if (versions.size !== records.length) found.push(`of ${records.length} records some are there twice`);
  if (records.length !== inAJob + 1) found.push(`${records.length} records are there, and ${inAJob + 1} should be`);
  for (const [key, version] of versions) {
    if (version !== newest.get(key)) found.push(`${key} has version ${version}, and ${newest.get(key)} was written`);
  }
  const expected = { k0: last, [`k${inAJob - 1}`]: last - (last % 2), [`of ${last}`]: last };
  for (const [key, version] of Object.entries(expected)) {
    if (versions.get(key) !== version) found.push(`${key} has version ${versions.get(key)} in place of ${version}`);
  }
  return found;
}
