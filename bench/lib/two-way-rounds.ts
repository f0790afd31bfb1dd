import { setTimeout as sleep } from 'node:timers/promises';
import type { EmulatorCredentials } from '@tidemark/emulator';
import jsforce from 'jsforce';
import { epochMs } from './live-copy.ts';
import type { SpokenChild } from './spoken-child.ts';
import type { AppTable } from './two-way-database.ts';
import type { Arrived, TwoWayOrgQuestion } from './two-way-org-process.ts';
import type { Heard, TwoWayQuestion } from './two-way-process.ts';

export interface Pace {
  readonly perSecond: number;
  readonly changes: number;
}

/** By change, from its commit in the database, in ms. */
export interface RoundTrips {
  /** Until the org has committed it. */
  readonly there: readonly number[];
  /** Until its echo has been compared with the database, and nothing was written for it. */
  readonly back: readonly number[];
}

const WAIT_MS = 60_000;
/** A user's script looks once a second. */
const POLL_MS = 1000;

/** Changes of one row each at a steady rate, no row twice; epoch ms of each commit by the value that it set. */
async function write(table: AppTable, { perSecond, changes }: Pace, prefix: string): Promise<Map<string, number>> {
  const committedAtMs = new Map<string, number>();
  const startedAtMs = performance.now();
  for (let i = 0; i < changes; i++) {
    const waitMs = startedAtMs + (i * 1000) / perSecond - performance.now();
    if (waitMs > 0) await sleep(waitMs);
    await table.setPhone(i + 1, `${prefix}-${i}`);
    committedAtMs.set(`${prefix}-${i}`, epochMs());
  }
  return committedAtMs;
}

/** What comes to the org and what is heard of it, looked at until `done`. */
class Watch {
  readonly #org: SpokenChild;
  readonly #tidemark: SpokenChild;
  readonly #commits: Arrived['commits'][number][] = [];
  readonly #heard: Heard['positions'][number][] = [];

  constructor(org: SpokenChild, tidemark: SpokenChild) {
    this.#org = org;
    this.#tidemark = tidemark;
  }

  async look(): Promise<void> {
    this.#commits.push(...(await this.#org.ask<Arrived>({ kind: 'arrived' } satisfies TwoWayOrgQuestion)).commits);
    this.#heard.push(...(await this.#tidemark.ask<Heard>({ kind: 'heard' } satisfies TwoWayQuestion)).positions);
  }

  /** Everything that the org committed has been heard of. */
  async quiet(isAll: (commits: Arrived['commits']) => boolean): Promise<void> {
    const deadlineMs = epochMs() + WAIT_MS;
    for (let calm = 0; calm < 5; ) {
      await sleep(100);
      const before = this.#commits.length;
      await this.look();
      const last = this.#commits.at(-1)?.replayId ?? 0;
      const isHeard = isAll(this.#commits) && (this.#heard.at(-1)?.replayId ?? -1) >= last;
      calm = isHeard && this.#commits.length === before ? calm + 1 : 0;
      if (epochMs() > deadlineMs)
        throw new Error(`the two sides are not at rest: ${this.#commits.length} commits, ${last} heard`);
    }
  }

  /** By value. */
  times(): { readonly there: Map<string, number>; readonly back: Map<string, number>; readonly changed: number } {
    const [there, back] = [new Map<string, number>(), new Map<string, number>()];
    let changed = 0;
    for (const { atMs, replayId, phones } of this.#commits) {
      const heard = this.#heard.find((each) => each.replayId >= replayId);
      changed += phones.length;
      for (const phone of phones) {
        there.set(phone, atMs);
        if (heard !== undefined) back.set(phone, heard.atMs);
      }
    }
    return { there, back, changed };
  }
}

/** Tidemark brings the records of the table to the org, and then each change. */
export async function withTidemark(child: SpokenChild, org: SpokenChild, table: AppTable, pace: Pace): Promise<RoundTrips> {
  await using tidemark = child;
  await tidemark.next();
  const first = new Watch(org, tidemark);
  // Made in the org, and told their partners in the table.
  await first.quiet((commits) => commits.reduce((sum, { phones }) => sum + phones.length, 0) >= pace.changes);
  const linked = (await table.partners()).size;
  if (linked !== pace.changes) throw new Error(`${linked} of ${pace.changes} records were linked`);
  const watch = new Watch(org, tidemark);
  const committedAtMs = await write(table, pace, 'tidemark');
  const isThere = (phones: readonly string[]) => phones.filter((phone) => phone.startsWith('tidemark-')).length;
  await watch.quiet((commits) => commits.reduce((sum, { phones }) => sum + isThere(phones), 0) >= pace.changes);
  await tidemark.ask({ kind: 'stop' } satisfies TwoWayQuestion);
  const { there, back, changed } = watch.times();
  if (changed !== pace.changes) throw new Error(`${changed} writes came to the org for ${pace.changes} changes`);
  const rows = await table.writtenSince(0);
  const replaced = rows.filter(({ id, phone }) => phone !== `tidemark-${id - 1}`).length;
  if (rows.length !== pace.changes || replaced > 0) throw new Error(`${replaced} of ${rows.length} rows were written back`);
  return lags(committedAtMs, there, back);
}

/** What a user would write: once a second the rows that changed go to the org in calls of 200, and what changed there is compared. */
export async function withScript(
  { instanceUrl, accessToken }: EmulatorCredentials,
  org: SpokenChild,
  table: AppTable,
  pace: Pace,
): Promise<RoundTrips> {
  const connection = new jsforce.Connection({ instanceUrl, accessToken, version: '62.0' });
  const partners = await table.partners();
  const back = new Map<string, number>();
  let isWriting = true;
  const script = async () => {
    let [tableAtMs, orgAt] = [Date.now() - 1, new Date().toISOString()];
    for (let nextMs = epochMs(); isWriting || back.size < pace.changes; ) {
      const rows = await table.writtenSince(tableAtMs);
      const held = new Map(rows.map(({ id, phone }) => [partners.get(id)!, phone]));
      for (let at = 0; at < rows.length; at += 200) {
        const records = rows.slice(at, at + 200).map(({ id, phone }) => ({ Id: partners.get(id)!, Phone: phone }));
        await connection.sobject('Account').update(records);
      }
      tableAtMs = rows.at(-1)?.atMs ?? tableAtMs;
      const found = await connection.query<{ Id: string; Phone: string; SystemModstamp: string }>(
        `SELECT Id, Phone, SystemModstamp FROM Account WHERE SystemModstamp >= ${orgAt} ORDER BY SystemModstamp`,
        { autoFetch: true, maxFetch: 50_000 },
      );
      for (const { Id, Phone } of found.records) {
        if (Phone.startsWith('script-') && (held.get(Id) ?? Phone) === Phone && !back.has(Phone)) back.set(Phone, epochMs());
      }
      orgAt = found.records.at(-1)?.SystemModstamp.replace('+0000', 'Z') ?? orgAt;
      nextMs += POLL_MS;
      await sleep(Math.max(0, nextMs - epochMs()));
    }
  };
  const running = script();
  const committedAtMs = await write(table, pace, 'script');
  isWriting = false;
  await running;
  const { commits } = await org.ask<Arrived>({ kind: 'arrived' } satisfies TwoWayOrgQuestion);
  const there = new Map(commits.flatMap(({ atMs, phones }) => phones.map((phone) => [phone, atMs] as const)));
  return lags(committedAtMs, there, back);
}

/** Nothing but the update of the row and, at once, one bare call that writes the same to the org. */
export async function bareCalls(
  { instanceUrl, accessToken }: EmulatorCredentials,
  table: AppTable,
  { perSecond, changes }: Pace,
): Promise<number[]> {
  const partners = await table.partners();
  const url = `${instanceUrl}/services/data/v62.0/composite/sobjects`;
  const headers = { authorization: `Bearer ${accessToken}`, 'content-type': 'application/json' };
  const startedAtMs = performance.now();
  const calls: Promise<number>[] = [];
  for (let i = 0; i < changes; i++) {
    const waitMs = startedAtMs + (i * 1000) / perSecond - performance.now();
    if (waitMs > 0) await sleep(waitMs);
    await table.setPhone(i + 1, `bare-${i}`);
    const committedAtMs = performance.now();
    const record = { attributes: { type: 'Account' }, id: partners.get(i + 1)!, Phone: `bare-${i}` };
    const call = async () => {
      const reply = await fetch(url, { method: 'PATCH', headers, body: JSON.stringify({ allOrNone: false, records: [record] }) });
      const [result] = (await reply.json()) as { success: boolean }[];
      if (result?.success !== true) throw new Error(`the org refused ${JSON.stringify(result)}`);
      return performance.now() - committedAtMs;
    };
    calls.push(call());
  }
  return Promise.all(calls);
}

function lags(
  from: ReadonlyMap<string, number>,
  there: ReadonlyMap<string, number>,
  back: ReadonlyMap<string, number>,
): RoundTrips {
  const since = (times: ReadonlyMap<string, number>) => [...from].map(([value, atMs]) => (times.get(value) ?? Number.NaN) - atMs);
  const trips = { there: since(there), back: since(back) };
  if ([...trips.there, ...trips.back].some(Number.isNaN))
    throw new Error('changes were joined or lost: their times cannot be told');
  return trips;
}
