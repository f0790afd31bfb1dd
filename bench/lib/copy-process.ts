import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { from } from 'pg-copy-streams';
import { input, output } from './child.ts';
import { createTable } from './contact.ts';

/** The limit: a bare client that pipes the finished CSV file into the keyed table, as `psql \copy` does. */
const { url, file } = input<{ url: string; file: string }>();
const client = new pg.Client({ connectionString: url });
await client.connect();
await client.query('DROP TABLE IF EXISTS limit_contact');
await client.query(createTable('limit_contact', 'postgres'));
const startedAtMs = performance.now();
const copy = client.query(from('COPY limit_contact FROM STDIN (FORMAT csv, HEADER, FORCE_NULL *)'));
await pipeline(createReadStream(file, { highWaterMark: 256 * 1024 }), copy);
const ms = performance.now() - startedAtMs;
// Tidemark indexes lookups too: what the same table costs with that.
const indexAtMs = performance.now();
await client.query('CREATE INDEX ON limit_contact (AccountId)');
const indexMs = performance.now() - indexAtMs;
const { rows } = await client.query('SELECT count(*)::int AS n FROM limit_contact');
await client.query('DROP TABLE limit_contact');
await client.end();
output({ ms, indexMs, rows: rows[0].n, maxRssMb: process.resourceUsage().maxRSS / 1024 });
