import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import salesforce from '@tidemark/connector-salesforce';
import sqlite from '@tidemark/connector-sqlite';
import { type AnyConnector, Engine, openStore, type PlannedPairWrite, parseConfig, type Store, sumOfCalls } from '@tidemark/core';
import type { Emulator } from '@tidemark/emulator';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hasty, orgWith, quiet, signal, tracesOf } from './dry-run-fixture.ts';

// A dry run of a two-way sync tells what a run then writes on either side, in as many calls as the org itself counts, and leaves no
// trace on either side (P7, P8).

type Edit = {
  readonly on: 'crm' | 'app';
  readonly do: 'create' | 'edit' | 'delete';
  readonly at: number;
  readonly name: string;
  readonly phone: string | null;
};
const edit: fc.Arbitrary<Edit> = fc.record({
  on: fc.constantFrom('crm', 'app'),
  do: fc.constantFrom('create', 'create', 'edit', 'edit', 'edit', 'delete'),
  at: fc.nat(4),
  name: fc.constantFrom('Acme', 'Globex', 'Initech', 'Umbrella'),
  phone: fc.constantFrom(null, '1', '2', '3'),
});
const settings = fc.record({
  conflicts: fc.constantFrom('crm', 'app', 'latest', 'manual'),
  match: fc.constantFrom(undefined, 'name'),
  deletes: fc.constantFrom('propagate', 'ignore'),
  recordsPerCall: fc.constantFrom(1, 2, 200),
});

class World implements AsyncDisposable {
  readonly emulator: Emulator;
  readonly folder = mkdtempSync(join(tmpdir(), 'tidemark-dry-'));
  readonly app = new DatabaseSync(join(this.folder, 'app.db'));
  readonly store: Store;

  private constructor(emulator: Emulator, store: Store) {
    this.emulator = emulator;
    this.store = store;
    this.app.exec('CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT, phone TEXT, crm_id TEXT UNIQUE)');
  }

  static async open(): Promise<World> {
    return new World(await orgWith('App_Id__c'), await openStore(':memory:'));
  }

  async engine({ recordsPerCall, ...sync }: object & { recordsPerCall: number }): Promise<Engine> {
    const { loginUrl, clientId, clientSecret } = this.emulator.credentials;
    const config = {
      connections: {
        crm: { type: 'salesforce', loginUrl, auth: { flow: 'client-credentials', clientId, clientSecret } },
        app: { type: 'sqlite', path: 'app.db' },
      },
      syncs: {
        accounts: {
          between: [
            { connection: 'crm', object: 'Account', link: 'App_Id__c', recordsPerCall },
            { connection: 'app', table: 'customers', link: 'crm_id' },
          ],
          fields: { name: 'Name', phone: 'Phone' },
          ...sync,
        },
      },
    };
    const connectors = [salesforce, sqlite] as unknown as AnyConnector[];
    const parsed = parseConfig(JSON.stringify(config), { file: join(this.folder, 'tidemark.yaml'), env: {}, connectors });
    const { store } = this;
    const engine = new Engine({
      config: parsed,
      store,
      clock: hasty,
      random: Math.random,
      log: quiet,
      fetch: this.emulator.fetch,
    });
    await engine.applySchema(undefined, signal);
    return engine;
  }

  play(edit: Edit): void {
    const { on, at, name, phone } = edit;
    if (on === 'crm') {
      const id = [...this.accounts().keys()][at];
      this.emulator.org.write((transaction) => {
        if (edit.do === 'create') transaction.insert('Account', { Name: name, Phone: phone });
        else if (id === undefined) return;
        else if (edit.do === 'edit') transaction.update('Account', id, { Name: name, Phone: phone });
        else transaction.delete('Account', id);
      });
      return;
    }
    const id = [...this.customers().keys()][at] ?? '-1';
    if (edit.do === 'create') this.app.prepare('INSERT INTO customers (name, phone) VALUES (?, ?)').run(name, phone);
    else if (edit.do === 'edit') this.app.prepare('UPDATE customers SET name = ?, phone = ? WHERE id = ?').run(name, phone, id);
    else this.app.prepare('DELETE FROM customers WHERE id = ?').run(id);
  }

  accounts(): Map<string, Record<string, unknown>> {
    const found = this.emulator.org.query('SELECT Id, Name, Phone, App_Id__c FROM Account ORDER BY Id');
    const records = found.page(0, found.totalSize, 'v62.0') as Record<string, unknown>[];
    return new Map(records.map(({ attributes: _, Id, ...record }) => [String(Id), record]));
  }

  customers(): Map<string, Record<string, unknown>> {
    const rows = this.app.prepare('SELECT id, name, phone, crm_id FROM customers ORDER BY id').all();
    return new Map(rows.map(({ id, ...row }) => [String(id), row]));
  }

  async traces(): Promise<unknown> {
    const { links } = this.store;
    return [
      ...[this.accounts(), this.customers(), await links.linksAfter('accounts', '', 1000), await links.conflicts({})],
      await tracesOf(this.store, 'accounts'),
      // Of a change log what was read and kept before may be put away by any look; that nothing else is, the run shows.
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store[Symbol.asyncDispose]();
    await this.emulator.close();
    this.app.close();
    rmSync(this.folder, { recursive: true });
  }
}

/** What became of the records of a side: by key, those that are new by their number. */
function effects(before: ReadonlyMap<string, Record<string, unknown>>, after: ReadonlyMap<string, Record<string, unknown>>) {
  const made = [...after.keys()].filter((key) => !before.has(key));
  const updated = [...after].flatMap(([key, row]) => {
    const was = before.get(key);
    if (was === undefined) return [];
    const changed = Object.keys(row).filter((field) => (row[field] ?? null) !== (was[field] ?? null));
    return changed.length === 0 ? [] : [[key, Object.fromEntries(changed.map((field) => [field, [was[field], row[field]]]))]];
  });
  const gone = [...before.keys()].filter((key) => !after.has(key));
  return { made: made.map((key) => after.get(key)!), updated: Object.fromEntries(updated), gone: gone.sort() };
}

/** The same of what was planned, each record as the last write leaves it. */
function planned(writes: readonly PlannedPairWrite[], side: string, newKeys: ReadonlyMap<string, string>) {
  const real = (value: unknown) => newKeys.get(String(value)) ?? value;
  const own = writes.filter((write) => write.side === side);
  const updates = new Map<string, Record<string, unknown[]>>();
  const made = new Map<string, Record<string, unknown>>();
  for (const { key, effect, fields } of own) {
    if (effect === 'create') made.set(key, {});
    for (const { field, before, after } of fields) {
      if (made.has(key)) made.get(key)![field] = real(after);
      else updates.set(key, { ...updates.get(key), [field]: [updates.get(key)?.[field]?.[0] ?? before, real(after)] });
    }
  }
  for (const [key, fields] of updates) {
    const still = Object.entries(fields).filter(([, [before, after]]) => (before ?? null) !== (after ?? null));
    if (still.length === 0) updates.delete(key);
    else updates.set(key, Object.fromEntries(still));
  }
  const gone = own.filter(({ effect }) => effect === 'delete').map(({ key }) => key);
  return { made: [...made.values()], updated: Object.fromEntries(updates), gone: gone.sort() };
}

const byName = (rows: readonly Record<string, unknown>[]) => rows.map((row) => JSON.stringify(Object.entries(row).sort())).sort();

test('what a dry run tells of either side is what a run then does there, in as many calls, and it leaves no trace', () =>
  fc.assert(
    fc.asyncProperty(
      settings,
      fc.array(edit, { maxLength: 8 }),
      fc.array(edit, { maxLength: 8 }),
      fc.boolean(),
      fc.boolean(),
      async (how, earlier, later, met, full) => {
        await using world = await World.open();
        await using engine = await world.engine(JSON.parse(JSON.stringify(how)));
        for (const each of earlier) world.play(each);
        if (met) for (let round = 0; round < 2; round++) await engine.run('accounts', { signal });
        for (const each of later) world.play(each);

        const before = { crm: world.accounts(), app: world.customers() };
        const traces = await world.traces();
        const writes: PlannedPairWrite[] = [];
        const plan = await engine.planPairing('accounts', { signal, full, onWrite: (write) => writes.push(write) });
        expect(await world.traces()).toEqual(traces);

        world.emulator.requests.reset();
        const report = await engine.run('accounts', { signal, full });
        expect({ kind: report.kind, reason: report.reason, read: report.counts.read }).toEqual({
          ...{ kind: plan.kind, reason: plan.reason, read: plan.read },
        });
        const after = { crm: world.accounts(), app: world.customers() };
        // Which of the new records is which is told by the partner that they name.
        const newKeys = new Map<string, string>();
        for (const side of ['crm', 'app'] as const) {
          const link = side === 'crm' ? 'App_Id__c' : 'crm_id';
          for (const write of writes.filter((each) => each.side === side && each.effect === 'create')) {
            const partner = write.fields.find(({ field }) => field === link)?.after;
            const made = [...after[side]].find(([key, row]) => !before[side].has(key) && row[link] === partner);
            if (made !== undefined) newKeys.set(write.key, made[0]);
          }
        }
        for (const side of ['crm', 'app'] as const) {
          const [did, told] = [effects(before[side], after[side]), planned(writes, side, newKeys)];
          expect({ ...told, made: byName(told.made) }, side).toEqual({ ...did, made: byName(did.made) });
        }
        expect(plan.failed).toBe(report.counts.failed);
        expect(writes.filter(({ effect }) => effect === 'refused')).toHaveLength(plan.failed);
        const { apiCalls, byKind } = world.emulator.requests.totals();
        expect(apiCalls, JSON.stringify(byKind)).toBe(plan.calls === null ? 0 : sumOfCalls(plan.calls));
      },
    ),
    { numRuns: 20, endOnFailure: true },
  ));
