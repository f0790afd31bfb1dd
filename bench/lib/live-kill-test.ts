import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { seededRandom } from '@tidemark/core';
import type { EmulatorCredentials } from '@tidemark/emulator';
import {
  type ChangingOrgInput,
  type ChangingOrgQuestion,
  type CopiedRow,
  copied,
  type Together,
  type Truth,
  theEnd,
} from './changing-org.ts';
import { spawnNode } from './child.ts';
import { type CopyReader, openCopyReader } from './copy-reader.ts';
import type { TargetConnection } from './org.ts';
import { SpokenChild } from './spoken-child.ts';

export interface LiveKillReport {
  readonly kills: number;
  /** Of processes that had brought something before they were killed. */
  readonly killsWhileLive: number;
  /** Changed records in the org meanwhile. */
  readonly changes: number;
  readonly transactions: number;
  readonly verified: number;
  readonly differences: number;
  /** Reads of the copy that met a part of a transaction. */
  readonly torn: number;
  /** What the last process said, for who has to find out why. */
  readonly said: string;
}

export interface LiveKillOptions {
  readonly kills: number;
  readonly seed: number;
  readonly perSecond: number;
  readonly stream: 'pubsub' | 'cometd';
  readonly target: TargetConnection;
  /** For the configuration and the state. */
  readonly folder: string;
}

const WAIT_MS = 120_000;
const TIDEMARK = fileURLToPath(new URL('../../apps/tidemark/bin/tidemark.js', import.meta.url));

/**
 * Kills `tidemark start` with -9, at a moment drawn from the seed, again and again, while an org goes on changing: creates, updates,
 * deletes and undeletes, in transactions over two objects. No delta ever runs, so that nothing but the stream can bring what changed.
 * In the end the org stands still, and the copy has to become equal, record by record (P1, P3, P4, P6).
 */
export async function liveKillTest({ kills, seed, perSecond, stream, target, folder }: LiveKillOptions): Promise<LiveKillReport> {
  const random = seededRandom(seed);
  const given: ChangingOrgInput = { perSecond, accounts: 50, contacts: 500, seed };
  await using org = new SpokenChild('./changing-org-process.ts', given);
  const { together, ...credentials } = await org.next<EmulatorCredentials & { together: Together }>();
  const ask = (kind: ChangingOrgQuestion['kind']) => org.ask<Truth>({ kind });
  const file = join(folder, `${target.type}.json`);
  writeFileSync(file, configuration(credentials, stream, target, join(folder, `${target.type}-state.db`)), { mode: 0o600 });
  await using copy = await openCopyReader(target);
  let torn = 0;
  let killsWhileLive = 0;

  await ask('begin');
  // The first load is not what is killed here: until the stream has passed its end, transactions are not promised to be whole.
  {
    await using process = new Tidemark(file);
    await process.until(async () => (await isTold(copy, together)) && isLive(await position(copy)));
  }
  for (let kill = 0; kill < kills; kill++) {
    await using process = new Tidemark(file);
    const before = await position(copy);
    // Most are killed at work; some while they start.
    if (random() < 0.8) {
      await process.until(async () => {
        if (!(await isWhole(copy, together))) torn++;
        return (await position(copy)) !== before;
      });
      const untilMs = performance.now() + random() * 400;
      while (performance.now() < untilMs) {
        if (!(await isWhole(copy, together))) torn++;
        await sleep(random() * 20);
      }
    } else await sleep(random() * 1000);
    await process.kill();
    if ((await position(copy)) !== before) killsWhileLive++;
  }
  const truth = await ask('end');
  await using last = new Tidemark(file);
  await last.until(async () => (await isEnded(copy, together)) && isLive(await position(copy)));
  await last.stop();
  return {
    kills,
    killsWhileLive,
    changes: truth.changes,
    transactions: truth.transactions,
    verified: truth.accounts.length + truth.contacts.length,
    differences: await compare(copy, truth),
    torn,
    said: last.said,
  };
}

function configuration(
  { loginUrl, clientId, clientSecret, pubsubEndpoint }: EmulatorCredentials,
  stream: LiveKillOptions['stream'],
  target: TargetConnection,
  store: string,
): string {
  const sync = (object: string, table: keyof typeof copied) => ({
    from: { connection: 'org', object },
    to: { connection: 'db', table },
    fields: copied[table],
    cron: '0 0 1 1 *',
    live: true,
  });
  return JSON.stringify({
    store: { url: store },
    connections: {
      org: {
        type: 'salesforce',
        loginUrl,
        stream,
        ...(stream === 'pubsub' ? { pubsubEndpoint: `http://${pubsubEndpoint}` } : {}),
        auth: { flow: 'client-credentials', clientId, clientSecret },
      },
      db: target,
    },
    syncs: { accounts: sync('Account', 'accounts'), contacts: sync('Contact', 'contacts') },
  });
}

/** `tidemark start`, the process that a user runs. */
class Tidemark implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;
  said = '';

  constructor(file: string) {
    this.#process = spawnNode([TIDEMARK, 'start', '--port', 'off', '--config', file], ['ignore', 'pipe']);
    this.#ended = once(this.#process, 'close');
    this.#process.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.said = (this.said + text).slice(-8000);
    });
  }

  async until(condition: () => Promise<boolean>): Promise<void> {
    const deadlineMs = performance.now() + WAIT_MS;
    while (!(await condition())) {
      if (this.#isOver || performance.now() > deadlineMs) throw new Error(`tidemark start brings nothing:\n${this.said}`);
      await sleep(10);
    }
  }

  async kill(): Promise<void> {
    if (this.#isOver) throw new Error(`tidemark start has ended by itself:\n${this.said}`);
    this.#process.kill('SIGKILL');
    await this.#ended;
  }

  /** As a supervisor does it. */
  async stop(): Promise<void> {
    this.#process.kill('SIGTERM');
    await this.#ended;
    if (this.#process.exitCode !== 0) throw new Error(`tidemark start ended with ${this.#process.exitCode}:\n${this.said}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isOver) await this.kill();
  }

  get #isOver(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }
}

/** What the stream has kept beside the data; another one after each of its transactions. */
async function position(copy: CopyReader): Promise<string | null> {
  const [row] = await copy.rows(`SELECT checkpoint FROM _tidemark_checkpoints WHERE unit LIKE 'live:%'`);
  return row?.checkpoint ?? null;
}

/** Nothing is to be read again, and the stream can be gone on with. */
function isLive(checkpoint: string | null): boolean {
  if (checkpoint === null) return false;
  const { position, rereads } = JSON.parse(checkpoint) as { position: string | null; rereads: object };
  return position !== null && !position.endsWith(':unheard') && Object.keys(rereads).length === 0;
}

async function telltales(copy: CopyReader, { account, contacts }: Together): Promise<readonly (string | null)[]> {
  const ids = contacts.map((id) => `'${id}'`).join(', ');
  const rows = await copy.rows(
    `SELECT telltale FROM accounts WHERE id = '${account}' UNION ALL SELECT telltale FROM contacts WHERE id IN (${ids})`,
  );
  return rows.map(({ telltale }) => telltale!);
}

async function isTold(copy: CopyReader, together: Together): Promise<boolean> {
  return (await telltales(copy, together)).length === 1 + together.contacts.length;
}

/** The last transaction is there, and so everything before it has to be. */
async function isEnded(copy: CopyReader, { account }: Together): Promise<boolean> {
  const [row] = await copy.rows(`SELECT phone FROM accounts WHERE id = '${account}'`);
  return row?.phone === theEnd;
}

async function isWhole(copy: CopyReader, together: Together): Promise<boolean> {
  return new Set(await telltales(copy, together)).size === 1;
}

async function compare(copy: CopyReader, truth: Truth): Promise<number> {
  let differences = 0;
  for (const table of ['accounts', 'contacts'] as const) {
    const columns = Object.keys(copied[table]).join(', ');
    const held = new Map((await copy.rows(`SELECT ${columns} FROM ${table}`)).map((row) => [row.id!, row]));
    for (const row of truth[table]) {
      if (!isSame(row, held.get(row.id!))) differences++;
      held.delete(row.id!);
    }
    differences += held.size;
  }
  return differences;
}

function isSame(row: CopiedRow, held: CopiedRow | undefined): boolean {
  return held !== undefined && Object.entries(row).every(([name, value]) => held[name] === value);
}
