import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { input, output } from './child.ts';
import { changeAt, type LiveEvent, updatedFields } from './live-events.ts';

export interface LimitInput {
  readonly url: string;
  readonly idsFile: string;
  readonly first: number;
  readonly events: number;
  readonly batch: number;
  /** Null: as fast as it goes. */
  readonly perSecond: number | null;
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
const startedAtMs = performance.now();
for (let at = 0; at < all.length; at += batch) {
  if (perSecond !== null) await sleep(Math.max(0, startedAtMs + (at * 1000) / perSecond - performance.now()));
  const beganAtMs = performance.now();
  await write(all.slice(at, at + batch), first + at + batch);
  ms.push(performance.now() - beganAtMs);
}
const wallMs = performance.now() - startedAtMs;
await client.end();
output({ wallMs, ms });

async function write(some: readonly LiveEvent[], position: number): Promise<void> {
  const joined = new Map<string, Record<string, string>>();
  for (const { id, fields } of some) joined.set(id, { ...joined.get(id), ...fields });
  const values = [[...joined.keys()], ...updatedFields.map((name) => [...joined.values()].map((fields) => fields[name] ?? null))];
  await client.query('BEGIN');
  await client.query({ name: 'update', text, values });
  await client.query({ name: 'position', text: 'UPDATE limit_position SET replay_id = $1', values: [String(position)] });
  await client.query('COMMIT');
}
