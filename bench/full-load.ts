import { spawnSync } from 'node:child_process';
import { createWriteStream, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { EmulatorCredentials } from '@tidemark/emulator';
import { startPostgres } from '@tidemark/testkit';
import pg from 'pg';
import { run } from './lib/child.ts';
import { createTable, mapped, soql } from './lib/contact.ts';
import type { BenchOptions } from './lib/options.ts';
import { BenchOrg, type TargetConnection } from './lib/org.ts';
import { type BenchReport, type Result, say } from './lib/report.ts';
import { median, ratio, rounded } from './lib/statistics.ts';
import type { TidemarkInput, TidemarkOutput } from './lib/tidemark-process.ts';

/**
 * A full load of a million contacts of fifteen columns. The emulator renders a Bulk result before it reports JobComplete; the
 * clock of everybody runs from there to data that is committed, counted and (for Tidemark) swept; Tidemark's run goes on for its
 * lookup index and the closing delta, which is told beside it. Contenders take turns.
 */
export async function bench({ rows, rounds, quick }: BenchOptions): Promise<BenchReport> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-bench-'));
  const postgres = await startPostgres({ tuning: 'stock' });
  say(`filling an org with ${rows} contacts`);
  const org = await BenchOrg.start(rows);
  const smallOrg = await BenchOrg.start(Math.ceil(rows / 10));
  const db = new pg.Client({ connectionString: postgres.url });
  await db.connect();
  try {
    const csv = join(folder, 'contacts.csv');
    await downloadCsv(org.credentials, csv);
    say(`the CSV file has ${(statSync(csv).size / 1e6).toFixed(0)} MB`);
    const sqliteCli = spawnSync('sqlite3', ['--version']).status === 0;
    const times: Record<string, number[]> = {};
    const memory: number[] = [];
    const smallMemory: number[] = [];
    const sqliteMemory: number[] = [];
    const wall: number[] = [];
    const note = (name: string, value: number) => {
      times[name] = [...(times[name] ?? []), value];
      say(`  ${name}: ${(rows / (value / 1000)).toFixed(0)} rows/s`);
    };
    let written = 0;
    // What one has left to be flushed to disk is not the next one's to pay for.
    const flushed = () => db.query('CHECKPOINT');
    for (let round = 1; round <= rounds; round++) {
      say(`round ${round} of ${rounds}`);
      await flushed();
      const limit = await run<{ ms: number; indexMs: number }>('./copy-process.ts', { url: postgres.url, file: csv });
      note('limit', limit.ms);
      note('limit with the lookup index', limit.ms + limit.indexMs);

      await db.query('DROP TABLE IF EXISTS contact; DROP TABLE IF EXISTS _tidemark_checkpoints');
      await flushed();
      const first = await load(org, { type: 'postgres', url: postgres.url }, rows);
      note('tidemark', first.loadedMs!);
      note('tidemark with the lookup index', first.sinceJobCompleteMs!);
      memory.push(first.maxRssMb);
      wall.push(first.wallMs);

      const before = await rowVersions(db);
      await flushed();
      note('unchanged', (await load(org, { type: 'postgres', url: postgres.url }, rows, 'unchanged')).loadedMs!);
      written += (await rowVersions(db)) - before;
      // Values that differ at equal stamps: the load has to mend every row.
      await db.query("UPDATE contact SET lastname = lastname || '~'");
      await db.query('VACUUM ANALYZE contact');
      await flushed();
      note('changed', (await load(org, { type: 'postgres', url: postgres.url }, rows, 'updated')).loadedMs!);

      await db.query('DROP TABLE IF EXISTS contact; DROP TABLE IF EXISTS _tidemark_checkpoints');
      await flushed();
      note('mapped', (await load(org, { type: 'postgres', url: postgres.url }, rows, 'created', mapped)).loadedMs!);
      await db.query('DROP TABLE IF EXISTS contact; DROP TABLE IF EXISTS _tidemark_checkpoints');
      smallMemory.push((await load(smallOrg, { type: 'postgres', url: postgres.url }, Math.ceil(rows / 10))).maxRssMb);

      if (sqliteCli) note('sqlite import', importCsv(folder, csv, rows));
      const file = join(folder, 'copy.db');
      for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix, { force: true });
      const sqlite = await load(org, { type: 'sqlite', path: file }, rows);
      note('sqlite', sqlite.loadedMs!);
      sqliteMemory.push(sqlite.maxRssMb);

      if (!quick) {
        const { url } = postgres;
        await flushed();
        const { instanceUrl, accessToken } = org.credentials;
        note('jsforce', (await run<{ ms: number }>('./jsforce-process.ts', { url, instanceUrl, accessToken })).ms);
      }
    }
    const rate = (name: string): Result => ({
      name: `${name} rows/s`,
      value: Math.round(rows / (median(times[name]!) / 1000)),
      unit: 'rows/s',
    });
    const results: Result[] = [
      ...Object.keys(times).map(rate),
      { name: 'tidemark whole wall time', value: rounded(median(wall) / 1000), unit: 's' },
      { name: 'tidemark peak memory', value: rounded(median(memory), 0), unit: 'MB' },
      { name: `tidemark peak memory at ${Math.ceil(rows / 10)} rows`, value: rounded(median(smallMemory), 0), unit: 'MB' },
      { name: 'sqlite peak memory', value: rounded(median(sqliteMemory), 0), unit: 'MB' },
      { name: 'row versions written by the unchanged load', value: written, unit: 'rows' },
    ];
    return {
      bench: 'full-load',
      rows,
      results,
      ratios: {
        toLimit: ratio(times.limit!, times.tidemark!),
        toLimitWithIndex: ratio(times['limit with the lookup index']!, times['tidemark with the lookup index']!),
        toBaseline: times.jsforce === undefined ? null : ratio(times.jsforce, times.tidemark!),
        mappedToLimit: ratio(times.limit!, times.mapped!),
        unchangedToChangedTime: ratio(times.unchanged!, times.changed!),
        sqliteToImport: times['sqlite import'] === undefined ? null : ratio(times['sqlite import'], times.sqlite!),
        memoryToTenth: ratio(memory, smallMemory),
      },
      notes: sqliteCli
        ? []
        : ['the sqlite3 command is not installed, so SQLite has no reference here (Debian: apt-get install sqlite3)'],
    };
  } finally {
    await db.end();
    await org[Symbol.asyncDispose]();
    await smallOrg[Symbol.asyncDispose]();
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function load(
  org: BenchOrg,
  target: TargetConnection,
  rows: number,
  expected: 'created' | 'unchanged' | 'updated' = 'created',
  fields?: Record<string, string>,
): Promise<TidemarkOutput> {
  const yaml = org.yaml(target, fields === undefined ? {} : { fields });
  const output = await run<TidemarkOutput>('./tidemark-process.ts', { yaml, full: true } satisfies TidemarkInput);
  const { report } = output;
  // A fast load of the wrong rows is worth nothing.
  if (report.state !== 'succeeded' || report.counts[expected] !== rows) {
    throw new Error(`the load did not do what it should (${rows} ${expected}): ${JSON.stringify(report)}`);
  }
  return output;
}

async function rowVersions(db: pg.Client): Promise<number> {
  await db.query('SELECT pg_stat_force_next_flush()');
  const { rows } = await db.query(
    "SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::int AS n FROM pg_stat_user_tables WHERE relname = 'contact'",
  );
  return rows[0].n;
}

async function downloadCsv(org: EmulatorCredentials, file: string): Promise<void> {
  const base = `${org.instanceUrl}/services/data/v62.0/jobs/query`;
  const headers = { authorization: `Bearer ${org.accessToken}`, 'content-type': 'application/json' };
  const created = await fetch(base, { method: 'POST', headers, body: JSON.stringify({ operation: 'query', query: soql }) });
  if (!created.ok) throw new Error(`the job was refused: ${await created.text()}`);
  const job = (await created.json()) as { id: string };
  for (;;) {
    const { state } = (await (await fetch(`${base}/${job.id}`, { headers })).json()) as { state: string };
    if (state === 'JobComplete') break;
    if (state !== 'InProgress' && state !== 'UploadComplete') throw new Error(`the job ended as ${state}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const reply = await fetch(`${base}/${job.id}/results`, {
    headers: { ...headers, accept: 'text/csv', 'accept-encoding': 'identity' },
  });
  await pipeline(Readable.fromWeb(reply.body as never), createWriteStream(file));
}

/** `sqlite3 .import` of the CSV file into the same keyed table. */
function importCsv(folder: string, csv: string, rows: number): number {
  const file = join(folder, 'import.db');
  for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix, { force: true });
  const script = [
    'PRAGMA journal_mode = WAL;',
    createTable('contact', 'sqlite').concat(';'),
    `.import --csv --skip 1 ${csv} contact`,
    'SELECT count(*) FROM contact;',
  ];
  const startedAtMs = performance.now();
  const { stdout } = spawnSync('sqlite3', [file], { input: script.join('\n'), encoding: 'utf8' });
  const ms = performance.now() - startedAtMs;
  if (Number(stdout.trim().split('\n').at(-1)) !== rows) throw new Error(`sqlite3 imported ${stdout.trim()} rows`);
  return ms;
}
