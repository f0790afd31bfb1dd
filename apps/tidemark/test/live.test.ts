import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Engine, openStore, parseConfig, type Store, seededRandom, systemClock } from '@tidemark/core';
import { createClock, type Emulator, startEmulator } from '@tidemark/emulator';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { loadConnectors } from '../src/connectors.ts';

// Live syncs against the real streams of the emulator: what is committed in the org is soon in the copy, whole, and stays right
// whatever the stream does not tell (P1, P3, P4, P6). Deltas are an hour apart, so that nothing but the stream can bring it.

const contactFields = {
  id: 'Id',
  last: 'LastName',
  first: 'FirstName',
  city: 'MailingCity',
  notes: 'Description',
  parent: 'AccountId',
};
const hour = 3_600_000;

let emulator: Emulator;
let folder: string;
let store: Store;
let database: DatabaseSync | null;
let warnings: object[];

beforeEach(async () => {
  emulator = await startEmulator({ clock: createClock(Date.UTC(2026, 2, 4, 5, 6, 7)), changeEvents: ['Account', 'Contact'] });
  folder = mkdtempSync(join(tmpdir(), 'tidemark-live-'));
  store = await openStore(':memory:');
  database = null;
  warnings = [];
});
afterEach(async () => {
  database?.close();
  await store[Symbol.asyncDispose]();
  await emulator.close();
  rmSync(folder, { recursive: true, force: true });
});

const org = () => emulator.org;
const insert = (object: string, values: Record<string, string | null>) => org().write((t) => t.insert(object, values)).id;

interface Life {
  readonly engine: Engine;
  stop(): Promise<void>;
}

async function start(stream = 'pubsub', contacts: object = {}): Promise<Life> {
  const { loginUrl, clientId, clientSecret, pubsubEndpoint } = emulator.credentials;
  const { connectors } = await loadConnectors();
  const sync = (object: string, table: string, fields: object, more: object = {}) => ({
    from: { connection: 'org', object },
    to: { connection: 'db', table },
    fields,
    every: '1h',
    live: true,
    ...more,
  });
  const yaml = JSON.stringify({
    connections: {
      org: {
        type: 'salesforce',
        loginUrl,
        stream,
        ...(stream === 'pubsub' ? { pubsubEndpoint: `http://${pubsubEndpoint}` } : {}),
        auth: { flow: 'client-credentials', clientId, clientSecret },
      },
      db: { type: 'sqlite', path: join(folder, 'copy.db') },
    },
    syncs: {
      contacts: sync('Contact', 'contacts', contactFields, contacts),
      accounts: sync('Account', 'accounts', { id: 'Id', name: 'Name', shout: "= $uppercase(Name) & '!'" }),
    },
  });
  const config = parseConfig(yaml, { file: join(folder, 'tidemark.yaml'), env: {}, connectors });
  const log = {
    debug() {},
    info() {},
    warn: (data: object) => void warnings.push(data),
    error: (data: object) => void warnings.push(data),
  };
  const clock = {
    now: () => Date.now(),
    sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms < 30_000 ? Math.min(ms, 20) : ms, signal),
  };
  const engine = new Engine({ config, store, clock, random: seededRandom(1), log, fetch });
  const stopping = new AbortController();
  const ended = engine.start({ stop: stopping.signal, signal: new AbortController().signal });
  return {
    engine,
    async stop() {
      stopping.abort();
      await ended;
      await engine[Symbol.asyncDispose]();
    },
  };
}

function copied(table: string): Record<string, unknown>[] {
  database ??= new DatabaseSync(join(folder, 'copy.db'));
  const columns = table === 'contacts' ? Object.keys(contactFields) : ['id', 'name', 'shout'];
  try {
    return database
      .prepare(`SELECT ${columns.join(', ')} FROM ${table} ORDER BY id`)
      .all()
      .map((row) => ({ ...row }));
  } catch {
    return [];
  }
}

function truth(table: string): Record<string, unknown>[] {
  const contacts = table === 'contacts';
  const fields: Record<string, string> = contacts ? contactFields : { id: 'Id', name: 'Name' };
  const soql = `SELECT ${Object.values(fields).join(', ')} FROM ${contacts ? 'Contact' : 'Account'} ORDER BY Id`;
  const found = org().query(soql);
  const rows = found.page(0, 2000, 'v62.0') as Record<string, unknown>[];
  return rows.map((row) => {
    const mapped = Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, row[field] ?? null]));
    return contacts ? mapped : { ...mapped, shout: `${String(mapped.name).toUpperCase()}!` };
  });
}

const equal = () =>
  vi.waitFor(
    () => {
      expect(copied('contacts')).toEqual(truth('contacts'));
      expect(copied('accounts')).toEqual(truth('accounts'));
    },
    { timeout: 15_000, interval: 20 },
  );
const live = ({ engine }: Life) =>
  vi.waitUntil(() => engine.liveStatus().every(({ state }) => state === 'live'), { timeout: 15_000, interval: 20 });

test.each(['pubsub', 'cometd'])('every kind of change comes by %s alone', async (stream) => {
  const acme = insert('Account', { Name: 'Acme' });
  const kent = insert('Contact', { LastName: 'Kent', FirstName: 'Clark', AccountId: acme, MailingCity: 'Metropolis' });
  const life = await start(stream);
  await live(life);
  await equal();
  const lane = insert('Contact', { LastName: 'Lane', MailingCity: 'Metropolis', Description: 'x'.repeat(2000) });
  org().write((t) => t.update('Contact', kent, { FirstName: null, MailingCity: 'Smallville' }));
  org().write((t) => t.update('Account', acme, { Name: 'Acme & Sons' }));
  await equal();
  // A long text comes as a difference and is read; a delete takes the lookup of others with it.
  org().write((t) => t.update('Contact', lane, { Description: `${'x'.repeat(1999)}y` }));
  org().write((t) => t.delete('Contact', kent));
  await equal();
  org().write((t) => t.undelete('Contact', kent));
  org().write((t) => {
    for (const id of [kent, lane]) t.update('Contact', id, { MailingCity: 'Gotham' });
  });
  await equal();
  expect(copied('contacts')).toHaveLength(2);
  const { engine } = life;
  await life.stop();
  const [told] = await engine.status('contacts');
  expect(told!.stream).toMatchObject({ state: 'stopped', syncs: ['contacts', 'accounts'], splits: 0, rereads: [] });
  expect(warnings).toEqual([]);
});

test('a reader never sees half a transaction, in one table or in two (P6)', async () => {
  const account = insert('Account', { Name: '0' });
  const contacts = ['a', 'b', 'c'].map(() => insert('Contact', { LastName: '0', AccountId: account }));
  const life = await start();
  await live(life);
  await equal();
  const seen = new Set<string>();
  for (let n = 1; n <= 60; n++) {
    org().write((t) => {
      t.update('Account', account, { Name: String(n) });
      for (const [i, id] of contacts.entries()) t.update('Contact', id, { LastName: String(n), FirstName: `f${i}-${n}` });
    });
    if (n % 7 === 0) await new Promise(setImmediate);
    const rows = database!
      .prepare(
        'SELECT group_concat(DISTINCT v) AS together FROM (SELECT last AS v FROM contacts UNION ALL SELECT name FROM accounts)',
      )
      .get() as { together: string };
    seen.add(rows.together);
  }
  await equal();
  expect([...seen].filter((together) => together.includes(','))).toEqual([]);
  await life.stop();
});

test('left until the retention has passed, it begins anew and reads what it missed (P1)', async () => {
  const kept = insert('Contact', { LastName: 'Kept' });
  const gone = insert('Contact', { LastName: 'Gone' });
  const first = await start();
  await live(first);
  await equal();
  await first.stop();
  org().write((t) => t.update('Contact', kept, { LastName: 'Changed' }));
  org().write((t) => t.delete('Contact', gone));
  insert('Account', { Name: 'New' });
  org().clock.advance(80 * hour);
  const second = await start();
  await equal();
  await live(second);
  expect(second.engine.liveStatus()[0]!.healed.lost).toBe(1);
  org().write((t) => t.update('Contact', kept, { LastName: 'Again' }));
  await equal();
  await second.stop();
});

test('gaps are read, overflows and wildcards are read again whole (P1)', async () => {
  const kent = insert('Contact', { LastName: 'Kent' });
  const life = await start();
  await live(life);
  await equal();
  // Written past the events: only a read can tell.
  database!.prepare("UPDATE contacts SET last = 'spoilt', _tidemark_stamp = NULL").run();
  emulator.events.emitGap('Contact', 'GAP_UPDATE', [kent]);
  await equal();
  emulator.events.emitOverflow('Contact');
  await vi.waitUntil(() => life.engine.liveStatus()[0]!.healed.overflow > 0, { timeout: 10_000 });
  await live(life);
  await equal();
  await life.stop();
});

test('a filter, and an expression over fields that an event does not carry, are seen to by a read', async () => {
  const kent = insert('Contact', { LastName: 'Kent', MailingCity: 'in' });
  const life = await start('pubsub', {
    where: "MailingCity = 'in'",
    fields: { ...contactFields, first: "= FirstName & '/' & LastName" },
  });
  await live(life);
  const lasts = () => copied('contacts').map(({ last, first }) => [last, first]);
  const become = (rows: unknown[]) => vi.waitFor(() => expect(lasts()).toEqual(rows), { timeout: 10_000, interval: 20 });
  await become([['Kent', '/Kent']]);
  org().write((t) => t.update('Contact', kent, { FirstName: 'Clark' }));
  await become([['Kent', 'Clark/Kent']]);
  org().write((t) => t.update('Contact', kent, { MailingCity: 'out' }));
  await become([]);
  org().write((t) => t.update('Contact', kent, { MailingCity: 'in', LastName: 'El' }));
  await become([['El', 'Clark/El']]);
  await life.stop();
});
