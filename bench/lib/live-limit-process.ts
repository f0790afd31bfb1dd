import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { input, output } from './child.ts';
import { busyMs, spentMs } from './cpu.ts';
import { changeAt, type LiveEvent, updatedFields } from './live-events.ts';

export interface LimitInput {
  readonly url: string;
  readonly idsFile: string;
  readonly first: number;
  readonly events: number;
  /** Events a transaction; with a pace, of the org. */
  readonly batch: number;
  /** Transactions of the org that become due so many events a second; all that are due go in one of ours. Null: batches, as fast as it goes. */
  readonly perSecond: number | null;
}

export interface LimitOutput {
  readonly wallMs: number;
  /** Each transaction, from its BEGIN to its commit. */
  readonly ms: readonly number[];
  /** Each transaction of the org, from when it was due until it was committed; none without a pace. */
  readonly lagMs: readonly number[];
  /** Of this process, and of all else: PostgreSQL, when nothing else runs. */
  readonly cpuMs: number;
  readonly otherCpuMs: number;
}

/**
 * The limit: events in hand, already decoded, and nothing but the transactions that they need. Events of one record are joined
 * before the server sees them; one statement sets the fields that each carries, and the replay id is kept beside them.
 */
const { url, idsFile, first, events, batch, perSecond } = input<LimitInput>();
const ids = JSON.parse(readFileSync(idsFile, 'utf8')) as string[];
const client = new pg.Client({ connectionString: url });
await client.connect();
const columns = updatedFields.map((name) => name.toLowerCase());
const text = `UPDATE limit_contact t SET ${columns.map((name) => `${name} = coalesce(i.${name}, t.${name})`).join(', ')}
  FROM unnest($1::text[], ${columns.map((_, i) => `$${i + 2}::text[]`).join(', ')}) AS i (id, ${columns.join(', ')}) WHERE t.id = i.id`;
const all = Array.from({ length: events }, (_, i) => changeAt(first + i, ids));
const ms: number[] = [];
const lagMs: number[] = [];
const [cpuBefore, busyBefore] = [spentMs(), busyMs()];
const startedAtMs = performance.now();
const dueMs = (end: number) => startedAtMs + (end * 1000) / perSecond!;
for (let at = 0; at < all.length; ) {
  const end = perSecond === null ? at + batch : await nextDue(at);
  const beganAtMs = performance.now();
  await write(all.slice(at, end), first + end);
  ms.push(performance.now() - beganAtMs);
  if (perSecond !== null) for (let one = at + batch; one <= end; one += batch) lagMs.push(performance.now() - dueMs(one));
  at = end;
}
const wallMs = performance.now() - startedAtMs;
const cpuMs = spentMs() - cpuBefore;
const otherCpuMs = busyMs() - busyBefore - cpuMs;
await client.end();
output({ wallMs, ms, lagMs, cpuMs, otherCpuMs } satisfies LimitOutput);

/** Where the last transaction of the org ends that is due; the next one is waited for. */
async function nextDue(at: number): Promise<number> {
  await sleep(Math.max(0, dueMs(at + batch) - performance.now()));
  const due = Math.floor(((performance.now() - startedAtMs) * perSecond!) / 1000 / batch) * batch;
  return Math.min(all.length, Math.max(due, at + batch));
}

async function write(some: readonly LiveEvent[], position: number): Promise<void> {
  const joined = new Map<string, Record<string, string>>();
  for (const { id, fields } of some) joined.set(id, { ...joined.get(id), ...fields });
  const values = [[...joined.keys()], ...updatedFields.map((name) => [...joined.values()].map((fields) => fields[name] ?? null))];
  await client.query('BEGIN');
  await client.query({ name: 'update', text, values });
  await client.query({ name: 'position', text: 'UPDATE limit_position SET replay_id = $1', values: [String(position)] });
  await client.query('COMMIT');
}
