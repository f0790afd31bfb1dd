import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EmulatorCredentials } from '@tidemark/emulator';
import type pg from 'pg';
import { run } from './child.ts';
import { changeAt, liveFields, titleOf, updatedFields } from './live-events.ts';
import type { LimitInput, LimitOutput } from './live-limit-process.ts';
import type { Produced } from './live-org-process.ts';

const WAIT_MS = 120_000;
/** `BENCH_JOURNAL=sqlite` or `postgres`: events are kept as they came as well, in a state store of that kind. */
const JOURNAL = process.env.BENCH_JOURNAL;

/** One sync, `contacts`, that follows the org. */
export function configuration(
  { loginUrl, clientId, clientSecret, pubsubEndpoint }: EmulatorCredentials,
  url: string,
  store: string,
) {
  return JSON.stringify({
    store: { url: JOURNAL === 'postgres' ? url : store },
    connections: {
      org: {
        type: 'salesforce',
        loginUrl,
        stream: 'pubsub',
        pubsubEndpoint: `http://${pubsubEndpoint}`,
        auth: { flow: 'client-credentials', clientId, clientSecret },
      },
      db: { type: 'postgres', url },
    },
    syncs: {
      contacts: {
        from: { connection: 'org', object: 'Contact' },
        to: { connection: 'db', table: 'contact' },
        fields: Object.fromEntries(liveFields.map((name) => [name.toLowerCase(), name])),
        // Far off: nothing but the stream is to bring what changed.
        cron: '0 0 1 1 *',
        live: true,
        ...(JOURNAL === undefined ? {} : { journal: '1d' }),
      },
    },
  });
}

/** The same rows for the others, without what Tidemark keeps beside them. */
export async function bareTables(database: pg.Client): Promise<void> {
  const columns = liveFields.map((name) => name.toLowerCase()).join(', ');
  for (const table of ['limit_contact', 'client_contact']) {
    await database.query(`CREATE TABLE ${table} AS SELECT ${columns} FROM contact`);
    await database.query(`ALTER TABLE ${table} ADD PRIMARY KEY (id)`);
    await database.query(`CREATE INDEX ON ${table} (accountid)`);
  }
  await database.query('CREATE TABLE limit_position AS SELECT NULL::text AS replay_id');
  await database.query('VACUUM ANALYZE');
}

/** Waits until the copy holds an event. */
export async function visible(database: pg.Client, id: string, event: number): Promise<void> {
  const deadlineMs = epochMs() + WAIT_MS;
  for (;;) {
    const { rows } = await database.query({ name: 'look', text: 'SELECT title FROM contact WHERE id = $1', values: [id] });
    if (rows[0]?.title === titleOf(event)) return;
    if (epochMs() > deadlineMs) throw new Error(`event ${event} has not come: ${JSON.stringify(rows)}`);
    await sleep(5);
  }
}

/** Every record of a backlog is as its events left it, in each field that they set. */
export async function equal(database: pg.Client, { first, ids }: Produced, events: number): Promise<void> {
  const expected = new Map<string, Record<string, string>>();
  for (let n = first; n < first + events; n++) {
    const { id, fields } = changeAt(n, ids);
    expected.set(id, { ...expected.get(id), ...fields });
  }
  const columns = ['id', ...updatedFields.map((name) => name.toLowerCase())].join(', ');
  const { rows } = await database.query<Record<string, string | null>>(`SELECT ${columns} FROM contact`);
  const found = new Map(rows.map((row) => [row.id, row]));
  for (const [id, fields] of expected) {
    for (const [name, value] of Object.entries(fields)) {
      const held = found.get(id)?.[name.toLowerCase()];
      if (held !== value) throw new Error(`${name} of ${id} is ${held} and should be ${value}`);
    }
  }
}

/** The ids go by file: an argument does not hold them. */
export function limit(folder: string, { ids, ...given }: Omit<LimitInput, 'idsFile'> & { ids: readonly string[] }) {
  const idsFile = join(folder, 'ids.json');
  writeFileSync(idsFile, JSON.stringify(ids));
  return run<LimitOutput>('./live-limit-process.ts', { ...given, idsFile } satisfies LimitInput);
}

export function epochMs(): number {
  return performance.timeOrigin + performance.now();
}
