import jsforce from 'jsforce';
import pg from 'pg';
import { input, output } from './child.ts';
import { createTable, names, soql } from './contact.ts';

/** What a user writes today: jsforce's `bulk2.query` and upserts of a thousand rows with `pg`. */
const { url, instanceUrl, accessToken } = input<{ url: string; instanceUrl: string; accessToken: string }>();
const ROWS = 1000;
const client = new pg.Client({ connectionString: url });
await client.connect();
await client.query('DROP TABLE IF EXISTS jsforce_contact');
await client.query(createTable('jsforce_contact', 'postgres'));

const updates = names.slice(1).map((name) => `${name} = excluded.${name}`);
const sql = (count: number) => {
  const rows = Array.from({ length: count }, (_, r) => `(${names.map((_, c) => `$${r * names.length + c + 1}`).join(', ')})`);
  return `INSERT INTO jsforce_contact (${names.join(', ')}) VALUES ${rows.join(', ')} ON CONFLICT (Id) DO UPDATE SET ${updates.join(', ')}`;
};
const full = sql(ROWS);
const write = (records: Record<string, string>[]) =>
  client.query(
    records.length === ROWS ? full : sql(records.length),
    records.flatMap((record) => names.map((name) => record[name] || null)),
  );

const org = new jsforce.Connection({ instanceUrl, accessToken, version: '62.0' });
org.bulk2.pollInterval = 500;
org.bulk2.pollTimeout = 600_000;
const wallAtMs = performance.now();
const stream = await org.bulk2.query(soql);
const startedAtMs = performance.now();
let pending: Record<string, string>[] = [];
let rows = 0;
for await (const record of stream as AsyncIterable<Record<string, string>>) {
  pending.push(record);
  rows++;
  if (pending.length === ROWS) {
    await write(pending);
    pending = [];
  }
}
if (pending.length > 0) await write(pending);
const endedAtMs = performance.now();
await client.query('DROP TABLE jsforce_contact');
await client.end();
output({ ms: endedAtMs - startedAtMs, wallMs: endedAtMs - wallAtMs, rows, maxRssMb: process.resourceUsage().maxRSS / 1024 });
process.exit(0);
