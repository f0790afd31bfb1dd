import { once } from 'node:events';
import pg from 'pg';
import { from } from 'pg-copy-streams';
import { input, output } from './child.ts';
import { names } from './contact.ts';

/**
 * The limit of a delta: its rows copied into a temporary table, one guarded upsert, the watermark moved, one transaction. Bare
 * SQL over one connection, with the rows ready as COPY text before the clock starts. They are from all over the table, as the org's
 * changes are.
 */
const { url, rows } = input<{ url: string; rows: number }>();
const client = new pg.Client({ connectionString: url });
await client.connect();
await client.query('CREATE TABLE IF NOT EXISTS bare_watermark (name text PRIMARY KEY, value text)');
await client.query("INSERT INTO bare_watermark VALUES ('contacts', '') ON CONFLICT DO NOTHING");
const list = names.map((name) => name.toLowerCase());
const changed = list.map((name) => (name === 'lastname' ? "coalesce(lastname, '') || '~'" : `${name}::text`));
const picked = await client.query({
  text: `SELECT ${changed.join(', ')} FROM contact ORDER BY random() LIMIT ${rows}`,
  rowMode: 'array',
});
const text = picked.rows.map((row: (string | null)[]) => `${row.map(cell).join('\t')}\n`).join('');

const startedAtMs = performance.now();
await client.query('BEGIN');
await client.query('CREATE TEMP TABLE bare_delta (LIKE contact) ON COMMIT DROP');
const copy = client.query(from(`COPY bare_delta (${list.join(', ')}) FROM STDIN`));
copy.end(text);
await once(copy, 'finish');
const sets = list.slice(1).map((name) => `${name} = excluded.${name}`);
const tuple = (alias: string) =>
  `(${list
    .slice(1)
    .map((name) => `${alias}.${name}`)
    .join(', ')})`;
const merged = await client.query(
  `INSERT INTO contact AS t (${list.join(', ')}) SELECT ${list.join(', ')} FROM bare_delta
   ON CONFLICT (id) DO UPDATE SET ${sets.join(', ')} WHERE ${tuple('t')} IS DISTINCT FROM ${tuple('excluded')}`,
);
await client.query("UPDATE bare_watermark SET value = now()::text WHERE name = 'contacts'");
await client.query('COMMIT');
const ms = performance.now() - startedAtMs;
await client.end();
output({ ms, rows: merged.rowCount });

function cell(value: string | null): string {
  return value === null
    ? '\\N'
    : value.replace(/[\\\t\n\r]/g, (char) => ({ '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' })[char]!);
}
